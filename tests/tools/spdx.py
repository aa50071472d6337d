# SPDX-License-Identifier: Apache-2.0
"""Whether a document is SPDX 2.3 (JSON) as its specification has it, for the parts that packaging/sbom writes, and as true as can be told
from the files that it speaks of."""
import hashlib, re

LICENCES = {'Apache-2.0', 'LGPL-2.1-or-later', 'LGPL-2.1-only', 'MIT', 'ISC', 'blessing', 'libpng-2.0', 'IJG', 'BSD-2-Clause', 'BSD-3-Clause', 'Zlib', 'GPL-3.0-or-later'}
EXCEPTIONS = {'GCC-exception-3.1'}
FILE_TYPES = {'SOURCE', 'BINARY', 'ARCHIVE', 'TEXT'}
RELATIONSHIPS = {'DESCRIBES', 'CONTAINS', 'GENERATED_FROM', 'STATIC_LINK', 'DYNAMIC_LINK'}
LENGTHS = {'SHA1': 40, 'SHA256': 64}


def licence(text):
    return text == 'NOASSERTION' or all(
        part.split(' WITH ')[0] in LICENCES and (' WITH ' not in part or part.split(' WITH ')[1] in EXCEPTIONS) for part in text.split(' AND '))


def element(e, wrong, members, optional=()):
    name = e.get('SPDXID', '?')
    if not re.fullmatch(r'SPDXRef-[A-Za-z0-9.-]+', name):
        wrong.append(f'{name} is no SPDX identifier')
    wrong += [f'{name}: no {m}' for m in members if m not in e] + [f'{name}: unknown {m}' for m in e if m not in members and m not in optional]
    for m in ('licenseConcluded', 'licenseDeclared'):
        if m in e and not licence(e[m]):
            wrong.append(f'{name}: {m} "{e[m]}"')
    for s in e.get('checksums', []):
        if set(s) != {'algorithm', 'checksumValue'} or not re.fullmatch(r'[0-9a-f]{%d}' % LENGTHS.get(s['algorithm'], 0), s['checksumValue']):
            wrong.append(f'{name}: checksum {s}')


def faults(d):
    wrong = []
    top = {'spdxVersion': 'SPDX-2.3', 'dataLicense': 'CC0-1.0', 'SPDXID': 'SPDXRef-DOCUMENT'}
    wrong += [f'{k} is {d.get(k)}' for k, v in top.items() if d.get(k) != v]
    wrong += [f'unknown {k}' for k in d if k not in {*top, 'name', 'documentNamespace', 'creationInfo', 'packages', 'files', 'relationships'}]
    if not re.fullmatch(r'https?://[^#\s]+', d.get('documentNamespace', '')):
        wrong.append('documentNamespace')
    info = d.get('creationInfo', {})
    if not re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', info.get('created', '')) or not all(
            re.match(r'(Tool|Person|Organization): \S', c) for c in info.get('creators', [''])):
        wrong.append(f'creationInfo {info}')
    for p in d['packages']:
        analyzed = ('checksums', 'packageFileName', 'packageVerificationCode', 'licenseInfoFromFiles') if p.get('filesAnalyzed') else ('sourceInfo',)
        element(p, wrong, ('SPDXID', 'name', 'versionInfo', 'downloadLocation', 'supplier', 'filesAnalyzed', 'licenseConcluded', 'licenseDeclared',
                           'copyrightText', 'primaryPackagePurpose', 'externalRefs', *analyzed))
        wrong += [f'{p["name"]}: {r}' for r in p['externalRefs'] if r['referenceCategory'] != 'PACKAGE-MANAGER' or r['referenceType'] != 'purl'
                  or not re.fullmatch(r'pkg:deb/[a-z]+/[a-z0-9.+-]+@[A-Za-z0-9.:~%-]+\?arch=[a-z0-9]+', r['referenceLocator'])]
    for f in d['files']:
        element(f, wrong, ('SPDXID', 'fileName', 'fileTypes', 'checksums', 'licenseConcluded', 'licenseInfoInFiles', 'copyrightText'))
        if not f['fileName'].startswith('./') or not set(f['fileTypes']) <= FILE_TYPES or 'SHA1' not in {c['algorithm'] for c in f['checksums']}:
            wrong.append(f'{f["SPDXID"]}: {f["fileName"]} {f["fileTypes"]}')
    names = [e['SPDXID'] for e in d['packages'] + d['files']] + ['SPDXRef-DOCUMENT']
    wrong += [f'{n} is there twice' for n in set(names) if names.count(n) > 1]
    known = set(names)
    for r in d['relationships']:
        if r['relationshipType'] not in RELATIONSHIPS or r['spdxElementId'] not in known or r['relatedSpdxElement'] not in known:
            wrong.append(f'relationship {r}')
    related = {r['relatedSpdxElement'] for r in d['relationships']}
    wrong += [f'{n} belongs to nothing' for n in known - related - {'SPDXRef-DOCUMENT'}]
    return wrong + verification(d)


def verification(d):
    """The code of each analyzed package is made of its files' SHA-1 sums."""
    files = {f['SPDXID']: next(c['checksumValue'] for c in f['checksums'] if c['algorithm'] == 'SHA1') for f in d['files']}
    wrong = []
    for p in d['packages']:
        if p['filesAnalyzed']:
            mine = sorted(files[r['relatedSpdxElement']] for r in d['relationships'] if r['spdxElementId'] == p['SPDXID'] and r['relationshipType'] == 'CONTAINS')
            if hashlib.sha1(''.join(mine).encode()).hexdigest() != p['packageVerificationCode']['packageVerificationCodeValue']:
                wrong.append(f'{p["name"]}: the verification code is not that of its files')
    return wrong


def linked(d, file, kind):
    """-> names of the Debian packages that a file was linked with"""
    packages = {p['SPDXID']: p['name'] for p in d['packages']}
    return {packages[r['relatedSpdxElement']] for r in d['relationships'] if r['spdxElementId'] == file['SPDXID'] and r['relationshipType'] == kind}


def made_from(d, file):
    files = {f['SPDXID']: f for f in d['files']}
    return [files[r['relatedSpdxElement']] for r in d['relationships'] if r['spdxElementId'] == file['SPDXID'] and r['relationshipType'] == 'GENERATED_FROM']
