#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every program and verb tells how it is used: --help, --version, a manual page that groff takes without a warning, a wrong option
named in one line, and completion in three shells."""
import os, re, shutil, subprocess, tempfile
from pathlib import Path

PROG = Path(os.environ['COFFER_BUILD']) / 'src/prog'
SOURCE = Path(os.environ['COFFER_SOURCE'])
PROGRAMS = ('coffer', 'coffer-local', 'coffer-producer', 'coffer-host', 'coffer-enclave', 'coffer-imagefacts')
results = []


def run(*argv, stdin=b''):
    p = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, timeout=20)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def commands():
    for name, many in ((n, n in ('coffer', 'coffer-local')) for n in PROGRAMS):
        exe = PROG / name / name
        if not many:
            yield name, [exe]
            continue
        code, out, _ = run(exe, '--help')
        for line in out.splitlines():
            verb = re.match(r'^  ([a-z]+(?: [a-z]+)?)  +\S', line)
            if verb:
                yield f'{name} {verb.group(1)}', [exe, *verb.group(1).split()]


def check(name, ok, detail=''):
    results.append((name, bool(ok), str(detail)))


def verbs_of(name):
    return [n.split(' ', 1)[1] for n, _ in commands() if n.startswith(name + ' ')]


def documents():
    """What packaging/documents makes of the programs: each verb has its page, and is completed."""
    with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
        code, _, err = run(SOURCE / 'packaging/documents', PROG, tmp)
        check('pages and completion are made', code == 0 and not err, err)
        want = {f'{n}{"-" if v else ""}{v.replace(" ", "-")}.1' for n in PROGRAMS for v in ['', *verbs_of(n)]}
        there = {p.name for p in (Path(tmp) / 'man/man1').iterdir()}
        check('each program and verb has a page, and nothing else has', there == want and len(want) > 35, there ^ want)
        pages = {p.name: p.read_text() for p in (Path(tmp) / 'man/man1').iterdir()}
        check('a program\'s page lists its verbs', all(f'\n.TP\n.B {v}\n' in pages[f'{n}.1'] for n in ('coffer', 'coffer-local') for v in verbs_of(n)))
        for shell in ('bash', 'zsh', 'fish'):
            if not shutil.which(shell):
                results.append((f'{shell} completes # SKIP no {shell}', True, ''))
                continue
            files = [f for f in sorted(Path(tmp).rglob('*')) if f.is_file() and shell in str(f.relative_to(tmp)).split('-')[0].split('/')[0]]
            wrong = [f'{f.name}: {err}' for f in files for code, _, err in [run(shell, '-n', f)] if code != 0 or err]
            check(f'{shell} takes what it is given', len(files) >= 4 and not wrong, wrong)
        if shutil.which('bash'):
            bash_completes(Path(tmp) / 'bash-completion/completions')
        if shutil.which('fish'):
            file = Path(tmp) / 'fish/vendor_completions.d/coffer.fish'
            ask = lambda words: {l.split('\t')[0] for l in run('fish', '--no-config', '-c', f'source {file}; complete -C "{words}"')[1].splitlines()}
            check('fish completes verbs, second words and options', 'roundtrip' in ask('coffer ro') and 'verify' in ask('coffer attest v')
                  and '--checksum-algorithm' in ask('coffer put --checksum'), f'{ask("coffer ro")} {ask("coffer attest v")}')


def bash_completes(folder):
    def complete(*words):
        name = '_' + words[0].replace('-', '_')
        script = (f'source {folder}/{words[0]}; COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; {name}; echo "${{COMPREPLY[@]}}"')
        return run('bash', '-c', script)[1].split()
    check('bash completes verbs', complete('coffer', 'ro') == ['roundtrip'] and complete('coffer', 'att') == ['attest'])
    check('and second words', complete('coffer', 'attest', '""') == ['verify'], complete('coffer', 'attest', '""'))
    check('and options', complete('coffer', 'put', '--checksum') == ['--checksum-algorithm']
          and '--pcr' in complete('coffer', 'attest', 'verify', '--p'), complete('coffer', 'attest', 'verify', '--p'))
    wrong = []
    for name, argv in commands():
        words = name.split(' ')
        options = set(re.findall(r'(--[a-z0-9-]+)', '\n'.join(l[:34] for l in run(*argv, '--help')[1].split('options:')[1].splitlines())))
        if words[0] in ('coffer-enclave', 'coffer-imagefacts'):
            continue # these have a list of words
        for n in range(1, len(words)):
            wrong += [f'{name}: verb'] if words[n] not in complete(*words[:n], words[n][:2]) else []
        wrong += [f'{name}: {options - set(complete(*words, "--"))}'] if not options <= set(complete(*words, '--')) or not options else []
    check('bash completes every verb and every option of every program', not wrong, wrong)


def main():
    for name, argv in commands():
        code, out, err = run(*argv, '--help')
        good = code == 0 and out.startswith('usage: ') and not err
        code, out, err = run(*argv, '--version')
        good = good and code == 0 and out.startswith(f'{name.split(" ")[0]} ') and 'TLS:' in out and 'compiler:' in out and not err
        code, out, err = run(*argv, '--no-such-option')
        good = good and code == 2 and '--no-such-option' in err and err.count('\n') <= 2 and not out
        code, page, err = run(*argv, '--man')
        good = good and code == 0 and page.startswith('.TH ') and '.SH OPTIONS' in page
        if shutil.which('groff'):
            code, _, err = run('groff', '-man', '-Tutf8', '-ww', stdin=page.encode())
            good = good and code == 0 and not err
        results.append((f'{name}: help, version, manual page, wrong option', good, err))
    for name in ('coffer', 'coffer-local'):
        code, out, err = run(PROG / name / name, '--version')
        check(f'{name} --version tells what it was built from', code == 0 and not err and re.fullmatch(
            rf'{name} \d+\.\d+\.\d+\ncommit:   .+\nmachine:  \w+\ncompiler: (gcc|clang) .+\nTLS:      OpenSSL 3\..+\nfeatures: .+\n', out), out + err)
        code, _, err = run(PROG / name / name, '--completion=tcsh')
        check(f'{name} names the shells it knows', code == 2 and 'fish' in err and err.count('\n') == 1, err)
    documents()
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print(f'# {detail[:300]}')


main()
