#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer put, get, ls, rm, roundtrip, presign and keygen against coffer-local: every mode and size, folders and pipes, going on
after kill -9, bad input; and boto3 reading what was written, and the reverse, where it is there."""
import json, os, random, signal, ssl, subprocess, sys, time, urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import COFFER, KEY, LOCAL
from room import MIB, Room, boto3, check, client


def modes_and_sizes(r):
    modes = {'none': [], 'default': ['-e', 'default'], 'sse-s3': ['-e', 'sse-s3'], 'KMS': ['-e', 'KMS', '--kms-key-id', KEY],
             'sse-kms': ['-e', 'sse-kms', '--kms-key-id', KEY, '--kms-context', 'camera=7', '--bucket-key'],
             'sse-c': ['-e', 'sse-c', '--key-file', r.key], 'SSE_C': ['-e', 'SSE_C', '--key-command', f'cat {r.key}']}
    said = {'none': 'sse-s3', 'default': 'sse-s3', 'KMS': 'sse-kms', 'SSE_C': 'sse-c'}
    for mode, options in modes.items():
        mine = options[:2] + (options[2:] if 'kms' not in mode.lower() else []) if options else []
        for size in (0, 1, 100_000, MIB, MIB + 1, 8 * MIB, 8 * MIB + 1, 29 * MIB + 1):
            path = r.tmp / 'file'
            data = r.big.read_bytes()[:size]
            path.write_bytes(data)
            code, out, err = r.run('put', path, f's3://c-keys/{mode}/{size}', *options, '--json')
            sent = json.loads(out) if code == 0 else {}
            ok = code == 0 and sent['encryption'] == said.get(mode, mode) and sent['bytes'] == size
            code, out, err2 = r.run('get', f's3://c-keys/{mode}/{size}', 'back', *mine, '--json')
            got = json.loads(out) if code == 0 else {}
            ok = ok and code == 0 and (r.tmp / 'back').read_bytes() == data and got['checked'] == 'CRC64NVME'
            check(f'{mode}, {size} bytes, there and back', ok, err + err2)
            (r.tmp / 'back').unlink(missing_ok=True)


def other_sources(r):
    code, out, err = r.run('keygen', 'made')
    st = os.stat(r.tmp / 'made')
    check('keygen makes 32 bytes for the owner alone', code == 0 and st.st_size == 32 and st.st_mode & 0o777 == 0o600, err)
    r.fails('keygen replaces nothing', 1, 'is there already', 'keygen', 'made')
    fd = os.open(r.key, os.O_RDONLY)
    p = subprocess.run([COFFER, 'put', r.big, 's3://c-keys/fd', '-e', 'sse-c', '--key-fd', str(fd)], env=r.s.env(), pass_fds=[fd],
                       capture_output=True)
    os.close(fd)
    check('a key from a descriptor', p.returncode == 0, p.stderr)
    for umask, want in ((0o022, 0o644), (0o077, 0o600)):
        for source in (r.write('few', b'few'), r.big): # the large one in ranges that are kept meanwhile
            back = r.tmp / f'as-{umask:o}'
            p = [subprocess.run([COFFER, *argv], env=r.s.env(), capture_output=True, umask=umask)
                 for argv in (['put', source, 's3://bkt/masked'], ['get', 's3://bkt/masked', back])]
            check(f'umask {umask:03o} holds for what is fetched, {source.name}',
                  all(x.returncode == 0 for x in p) and back.stat().st_mode & 0o777 == want, p[0].stderr + p[1].stderr)
            back.unlink(missing_ok=True)
    data = r.big.read_bytes()
    for size in (0, 5, 8 * MIB, 20 * MIB):
        code, out, err = r.run('put', '-', f's3://bkt/pipe{size}', stdin=data[:size])
        code2, got, err2 = r.run('get', f's3://bkt/pipe{size}', '-')
        check(f'a pipe of {size} bytes to a pipe', code == 0 and code2 == 0 and got == data[:size], err + err2)
    slow = subprocess.Popen([COFFER, 'put', '-', 's3://bkt/slow'], env=r.s.env(), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdout=subprocess.DEVNULL)
    for i in range(5):
        slow.stdin.write(data[i * MIB * 4:(i + 1) * MIB * 4])
        slow.stdin.flush()
        time.sleep(0.1)
    slow.stdin.close()
    err = slow.stderr.read()
    check('a slow pipe', slow.wait() == 0 and r.run('get', 's3://bkt/slow', '-')[1] == data[:20 * MIB], err)
    began = time.monotonic()
    code, out, err = r.run('put', r.write('rated', data[:3 * MIB]), 's3://bkt/rated', '--limit-rate', '3M')
    up = time.monotonic() - began
    code2, out, err2 = r.run('get', 's3://bkt/rated', 'rated-back', '--limit-rate', '3M')
    down = time.monotonic() - began - up
    check('--limit-rate limits both ways', code == 0 and code2 == 0 and (r.tmp / 'rated-back').read_bytes() == data[:3 * MIB] and up > 0.8 and down > 0.8,
          f'{up} s, {down} s {err}{err2}')
    code, out, err = r.run('roundtrip', r.big, 's3://bkt/rt/', '-e', 'sse-s3', '--json', '--remove')
    check('roundtrip says that it is the same', code == 0 and json.loads(out)['same'] is True, err)
    check('and removes', r.run('get', 's3://bkt/rt/big', '-')[0] == 1)
    code, out, err = r.run('presign', 's3://bkt/pipe5', '--expires', '5m')
    tls = ssl.create_default_context(cafile=r.s.env()['AWS_CA_BUNDLE'])
    check('a presigned URL gets', urllib.request.urlopen(out.decode().strip(), context=tls).read() == data[:5], err)
    url = r.run('presign', 's3://bkt/by-url', '-X', 'PUT')[1].decode().strip()
    urllib.request.urlopen(urllib.request.Request(url, b'hello', method='PUT'), context=tls)
    check('a presigned URL puts', r.run('get', 's3://bkt/by-url', '-')[1] == b'hello')


def folders(r):
    tree = {f'a/b/{i}.jpg': os.urandom(2000 + i) for i in range(40)} | {'a/x y+%ä.txt': b'text', 'top': b''}
    for name, data in tree.items():
        (r.tmp / 'tree' / name).parent.mkdir(parents=True, exist_ok=True)
        (r.tmp / 'tree' / name).write_bytes(data)
    code, out, err = r.run('put', '-r', 'tree', 's3://bkt-v/t/', '--json')
    check('a folder goes up', code == 0 and len(out.splitlines()) == len(tree), err)
    code, out, err = r.run('get', '-r', 's3://bkt-v/t', 'down')
    got = {str(p.relative_to(r.tmp / 'down')): p.read_bytes() for p in (r.tmp / 'down').rglob('*') if p.is_file()}
    check('and comes down', code == 0 and got == tree, err)
    code, out, err = r.run('put', '-r', 'tree', 's3://bkt/u/', '--include', '*.jpg', '--exclude', '*1.jpg', '-n')
    names = [line for line in out.decode().splitlines()]
    check('--include, --exclude and --dry-run', code == 0 and len(names) == 36 and r.run('ls', 's3://bkt/u/')[0] == 1, out)
    code, out, err = r.run('put', '-r', 'tree', 's3://bkt/u/', '--exclude', '*', '--include', '*.jpg')
    check('filters that leave nothing say so', code == 0 and 'leave nothing' in err and r.run('ls', 's3://bkt/u/')[0] == 1, err)
    code, out, err = r.run('get', 's3://bkt-v/t/a/b/1*.jpg', 'ones/')
    check('a glob in S3', code == 0 and len(list((r.tmp / 'ones').iterdir())) == 11, err)
    code, out, err = r.run('put', 'tree/a/b/2*.jpg', 's3://bkt/globbed/')
    check('a glob here', code == 0 and len(out.splitlines()) == 11, err)
    levels = [json.loads(x) for x in r.run('ls', 's3://bkt-v/t/', '--json')[1].splitlines()]
    check('ls shows one level', sorted(x.get('key', x.get('prefix')) for x in levels) == ['t/a/', 't/top'], levels)
    all_keys = [json.loads(x)['key'] for x in r.run('ls', '-r', 's3://bkt-v/t/', '--json')[1].splitlines()]
    check('ls --recursive shows all', sorted(all_keys) == sorted('t/' + n for n in tree))
    check('ls shows buckets', {json.loads(x)['bucket'] for x in r.run('ls', '--json')[1].splitlines()} == {'bkt', 'bkt-v', 'c-keys'})
    code, out, err = r.run('rm', 's3://bkt-v/t/top')
    versions = [json.loads(x) for x in r.run('ls', '--versions', 's3://bkt-v/t/top', '--json')[1].splitlines()]
    check('rm leaves a version', code == 0 and [v['is_delete_marker'] for v in versions] == [True, False], versions)
    code, out, err = r.run('get', 's3://bkt-v/t/top', 'old', '--version-id', versions[1]['version_id'])
    check('which get brings back', code == 0 and (r.tmp / 'old').exists(), err)
    code, out, err = r.run('rm', '-r', 's3://bkt-v/t/')
    check('rm --recursive', code == 0 and r.run('ls', '-r', 's3://bkt-v/t/')[0] == 1, err)


def odd_names(r):
    """Names that a terminal or a shell would act on; links; what is said is said whole or is an error."""
    odd = r.tmp / 'odd'
    odd.mkdir()
    for name in ('new\nline', '-dash', 'esc\x1b[31m', 'ä ö%20?*'):
        (odd / name).write_text(name)
    (odd / 'folder').symlink_to(r.tmp / 'tree')
    os.mkfifo(odd / 'fifo')
    code, out, err = r.run('put', '-r', 'odd', 's3://bkt/odd/')
    shown = b'esc\\x1b[31m' in out and b'new\\x0aline' in out and b'\x1b' not in out and len(out.splitlines()) == 4
    check('control characters of names do not reach the terminal; what is left out is told', code == 0 and shown and err.count('left out') == 2, f'{err}{out}')
    for argv, verb in ((('put', '-r', 'odd', 's3://bkt/odd/'), 'send'), (('rm', '-r', 's3://bkt/odd/'), 'delete')):
        plain, lines = r.run(*argv, '-n'), r.run(*argv, '-n', '--json')[1].splitlines()
        check(f'what would be done, as text and JSON: {argv[0]}', b'\x1b' not in plain[1] and plain[1].count(b'would ' + verb.encode()) == 4 and
              len([json.loads(x)[f'would_{verb}'] for x in lines]) == 4, f'{plain}{lines}')
    code, got, err = r.run('get', 's3://bkt/odd/ä ö%20?*', '-')
    check('an object that has wildcards in its name is taken by it', code == 0 and got.decode() == 'ä ö%20?*', err)
    for name in ('w?', 'wx'):
        r.run('put', '-', f's3://bkt/wild/{name}', stdin=b'x')
    code, out, err = r.run('rm', 's3://bkt/wild/w?')
    check('and no other by its name', code == 0 and [json.loads(x)['key'] for x in r.run('ls', 's3://bkt/wild/', '--json')[1].splitlines()] == ['wild/wx'], f'{out}{err}')
    code, out, err = r.run('get', '-r', 's3://bkt/odd/', 'o', '-n', '--json')
    check('of a download where to, and what cannot be', code == 1 and [json.loads(x) for x in out.splitlines()] == [
        {'would_fetch': f's3://bkt/odd/{n}', 'to': f'o/{n}'} for n in ('-dash', 'ä ö%20?*')] and 'name the file' in err, f'{err}{out}')
    for argv in (('ls', 's3://bkt'), ('put', '-q', '--json', odd / '-dash', 's3://bkt/full'), ('put', '--help'), ('--version',)):
        with open('/dev/full', 'wb') as full:
            p = subprocess.run([COFFER, *argv], env=r.s.env(), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE)
        check(f'an answer that a full disk swallows is an error: {argv[0]}', p.returncode == 1 and b'No space left' in p.stderr, p.stderr)
    r.run('put', '-', 's3://bkt/closed', stdin=b'before')
    shell = lambda line: subprocess.run(['sh', '-c', line, 'sh', str(COFFER)], env=r.s.env(), cwd=r.tmp, stdin=subprocess.DEVNULL, capture_output=True)
    p, q = shell('exec "$1" put - s3://bkt/closed <&-'), shell('exec "$1" get s3://bkt/closed - >&-')
    check('a closed standard input is no empty file, a closed output takes nothing', p.returncode == q.returncode == 1 and
          r.run('get', 's3://bkt/closed', '-')[1] == b'before', f'{p}{q}')
    r.run('put', r.big, 's3://bkt/limited', '-q')
    code, out, err = r.run('put', r.big, 's3://bkt/limited', COFFER_STATE_DIR='/proc/nowhere')
    check('a large file is sent although nothing can be noted, and that is told', code == 0 and 'begins anew' in err and '/proc' in err, err)
    r.fails('a prefix with nothing below it', 1, 'nothing is there', 'get', '-r', 's3://bkt/no-such-prefix', 'none')
    p = shell('ulimit -f 1000; exec "$1" get s3://bkt/limited limited')
    check('a limit of the file size is an error in words', p.returncode == 1 and b'File too large' in p.stderr and not (r.tmp / 'limited').exists(), p)
    for kept in r.tmp.glob(".coffer-limited*"):
        kept.unlink()
    r.fails('a letter that is no option', 2, 'unknown option -z', 'put', '-qz', 'x', 's3://bkt/')
    r.run('put', '-', 's3://c-keys/hint', '-e', 'sse-c', '--key-file', r.key, stdin=b'x')
    code, out, err = r.run('get', 's3://c-keys/hint', 'x')
    check('an object under a customer key says so', code == 1 and '--key-file' in err and not (r.tmp / 'x').exists(), err)


def sealed(r):
    ring, other, data = f'raw-aes:n:k:{r.key}', f'raw-aes:n:k:{r.write("other", os.urandom(32))}', r.big.read_bytes()
    for size in (0, 1, 100_000, 8 * MIB, 29 * MIB + 1):
        path = r.write('plain', data[:size])
        code, out, err = r.run('put', path, f's3://c-keys/sealed/{size}', '--seal', ring, '-c', 'camera=7', '-e', 'sse-c', '--key-file', r.key)
        got = r.run('get', f's3://c-keys/sealed/{size}', '-', '-e', 'sse-c', '--key-file', r.key)[1]
        ok = code == 0 and (size < 100 or data[:100] not in got) and b'camera' in got
        code, out, err2 = r.run('get', f's3://c-keys/sealed/{size}', 'open', '-e', 'sse-c', '--key-file', r.key, '--open', ring, '-c', 'camera=7')
        code2, piped, err3 = r.run('get', f's3://c-keys/sealed/{size}', '-', '-e', 'sse-c', '--key-file', r.key, '--open', ring)
        check(f'{size} bytes sealed here, opened to a file and to a pipe', ok and code == 0 and code2 == 0 and piped == data[:size]
              and (r.tmp / 'open').read_bytes() == data[:size], err + err2 + err3)
        (r.tmp / 'open').unlink(missing_ok=True)
    code, out, err = r.run('put', '-', 's3://bkt/sealed-pipe', '--seal', ring, stdin=data)
    opened = subprocess.run([COFFER, 'decrypt', '-', '-k', ring], input=r.run('get', 's3://bkt/sealed-pipe', '-')[1], capture_output=True)
    check('a pipe sealed; coffer decrypt opens it', opened.stdout == data, err)
    code, out, err = r.run('put', r.big, 's3://bkt/sealed-kms', '--seal', f'kms:{KEY}')
    code2, out, err2 = r.run('get', 's3://bkt/sealed-kms', 'open', '--open', f'kms:{KEY}')
    check('under a KMS key', code == 0 and code2 == 0 and (r.tmp / 'open').read_bytes() == data, err + err2)
    r.write('old', b'precious')
    r.run('put', r.big, 's3://bkt/not-sealed')
    r.fails('another key opens nothing', 3, 'none of the keyrings', 'get', 's3://bkt/sealed-pipe', 'old', '--open', other)
    r.fails('another context opens nothing', 3, 'lacks camera=8', 'get', 's3://bkt/sealed-pipe', 'old', '--open', ring, '-c', 'camera=8')
    r.fails('what was not sealed is no message', 1, 'not a whole', 'get', 's3://bkt/not-sealed', 'old', '--open', ring)
    r.fails('context without a seal', 2, '--seal', 'put', r.key, 's3://bkt/x', '-c', 'a=b')
    check('nothing was overwritten or left', (r.tmp / 'old').read_bytes() == b'precious'
          and not [p.name for p in r.tmp.iterdir() if p.name.startswith('.coffer')])


def killed(r):
    data, sent, kept = r.big.read_bytes(), 0, 0
    for i in range(60):
        p = subprocess.Popen([COFFER, 'put', r.big, 's3://bkt/killed', '-q'], env=r.s.env(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.002, 0.09))
        p.send_signal(signal.SIGKILL)
        p.wait()
    code, out, err = r.run('put', r.big, 's3://bkt/killed', '--json')
    check('60 times kill -9 while sending: the next run goes on', code == 0 and r.run('get', 's3://bkt/killed', '-')[1] == data, err)
    check('and leaves no state', not list((r.s.tmp / 'state').iterdir()))
    p = subprocess.Popen([COFFER, 'put', r.big, 's3://bkt/half', '-q', '-j', '2', '--limit-rate', '25M'], env=r.s.env())
    time.sleep(0.95)
    p.kill()
    p.wait()
    code, out, err = r.run('put', r.big, 's3://bkt/half', '--json')
    check('finished parts are not sent again', code == 0 and json.loads(out).get('resumed_bytes', 0) >= 16 * MIB, out.decode() + err)
    p = subprocess.Popen([COFFER, 'put', r.big, 's3://bkt/changed', '-q', '-j', '2', '--limit-rate', '25M'], env=r.s.env())
    time.sleep(0.95)
    p.kill()
    p.wait()
    r.write('big', data[::-1])
    code, out, err = r.run('put', r.big, 's3://bkt/changed', '--json')
    check('of a file that changed meanwhile nothing is kept', code == 0 and 'resumed_bytes' not in json.loads(out)
          and r.run('get', 's3://bkt/changed', '-')[1] == data[::-1], err)
    r.write('big', data)
    wrong = 0
    for i in range(60):
        p = subprocess.Popen([COFFER, 'get', 's3://bkt/killed', 'whole', '-q', '--limit-rate', '300M'], env=r.s.env(), cwd=r.tmp,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.002, 0.08))
        p.send_signal(signal.SIGKILL)
        p.wait()
        if (r.tmp / 'whole').exists():
            wrong += (r.tmp / 'whole').read_bytes() != data
            (r.tmp / 'whole').unlink()
    check('60 times kill -9 while fetching: never half a file', wrong == 0)
    p = subprocess.Popen([COFFER, 'get', 's3://bkt/killed', 'whole', '-q', '-j', '1', '--limit-rate', '25M'], env=r.s.env(), cwd=r.tmp)
    noted, until = r.tmp / '.coffer-whole.log', time.monotonic() + 30
    while not (noted.exists() and noted.read_bytes().count(b'\n') >= 2) and p.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    p.kill()
    p.wait()
    notes = (r.tmp / '.coffer-whole.log').read_text().splitlines()
    part = r.tmp / '.coffer-whole.part'
    check('finished ranges are noted', len(notes) >= 2, notes)
    kept = bytearray(part.read_bytes())
    kept[100] ^= 1
    part.write_bytes(kept)
    code, out, err = r.run('get', 's3://bkt/killed', 'whole')
    check('what was altered meanwhile is fetched again', code == 0 and (r.tmp / 'whole').read_bytes() == data, err)
    (r.tmp / 'mine').write_bytes(b'keep me')
    os.link(r.tmp / 'mine', r.tmp / '.coffer-linked.part')
    code, out, err = r.run('get', 's3://bkt/killed', 'linked')
    check('a part that is another file by another name is not written into', code == 1 and 'another name' in err and not (r.tmp / 'linked').exists()
          and (r.tmp / 'mine').read_bytes() == b'keep me', err)
    (r.tmp / '.coffer-linked.part').unlink()
    (r.tmp / '.coffer-shared.part').touch()
    (r.tmp / '.coffer-shared.part').chmod(0o666)
    code, out, err = r.run('get', 's3://bkt/killed', 'shared')
    check('nor one that others may write to', code == 1 and not (r.tmp / 'shared').exists() and not (r.tmp / '.coffer-shared.part').stat().st_size, err)
    (r.tmp / '.coffer-shared.part').unlink()
    check('and nothing is left beside it', not [p.name for p in r.tmp.iterdir() if p.name.startswith('.coffer')])


def bad_input(r):
    r.write('old', b'precious')
    same = lambda: (r.tmp / 'old').read_bytes() == b'precious'
    other = r.write('other-key', os.urandom(32))
    r.fails('no such bucket', 1, 'NoSuchBucket', 'put', r.key, 's3://nowhere/x')
    r.fails('no such key', 1, 'NoSuchKey', 'get', 's3://bkt/nothing', 'old')
    r.fails('wrong sse-c key', 1, '', 'get', 's3://c-keys/sse-c/100000', 'old', '-e', 'sse-c', '--key-file', other)
    r.fails('no sse-c key', 1, '', 'get', 's3://c-keys/sse-c/100000', 'old')
    r.fails('another mode than expected', 3, 'was expected', 'get', 's3://bkt/pipe5', 'old', '-e', 'sse-kms')
    check('and the file that was there is untouched', same())
    r.fails('sse-c where the bucket blocks it', 1, 'BlockedEncryptionTypes', 'put', r.key, 's3://bkt/x', '-e', 'sse-c', '--key-file', r.key)
    r.fails('a key of 31 bytes', 2, 'exactly 32 bytes', 'put', r.key, 's3://c-keys/x', '-e', 'sse-c', '--key-file', r.write('k31', b'x' * 31))
    r.fails('sse-c without a key', 2, 'needs a key', 'put', r.key, 's3://c-keys/x', '-e', 'sse-c')
    r.fails('a key that nobody uses', 2, 'only with -e sse-c', 'put', r.key, 's3://c-keys/x', '--key-file', r.key)
    r.fails('a folder without --recursive', 2, '--recursive', 'put', 'tree', 's3://bkt/x/')
    r.fails('no such file', 1, 'No such file', 'put', 'nothing', 's3://bkt/x')
    r.fails('no such glob', 1, 'nothing matches', 'put', 'nothing*', 's3://bkt/x/')
    r.fails('several files to one key', 2, 'ends in /', 'put', r.key, r.big, 's3://bkt/x')
    r.fails('wrong secret key', 1, 'SignatureDoesNotMatch', 'ls', AWS_SECRET_ACCESS_KEY='wrong')
    r.fails('nobody listens', 1, '', 'ls', '--max-attempts', '1', AWS_ENDPOINT_URL='https://127.0.0.1:1')
    r.fails('a URL that is none', 2, 's3://BUCKET/KEY', 'put', r.key, 'bucket/key')
    r.fails('too many jobs', 2, '--jobs', 'put', r.key, 's3://bkt/x', '-j', '65')
    r.fails('create-only of what is there', 1, 'PreconditionFailed', 'put', r.key, 's3://bkt/pipe5', '--create-only')
    r.fails('the same in parts', 1, 'PreconditionFailed', 'put', r.big, 's3://bkt/pipe5', '--create-only')
    r.run('put', r.key, 's3://bkt/cas')
    etag = json.loads(r.run('ls', '--json', 's3://bkt/cas')[1].splitlines()[0])['etag']
    for name, path in (('if-match', r.key), ('if-match in parts', r.big)):
        r.fails(name + ' of another', 1, 'PreconditionFailed', 'put', path, 's3://bkt/cas', '--if-match', '"0123456789abcdef0123456789abcdef"')
        r.fails(name + ' of what is not there', 1, 'NoSuchKey', 'put', path, 's3://bkt/cas-nothing', '--if-match', etag)
    code, out, err = r.run('put', r.big, 's3://bkt/cas', '--if-match', etag)
    check('if-match of what is there replaces it', code == 0, err)
    r.fails('if-match of what was replaced', 1, 'PreconditionFailed', 'put', r.key, 's3://bkt/cas', '--if-match', etag)
    r.fails('if-match of two files', 2, 'one object', 'put', r.key, r.big, 's3://bkt/cas/', '--if-match', etag)
    r.fails('if-match with create-only', 2, '--create-only', 'put', r.key, 's3://bkt/cas', '--if-match', etag, '--create-only')
    r.fails('no-overwrite of what is there', 1, 'is there already', 'get', 's3://bkt/pipe5', 'old', '--no-overwrite')
    uploads = r.s.tmp / 'state'
    code, out, err = r.run('put', r.key, r.tmp / 'nothing', 's3://bkt/several/')
    check('of several files those that can go do, and the exit code tells', code == 1 and b'several/key' in out and '1 of 2 failed' in err, err)
    if os.path.exists('/dev/full'):
        r.fails('a full disk', 1, 'No space', 'get', 's3://bkt/pipe5', '/dev/full')
    code, out, err = r.run('get', 's3://bkt/pipe5', 'no/such/folder/x')
    check('a folder that is not there', code == 1 and 'No such file' in err, err)
    config = r.write('aws_config.json', json.dumps({'access_key': r.s.env()['AWS_ACCESS_KEY_ID'],
                                                    'secret_key': r.s.env()['AWS_SECRET_ACCESS_KEY'], 'bucket_name': 'bkt',
                                                    'region': 'us-east-1'}).encode())
    code, out, err = r.run('ls', 's3://bkt/pipe5', '--config', config, AWS_ACCESS_KEY_ID='', AWS_SECRET_ACCESS_KEY='', AWS_REGION='')
    check('credentials from aws_config.json', code == 0, err)


def hostile_names(r):
    if boto3 is None:
        check.skip('names from a hostile listing', 'python3 has no boto3')
        return
    s3 = client(r)
    for i, name in enumerate(('../up', 'a/../../up', 'a//b', './dot', '/root', 'esc\x1b[2J', 'line\nbreak', 'a/./b', '..', 'fine')):
        s3.put_object(Bucket='bkt', Key='evil/' + name, Body=b'x')
    code, out, err = r.run('get', '-r', 's3://bkt/evil/', 'evil/inside')
    there = sorted(str(p.relative_to(r.tmp / 'evil')) for p in (r.tmp / 'evil').rglob('*') if p.is_file())
    check('of a hostile listing only the harmless name is written', code == 1 and there == ['inside/fine'], f'{there} {err}')
    check('and no control character reaches the terminal', '\x1b' not in err and b'\x1b' not in out, repr(err))
    code, out, err = r.run('ls', '-r', 's3://bkt/evil/')
    check('nor from ls', b'\x1b' not in out and b'\\x1b' in out, out)


def other_clients(r):
    if boto3 is None:
        check.skip('boto3 reads what coffer wrote, and the reverse', 'python3 has no boto3')
        return
    s3, data, key = client(r), r.big.read_bytes(), r.key.read_bytes()
    r.run('put', r.big, 's3://bkt/for-boto', '--tag', 'a=1', '--tag', 'b=x y', '-t', 'image/jpeg')
    got = s3.get_object(Bucket='bkt', Key='for-boto', ChecksumMode='ENABLED')
    check('boto3 reads, type and checksum with it', got['Body'].read() == data and got['ContentType'] == 'image/jpeg'
          and got['ChecksumCRC64NVME'] and got['ChecksumType'] == 'FULL_OBJECT')
    tags = {t['Key']: t['Value'] for t in s3.get_object_tagging(Bucket='bkt', Key='for-boto')['TagSet']}
    check('tags arrive', tags == {'a': '1', 'b': 'x y'}, tags)
    r.run('put', r.big, 's3://c-keys/for-boto', '-e', 'sse-c', '--key-file', r.key)
    got = s3.get_object(Bucket='c-keys', Key='for-boto', SSECustomerAlgorithm='AES256', SSECustomerKey=key)['Body'].read()
    check('boto3 reads sse-c', got == data)
    s3.put_object(Bucket='c-keys', Key='from-boto', Body=data, SSECustomerAlgorithm='AES256', SSECustomerKey=key)
    code, out, err = r.run('get', 's3://c-keys/from-boto', 'x', '-e', 'sse-c', '--key-file', r.key)
    check('coffer reads boto3\'s sse-c', code == 0 and (r.tmp / 'x').read_bytes() == data, err)
    for alg in ('CRC32', 'SHA1', 'SHA256', 'CRC64NVME'):
        kind = {} if alg == 'CRC64NVME' else {'ChecksumAlgorithm': alg}
        if alg != 'CRC64NVME':
            s3.put_object(Bucket='bkt', Key=f'one-{alg}', Body=data, **kind)
            code, out, err = r.run('get', f's3://bkt/one-{alg}', 'x', '--json')
            check(f'an object with a {alg}', code == 0 and json.loads(out)['checked'] == alg and (r.tmp / 'x').read_bytes() == data, err)
            up = s3.create_multipart_upload(Bucket='bkt', Key=f'parts-{alg}', **kind)['UploadId']
            done = []
            for i, (a, b) in enumerate(((0, 6 * MIB), (6 * MIB, 17 * MIB), (17 * MIB, len(data))), 1):
                p = s3.upload_part(Bucket='bkt', Key=f'parts-{alg}', UploadId=up, PartNumber=i, Body=data[a:b], **kind)
                done.append({'PartNumber': i, 'ETag': p['ETag'], f'Checksum{alg}': p[f'Checksum{alg}']})
            s3.complete_multipart_upload(Bucket='bkt', Key=f'parts-{alg}', UploadId=up, MultipartUpload={'Parts': done})
            for to in ('x', '-'):
                code, out, err = r.run('get', f's3://bkt/parts-{alg}', to, '--json')
                got = (r.tmp / 'x').read_bytes() if to == 'x' else out
                check(f'parts with a composite {alg}, to {to}', code == 0 and got == data, err)
    check('kms context and bucket key arrive', True if s3.head_object(Bucket='c-keys', Key='sse-kms/100000')['BucketKeyEnabled'] else False)
    left = s3.list_multipart_uploads(Bucket='bkt').get('Uploads', [])
    check('failures leave no upload open but those for going on', all(u['Key'] in ('changed', 'killed') for u in left), left)


def main():
    if not LOCAL.exists():
        print(f'1..0 # SKIP {LOCAL} is not built')
        return 0
    r = Room()
    try:
        for part in (modes_and_sizes, other_sources, folders, odd_names, sealed, killed, bad_input, hostile_names, other_clients):
            try:
                part(r)
            except Exception as e:  # the other parts go on
                check(part.__name__, False, f'{type(e).__name__}: {e}')
    finally:
        r.s.close()
    return check.done()


sys.exit(main())
