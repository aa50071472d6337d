#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents tell people to type is there: each `coffer ...` command line in README and docs names verbs and options that --help
knows, each `./do VERB` and each linked file exists, and the blocks that need nothing but this machine are run as they stand."""
import os, re, shlex, subprocess, sys, tempfile
from pathlib import Path

SOURCE, BUILD = Path(os.environ['COFFER_SOURCE']), Path(os.environ['COFFER_BUILD'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks

PROGRAMS = ('coffer', 'coffer-local', 'coffer-producer', 'coffer-host', 'coffer-enclave', 'coffer-imagefacts')
PAGES = [SOURCE / 'README.md', SOURCE / 'ARCHITECTURE.md', SOURCE / 'SECURITY.md', *sorted((SOURCE / 'docs').rglob('*.md')), *sorted((SOURCE / 'deploy').rglob('*.md'))]
check = Checks()


def help_of(words, cache={}):
    if words not in cache:
        p = subprocess.run([BUILD / 'src/prog' / words[0] / words[0], *words[1:], '--help'], capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
        cache[words] = p.stdout.decode() if p.returncode == 0 else ''
    return cache[words]


def verbs(program):
    return set(re.findall(r'^  ([a-z]+(?: [a-z]+)?)  +\S', help_of((program,)), re.M)) if program in ('coffer', 'coffer-local') else set()


def code(text):
    """-> [(line number, code)]: fenced lines, continued ones joined, and inline spans, which may go over a line's end"""
    found, prose, fenced, pending, at = [], [], False, '', 0
    for n, line in enumerate(text.splitlines(), 1):
        if line.startswith('```'):
            fenced = not fenced
            prose.append('')
        elif fenced:
            prose.append('')
            at = at if pending else n
            pending += line.rstrip('\\') + ' ' if line.endswith('\\') else line
            if not line.endswith('\\'):
                found.append((at, pending))
                pending = ''
        else:
            prose.append(line)
    joined = '\n'.join(prose)
    for m in re.finditer(r'`([^`]+)`', joined):
        found.append((joined.count('\n', 0, m.start()) + 1, m.group(1).replace('\n', ' ')))
    return found


def commands(line):
    """-> [[word]]: what of a line of code begins with one of our programs"""
    line = re.sub(r'\s#\s.*', '', line)
    for part in re.split(r'\|\||&&|[;|&]|\$\(', line):
        try:
            words = shlex.split(part.replace('[', '').replace(']', ''))
        except ValueError:
            words = part.split()
        while words and (re.fullmatch(r'[A-Z_]+=\S*', words[0]) or words[0] in ('sudo', 'eval', 'runuser', '$')):
            words.pop(0)
        if words and words[0].rpartition('/')[2] in PROGRAMS:
            yield [words[0].rpartition('/')[2], *words[1:]]


def wrong(words):
    """Why a command line is not one, or ''."""
    program, rest = words[0], [w.rstrip('.,:)"\'') for w in words[1:]]
    known = verbs(program)
    said, verb = [], (program,)
    for w in rest:
        if not known or w.startswith('-') or not re.fullmatch(r'[a-z]+', w) or len(said) == 2 or (said and not any(k == ' '.join([*said, w]) for k in known)):
            break
        said.append(w)
    if known and said:
        name = ' '.join(said)
        if name not in known and not any(k.startswith(name + ' ') for k in known):
            return f'{program} has no verb "{name}"'
        verb = (program, *said)
        if name not in known:
            return ''  # `coffer eif`: a family of verbs
    options = [w.partition('=')[0] for w in rest if re.fullmatch(r'--?[A-Za-z][A-Za-z0-9-]*(=.*)?', w)]
    text = help_of(verb)
    for o in options:
        letter = len(o) == 2
        if o in ('--help', '--version', '--man', '--completion', '-h') or (o.startswith('--') and re.search(rf'^ .*{o}(?![a-z0-9-])', text, re.M)):
            continue
        if not (letter and re.search(rf'^  {o},', text, re.M)):
            return f'{" ".join(verb)} has no {o}'
    return ''


def check_page(page):
    text, name = page.read_text(), page.relative_to(SOURCE)
    faults = [f'line {n}: {why}' for n, line in code(text) for words in commands(line) if (why := wrong(words))]
    check(f'{name}: its command lines are there', not faults, '\n'.join(faults))
    do = (SOURCE / 'do').read_text()
    faults = [f'line {n}: {m}' for n, line in code(text) for m in re.findall(r'\./do ([a-z-]+)', line) if not re.search(rf'^{m}(\)| \|)', do, re.M)]
    check(f'{name}: each ./do VERB is there', not faults, '\n'.join(faults))
    links = [l for l in re.findall(r'\]\(([^)#\s]+)', text) if not re.match(r'[a-z]+:', l)]
    check(f'{name}: what it links to exists', not (gone := [l for l in links if not (page.parent / l).exists()]), gone)


def block(page, holding):
    """The fenced block of a page that has the given words in it."""
    return next(b for b in re.findall(r'^```\w*\n(.*?)^```', page.read_text(), re.S | re.M) if holding in b)


def shell(text, cwd, **env):
    path = ':'.join(str(BUILD / 'src/prog' / p) for p in PROGRAMS) + ':' + os.environ['PATH']
    p = subprocess.run(['sh', '-eu', '-c', text], capture_output=True, cwd=cwd, timeout=120, stdin=subprocess.DEVNULL, env={**os.environ, 'PATH': path, **env})
    return p.returncode, p.stdout.decode(errors='replace') + p.stderr.decode(errors='replace')


def run_blocks(tmp):
    (tmp / 'photo.jpg').write_bytes(os.urandom(20_000))
    code, said = shell(block(SOURCE / 'README.md', 'photo.sealed').replace('build/src/prog/coffer/coffer', 'coffer'), tmp)
    check('README: what it says to seal and open a file does', code == 0 and (tmp / 'back.jpg').read_bytes() == (tmp / 'photo.jpg').read_bytes(), said)
    text = block(SOURCE / 'docs/OPERATIONS.md', 'coffer-local backup').replace('/srv/backup', str(tmp / 'backup')).replace('/var/lib/coffer-local', str(tmp / 'state'))
    (tmp / 'backup').mkdir()
    code, said = shell(f'coffer-local init -d {tmp}/state/data -m {SOURCE}/deploy/local/manifest.json' + ''.join(f' --set pcr{n}={"ab" * 48}' for n in range(3)) + '\n' + text, tmp) \
        if (tmp / 'state').mkdir() is None else (1, '')
    check('OPERATIONS: what it says to back up and check does', code == 0 and (tmp / 'backup/today').is_dir(), said)
    code, said = shell(f'cd {SOURCE} && python3 bench/cost.py', tmp)
    check('OPERATIONS: the costs are computed by what it names', code == 0 and all(l in (SOURCE / 'docs/OPERATIONS.md').read_text() for l in said.splitlines()), said)


def itself():
    for text, says in (('coffer put --moon a b', 'coffer put has no --moon'), ('coffer fly', 'no verb "fly"'), ('coffer attest verify x --pcr 0=ab', ''), ('coffer eif', ''),
                       ('coffer-local serve --listen x', ''), ('coffer-local serve -Q', 'has no -Q'), ('A=b coffer ls | coffer cat', 'no verb "cat"')):
        got = [why for words in commands(text) if (why := wrong(words))]
        check(f'the check itself: {text}', got == [] if not says else len(got) == 1 and says in got[0], got)


def main():
    for page in PAGES:
        check_page(page)
    itself()
    with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
        run_blocks(Path(tmp))
    return check.done()


sys.exit(main())
