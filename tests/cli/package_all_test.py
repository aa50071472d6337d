#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian packages beside coffer's own, made of the programs of this build: contents, pages and completion, units, lintian, installed,
upgraded, removed and purged in a folder, a program compiled against libcoffer-dev, and the list of materials (SPDX)."""
import copy, gzip, hashlib, json, os, platform, re, shutil, subprocess, sys, tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
import spdx
from local import Checks

ARCH = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine())
SERVICES = {'coffer-producer': 'coffer-producer.service', 'coffer-host': 'coffer-host.service', 'coffer-local': 'coffer-local.service'}
PACKAGES = [*SERVICES, 'coffer-enclave', 'libcoffer0', 'libcoffer-dev']
EXPOSED = 22  # tenths: what systemd-analyze may find at most of 10.0
check = Checks()


def run(*argv, env=None, timeout=240, cwd=None):
    p = subprocess.run([str(a) for a in argv], capture_output=True, env=env, timeout=timeout, stdin=subprocess.DEVNULL, cwd=cwd)
    return p.returncode, p.stdout.decode(errors='replace'), p.stderr.decode(errors='replace')


def make(folder, version, *packages, more=()):
    only = [x for p in packages for x in ('--only', p)]
    env = dict(os.environ, SOURCE_DATE_EPOCH='1700000000', COFFER_COMMIT='0123456789ab')
    code, out, err = run(SOURCE / 'packaging/package', '--quick', *more, *only, '--programs', BUILD, '--version', version, folder, ARCH, env=env)
    return code == 0, out + err


def contents(folder, root):
    for name in PACKAGES:
        deb = folder / f'{name}_1.0_{ARCH}.deb'
        run('dpkg-deb', '-x', deb, root)
        fields = dict(l.split(': ', 1) for l in run('dpkg-deb', '-f', deb)[1].splitlines() if re.match(r'[A-Z]\S*: ', l))
        check(f'{name}: says what it is', fields.get('Package') == name and fields.get('Architecture') == ARCH and fields.get('Version') == '1.0' and
              fields.get('Source') == 'coffer' and len(fields.get('Description', '')) > 10, fields)
        if name in SERVICES or name == 'libcoffer0':
            check(f'{name}: depends on the libraries it needs', re.search(r'libssl3 \(>= 3', fields.get('Depends', '')) and 'libc6 (>= ' in fields['Depends'], fields)
        if name == 'coffer-enclave':
            check('coffer-enclave: says what is linked in, and depends on nothing', 'Depends' not in fields and
                  all(f'{s} (= ' in fields.get('Built-Using', '') for s in ('openssl', 'glibc', 'libseccomp', 'libpng1.6', 'libjpeg-turbo', 'zlib')), fields)
        owners = {l.split()[1] for l in run('dpkg-deb', '-c', deb)[1].splitlines()}
        doc = root / 'usr/share/doc' / name
        check(f'{name}: all in it is root\'s, with copyright and changelog', owners == {'root/root'} and (doc / 'copyright').exists() and
              b'0123456789ab' in gzip.decompress((doc / 'changelog.gz').read_bytes()), owners)
    for name in (*SERVICES, 'coffer-enclave', 'coffer-imagefacts'):
        exe = next(p for p in (root / f'usr/bin/{name}', root / f'usr/libexec/coffer/{name}') if p.exists())
        code, out, err = run(exe, '--version')
        check(f'{name}: runs', code == 0 and out.startswith(f'{name} ') and not err, out + err)
        page = root / f'usr/share/man/man1/{name}.1.gz'
        check(f'{name}: has its page and its completion', page.exists() and gzip.decompress(page.read_bytes()).decode() == run(exe, '--man')[1] and
              name in (root / f'usr/share/bash-completion/completions/{name}').read_text())
    check('coffer-local: has a page for each verb, and the policies', len(list((root / 'usr/share/man/man1').glob('coffer-local-*.1.gz'))) >= 12 and
          {p.name for p in (root / 'usr/share/coffer/iam').iterdir()} == {p.name for p in (SOURCE / 'deploy/iam').glob('*.json')} and
          (root / 'usr/share/coffer/local/manifest.json').read_bytes() == (SOURCE / 'deploy/local/manifest.json').read_bytes())


def units(root):
    shutil.copy(SOURCE / 'packaging/coffer-watch@.service', root / 'lib/systemd/system/')
    for name in [*SERVICES.values(), 'coffer-watch@.service']:
        unit = root / 'lib/systemd/system' / name
        if not shutil.which('systemd-analyze'):
            check.skip(f'{name}: systemd finds nothing wrong', 'no systemd-analyze')
            continue
        temp = Path(str(unit).replace('@.', '@x.'))
        text = re.sub(r'(ExecStart=)(/\S+)', lambda m: m.group(1) + ('/bin/true' if 'watch' in name else str(root) + m.group(2)), unit.read_text())
        temp.write_text(text)
        code, out, err = run('systemd-analyze', 'verify', '--man=no', temp)
        known = [l for l in (out + err).splitlines() if temp.name.split('@')[0].split('.')[0] in l]
        check(f'{name}: systemd finds nothing wrong', not known, known)
        code, out, err = run('systemd-analyze', 'security', '--offline=true', f'--threshold={EXPOSED}', temp)
        told = re.search(r'exposure level for \S+: (\d+\.\d)', out)
        check(f'{name}: is exposed by at most {EXPOSED / 10} of 10', code == 0 and told and float(told.group(1)) * 10 <= EXPOSED, (told and told.group(0)) or out + err)


def lintian(folder):
    if not shutil.which('lintian'):
        return check.skip('lintian finds nothing', 'no lintian')
    code, out, err = run('lintian', '--allow-root', *sorted(folder.glob('*.deb')))
    check('lintian finds nothing', code == 0 and not [l for l in out.splitlines() if l[:1] in 'EW'], out + err)


class Root:
    """A folder that packages are installed into; their scripts are told by DPKG_ROOT."""

    def __init__(self, folder):
        self.folder = folder
        for part in ('var/lib/dpkg/info', 'var/lib/dpkg/updates', 'etc', 'var/log'):
            (folder / part).mkdir(parents=True)
        for part in ('status', 'available'):
            (folder / f'var/lib/dpkg/{part}').touch()

    def dpkg(self, *argv):
        return run('dpkg', f'--root={self.folder}', '--log=/dev/null', '--force-script-chrootless', '--force-not-root', '--force-depends',
                   '--force-architecture', '--force-confold', '--force-bad-path', *argv, env=dict(os.environ, DEBIAN_FRONTEND='noninteractive'))


def installed(folder, newer, tmp):
    r = Root(tmp / 'installed')
    debs = [folder / f'{n}_1.0_{ARCH}.deb' for n in PACKAGES]
    code, out, err = r.dpkg('--install', *debs)
    names = run('dpkg-query', f'--admindir={r.folder}/var/lib/dpkg', '-W', '-f=${Package} ${db:Status-Status}\n')[1].split('\n')
    check('they install into a folder', code == 0 and sorted(names[:-1]) == sorted(f'{n} installed' for n in PACKAGES), f'{names} {out[-900:]} {err[-900:]}')
    users = (r.folder / 'etc/passwd').read_text() if (r.folder / 'etc/passwd').exists() else ''
    if shutil.which('systemd-sysusers'):
        check('with a user for each service, that cannot log in', all(re.search(rf'^{n}:x?!?\*?:\d+:\d+:[^:]*:/var/lib/{n}:\S*nologin$', users, re.M) for n in SERVICES), users)
    else:
        check.skip('with a user for each service', 'no systemd-sysusers')
    state, conf = r.folder / 'var/lib/coffer-local', r.folder / 'etc/coffer/local.conf'
    state.mkdir(parents=True, exist_ok=True)
    exe = r.folder / 'usr/bin/coffer-local'
    code, out, err = run(exe, 'init', '-d', state / 'data', '-m', r.folder / 'usr/share/coffer/local/manifest.json', *[x for v in holes() for x in ('--set', v)])
    check('coffer-local sets up from the installed manifest', code == 0 and (state / 'data/credentials').is_dir(), err)
    before = {str(p.relative_to(state)): p.read_bytes() for p in state.rglob('*') if p.is_file()}
    conf.write_text('OPTIONS=--listen tcp:127.0.0.1:4567\n')
    code, out, err = r.dpkg('--install', newer / f'coffer-local_2.0_{ARCH}.deb')
    after = {str(p.relative_to(state)): p.read_bytes() for p in state.rglob('*') if p.is_file()}
    check('an upgrade keeps state and a changed conffile', code == 0 and before and before == after and '4567' in conf.read_text() and
          '2.0' in run('dpkg-query', f'--admindir={r.folder}/var/lib/dpkg', '-W', 'coffer-local')[1], err[-900:])
    code, out, err = run(exe, 'check', '-d', state / 'data')
    check('which the new program finds in order', code == 0, out + err)
    code, _, err = r.dpkg('--remove', 'coffer-local')
    check('removal takes the program, and leaves both', code == 0 and not exe.exists() and (state / 'data').is_dir() and conf.exists(), err[-900:])
    for n in ('producer', 'host'):
        (r.folder / f'etc/coffer/{n}.conf').write_text('OPTIONS=\n')
        (r.folder / f'var/lib/coffer-{n}').mkdir(exist_ok=True)
    code, _, err = r.dpkg('--purge', *PACKAGES)
    left = [str(p) for n in SERVICES for p in (r.folder / f'var/lib/{n}', r.folder / 'etc/coffer' / f'{n[7:]}.conf') if p.exists()]
    files = [str(p) for p in (r.folder / 'usr').rglob('*') if p.is_file()] if (r.folder / 'usr').exists() else []
    check('a purge takes all', code == 0 and not left and not files and not (r.folder / 'etc/coffer').exists(), f'{left} {files[:5]} {err[-900:]}')


def holes():
    """Values for the manifest's holes that a set-up by hand gives."""
    return [f'pcr{n}={"ab" * 48}' for n in range(3)]


def compiles(root, tmp):
    (tmp / 'app.c').write_text('#include <coffer.h>\n#include <stdio.h>\nint main(void) { puts(coffer_version()); return 0; }\n')
    library = next(root.glob('usr/lib/*/libcoffer.so')).parent
    env = dict(os.environ, PKG_CONFIG_PATH=str(library / 'pkgconfig'), PKG_CONFIG_SYSROOT_DIR=str(root))
    if 'coffer_version' not in (SOURCE / 'include/coffer.h').read_text():
        shutil.copy(next((SOURCE / 'examples').glob('*.c')), tmp / 'app.c')
    code, flags, err = run('pkg-config', '--cflags', '--libs', 'coffer', env=env)
    code2, _, err2 = run(os.environ.get('CC', 'cc').split()[-1], tmp / 'app.c', '-o', tmp / 'app', *flags.split(), f'-Wl,-rpath-link={library}')
    out = run('readelf', '-d', tmp / 'app')[1] if code2 == 0 else ''
    check('a program compiles against libcoffer-dev, and names the library by its soname', code == code2 == 0 and 'libcoffer.so.0' in out, err + err2)


def materials(folder):
    file = next(folder.glob('*.spdx.json'))
    d = json.loads(file.read_text())
    wrong = spdx.faults(d)
    check('the list of materials is SPDX 2.3', not wrong, wrong[:10])
    for change, what in ((lambda x: x['packages'][0].pop('versionInfo'), 'a package without a version'), (lambda x: x['files'][0]['checksums'][0].update(checksumValue='0'), 'a short sum'),
                         (lambda x: x['relationships'][0].update(relatedSpdxElement='SPDXRef-x'), 'a relationship to nothing'),
                         (lambda x: next(f for f in x['files'] if f['fileTypes'] == ['BINARY'])['checksums'][0].update(checksumValue='0' * 40), 'an altered program')):
        altered = copy.deepcopy(d)
        change(altered)
        check(f'and {what} would be seen', spdx.faults(altered))
    packages = {p['name']: p for p in d['packages']}
    check('it describes every package, by its bytes', all(hashlib.sha256((folder / packages[n]['packageFileName']).read_bytes()).hexdigest() ==
          packages[n]['checksums'][1]['checksumValue'] for n in PACKAGES))
    check('what is linked has version and licence', all(p['licenseDeclared'] != 'NOASSERTION' and p['versionInfo'] ==
          run('dpkg-query', '-W', '-f=${Version}', f'{n}:{ARCH}')[1] for n, p in packages.items() if n not in PACKAGES))
    files = {f['fileName']: f for f in d['files']}
    enclave, host = files['./usr/libexec/coffer/coffer-enclave'], files['./usr/bin/coffer-host']
    check('the enclave\'s static libraries are told', {'libc6-dev', 'libssl-dev', 'libjansson-dev', 'libexpat1-dev', 'libseccomp-dev'} <=
          spdx.linked(d, enclave, 'STATIC_LINK') and not spdx.linked(d, enclave, 'DYNAMIC_LINK'), spdx.linked(d, enclave, 'STATIC_LINK'))
    check('and no others', 'libsqlite3-dev' not in spdx.linked(d, enclave, 'STATIC_LINK') and 'libpng-dev' not in spdx.linked(d, enclave, 'STATIC_LINK'))
    check('the host\'s shared ones', {'libc6', 'libssl3', 'libjansson4'} <= spdx.linked(d, host, 'DYNAMIC_LINK'), spdx.linked(d, host, 'DYNAMIC_LINK'))
    sources = [s for f in (enclave, host) for s in spdx.made_from(d, f)]
    names = {s['fileName'] for s in sources}
    check('sources are told with the sums that they have', {'./src/prog/coffer-enclave/work.c', './src/engine/attest_verify.h', './src/prog/coffer-host/tunnel.c'} <= names and
          all(hashlib.sha256((SOURCE / s['fileName']).read_bytes()).hexdigest() == s['checksums'][1]['checksumValue'] for s in sources), len(names))
    check('those that went in alone', not any(n.startswith(('./src/standin', './src/prog/coffer-local')) for n in {s['fileName'] for s in spdx.made_from(d, enclave)}))
    if shutil.which('pyspdxtools'):
        code, out, err = run('pyspdxtools', '-i', file)
        check('pyspdxtools finds it valid', code == 0, out + err)
    else:
        check.skip('pyspdxtools finds it valid', 'no pyspdxtools')
    return file.read_bytes()


def objects_do_not_tell_where_they_were_made(tmp):
    """A layer compiled in two folders, one of them deeper. All of it is ./do reproduce."""
    made = []
    for folder in (tmp / 'here', tmp / 'some/where/else'):
        code, out, err = run('meson', 'setup', folder, SOURCE, '-Dpackage=true', '-Dtests=false', '-Doptimization=2', '--prefix=/usr')
        code2, out2, err2 = run('ninja', '-C', folder, 'src/libcoffer_base.a')
        made.append({p.name: p.read_bytes() for p in (folder / 'src/libcoffer_base.a.p').glob('*.o')} if code == code2 == 0 else out + err + out2 + err2)
    check('compiled in two folders, objects are the same bytes', made[0] == made[1] and len(made[0]) > 8 and not any(str(tmp).encode() in b for b in made[0].values()), made[0] if isinstance(made[0], str) else '')


def main():
    lacking = [t for t in ('dpkg-deb', 'dpkg-shlibdeps', 'ninja', 'fold') if not shutil.which(t)]
    if ARCH is None or lacking:
        print(f'1..0 # SKIP no Debian of a known architecture, or no {" ".join(lacking)}')
        return 0
    if 'sanitize=' in (BUILD / 'build.ninja').read_text() or not (BUILD / 'src/lib/libcoffer.so.0.1.0').exists():
        print('1..0 # SKIP packages are made of an ordinary build')
        return 0
    with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
        tmp = Path(tmp)
        ok, said = make(tmp / 'one', '1.0', *PACKAGES)
        check('packages are made', ok, said)
        if ok:
            root = tmp / 'root'
            contents(tmp / 'one', root)
            units(root)
            objects_do_not_tell_where_they_were_made(tmp)
            lintian(tmp / 'one')
            compiles(root, tmp)
            text = materials(tmp / 'one')
            ok, said = make(tmp / 'newer', '2.0', 'coffer-local', more=['--no-materials'])
            check('a newer one is made', ok, said)
            installed(tmp / 'one', tmp / 'newer', tmp)
            first = {p.name: p.read_bytes() for p in (tmp / 'one').glob('coffer-producer_*.deb')}
            make(tmp / 'again', '1.0', 'coffer-producer', more=['--no-materials'])
            code, out, _ = run(SOURCE / 'packaging/reproduce', '--compare', tmp / 'again', tmp / 'one')
            check('the comparison of two builds tells what is the same, and what is not there', code == 1 and f'the same: coffer-producer_1.0_{ARCH}.deb' in out and
                  f'only in one of them: coffer-host_1.0_{ARCH}.deb' in out and f'differs: SHA256SUMS' in out, out)
            check('made once more elsewhere, a package is the same bytes', first and first == {p.name: p.read_bytes() for p in (tmp / 'again').glob('*.deb')})
    return check.done()


sys.exit(main())
