#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer watch: files are sealed, deleted and sent; in order of priority, within a quota, without a link, and through kill -9 at any
moment: nothing is lost, nothing goes under two names, and no plaintext waits in the spool."""
import json, os, random, signal, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import COFFER, LOCAL, Checks, Local

check = Checks()


class Camera:
    def __init__(self, local, name):
        self.s, self.name = local, name
        self.dir = local.tmp / name
        self.dir.mkdir()
        self.key = local.tmp / 'key'
        if not self.key.exists():
            self.key.write_bytes(os.urandom(32))
        self.ring = f'raw-aes:n:k:{self.key}'
        self.args = ['watch', self.dir, f's3://bkt/{name}/', '--seal', self.ring, '--json']

    def put(self, name, data):
        """As a camera does: under another name until it is whole."""
        path = self.dir / name
        path.parent.mkdir(exist_ok=True)
        temp = path.parent / ('.' + path.name)
        temp.write_bytes(data)
        os.utime(temp, (time.time() - 60, time.time() - 60))
        temp.rename(path)

    def once(self, *more, **env):
        return self.s.coffer(*self.args, '--once', *more, **env)

    def start(self, *more, **env):
        return subprocess.Popen([str(COFFER), *map(str, self.args), *more], env=self.s.env(**env), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def sent(self):
        """-> {key: plaintext}"""
        listed = self.s.coffer('ls', '-r', f's3://bkt/{self.name}/', '--json')[1]
        keys = [json.loads(line)['key'] for line in listed.splitlines()]
        return {k[len(self.name) + 1:]: self.s.coffer('get', f's3://bkt/{k}', '-', '--open', self.ring)[1] for k in keys}

    def waiting(self):
        spool = self.dir / '.coffer-spool'
        return sorted(p.name for p in spool.glob('*.spool')) if spool.exists() else []


def ordinary(s):
    c = Camera(s, 'ordinary')
    files = {'a.jpg': os.urandom(100_000), 'b.jpg': b'', 'night/c.jpg': os.urandom(9 << 20)}
    for name, data in files.items():
        c.put(name, data)
    (c.dir / '.hidden').write_bytes(b'leave me')
    code, out, err = c.once()
    check('what is there is sent, folders below too', code == 0 and c.sent() == files, err)
    left = sorted(str(p.relative_to(c.dir)) for p in c.dir.rglob('*') if p.is_file())
    check('and then gone from here', left == ['.hidden'], left)
    c.put('a.jpg', b'another')
    code, out, err = c.once()
    names = c.sent()
    check('a name that comes again replaces nothing', code == 0 and len(names) == 4 and names['a.jpg'] == files['a.jpg']
          and sorted(names.values()) == sorted([*files.values(), b'another']), f'{list(names)} {err}')


def live(s):
    c = Camera(s, 'live')
    p = c.start()
    time.sleep(0.3)
    began = time.monotonic()
    with open(c.dir / 'direct.jpg', 'wb') as f:  # written in place: sealed when it is closed
        f.write(b'half')
        f.flush()
        time.sleep(0.3)
        f.write(b' and half')
    line = p.stdout.readline()
    took = time.monotonic() - began
    check('a file is sent when it is closed', json.loads(line)['sent'] == 'live/direct.jpg' and took < 2, line)
    check('whole', c.sent() == {'direct.jpg': b'half and half'})
    p.terminate()
    check('SIGTERM ends it well', p.wait(5) == 0, p.stderr.read())
    c.put('esc\x1b[31m', b'a name')
    code, out, err = s.coffer(*[a for a in c.args if a != '--json'], '--once')
    check('a terminal is not told control characters', code == 0 and b'sent live/esc\\x1b[31m (' in out, f'{out}{err}')


def no_link(s):
    c = Camera(s, 'offline')
    secret = b'a face, plain to see ' * 5000
    c.put('face.jpg', secret)
    code, out, err = c.once('--max-attempts', '1', AWS_ENDPOINT_URL='https://127.0.0.1:1')
    spool = c.dir / '.coffer-spool'
    check('without a link it waits, and that is said', code == 4 and len(c.waiting()) == 1 and 'wait' in err, err)
    check('sealed', all(secret[:20] not in p.read_bytes() for p in c.dir.rglob('*') if p.is_file()) and not (c.dir / 'face.jpg').exists())
    check('for its owner alone', all(p.stat().st_mode & 0o077 == 0 for p in [spool, *spool.iterdir()]))
    code, out, err = c.once()
    check('and goes when there is one', code == 0 and c.sent() == {'face.jpg': secret}, err)
    c.put('kept.jpg', b'kept')
    code, out, err = c.once('--retain', '3600')
    kept = list((spool / 'sent').iterdir())
    check('--retain keeps what was sent, sealed', code == 0 and len(kept) == 1 and b'kept' not in kept[0].read_bytes().split(b'\n', 1)[1], err)


def order_and_quota(s):
    c = Camera(s, 'order')
    for i, name in enumerate(('z1.jpg', 'alarm-1.jpg', 'bulk-1.raw', 'z2.jpg', 'alarm-2.jpg')):
        c.put(name, name.encode() * 100)
        os.utime(c.dir / name, (time.time() - 100 + i, time.time() - 100 + i))
    code, out, err = c.once('-p', 'alarm-*=9', '-p', '*.raw=1', '-j', '1')
    sent = [json.loads(x)['sent'].split('/')[1] for x in out.splitlines()]
    check('in order of priority, then of time', sent == ['alarm-1.jpg', 'alarm-2.jpg', 'z1.jpg', 'z2.jpg', 'bulk-1.raw'], f'{sent} {err}')
    for i in range(5):
        c.put(f'q{i}', os.urandom(10_000))
    code, out, err = c.once('--quota', '25K', '--max-attempts', '1', AWS_ENDPOINT_URL='https://127.0.0.1:1')
    left = [p.name for p in c.dir.iterdir() if p.name.startswith('q')]
    check('over the quota files stay where they are', code == 4 and len(c.waiting()) == 2 and len(left) == 3 and 'full' in err, f'{left} {err}')
    code, out, err = c.once('--quota', '25K')
    check('and follow as room is made', code == 0 and len([k for k in c.sent() if k.startswith('q')]) == 5, err)


def killed(s):
    c = Camera(s, 'killed')
    files, n = {}, 0
    for round in range(100):
        for _ in range(random.randint(0, 2)):
            data = os.urandom(random.choice((10, 5000, 200_000)))
            files[f'{n}.jpg'] = data
            c.put(f'{n}.jpg', data)
            n += 1
        p = c.start()
        time.sleep(random.uniform(0.004, 0.06))
        p.send_signal(signal.SIGKILL)
        p.wait()
        p.stdout.close()
        p.stderr.close()
    code, out, err = c.once()
    got = c.sent()
    check(f'100 times kill -9: all {n} files arrived, each under its one name', code == 0 and got == files,
          f'{len(got)} objects of {n}, {set(got) - set(files)} {err}')
    check('nothing waits any more', c.waiting() == [] and [p for p in c.dir.iterdir() if p.name.endswith('.jpg')] == [])
    big = os.urandom(30 << 20)
    c.put('big.raw', big)
    for _ in range(3):
        p = c.start('--limit-rate', '20M', '-j', '2')
        time.sleep(0.7)
        p.kill()
        p.wait()
    code, out, err = c.once()
    check('a large one goes on where it was', code == 0 and c.sent().get('big.raw') == big, err)


def reads(pid, path):
    try:
        return any(os.readlink(f) == str(path) for f in Path(f'/proc/{pid}/fd').iterdir())
    except OSError:
        return False


def replaced(s):
    """The camera's newest picture always has the one name: it comes while the last one is being sealed."""
    for attempt in range(5):
        c = Camera(s, f'newest{attempt}')
        first, path = os.urandom(32 << 20), c.dir / 'newest.jpg'
        c.put('newest.jpg', first)
        p = c.start('--once')
        while p.poll() is None and not reads(p.pid, path):
            pass
        p.send_signal(signal.SIGSTOP)
        caught = reads(p.pid, path)
        c.put('newest.jpg', b'second')
        p.send_signal(signal.SIGCONT)
        out, err = p.communicate(timeout=60)
        if caught:
            break
    check('a file is there to be replaced while it is sealed', caught)
    code, out, err = c.once()
    got = c.sent()
    check('the picture that came meanwhile is not taken for the one that was sealed', code == 0 and sorted(map(len, got.values())) == [6, len(first)]
          and set(got.values()) == {first, b'second'}, f'{ {k: len(v) for k, v in got.items()} } {err}')
    check('and nothing is left', not [p for p in c.dir.iterdir() if p.name != '.coffer-spool'], list(c.dir.iterdir()))
    (c.dir / '.coffer-sealed-newest.jpg').write_bytes(b'third')
    os.utime(c.dir / '.coffer-sealed-newest.jpg', (time.time() - 60, time.time() - 60))
    code, out, err = c.once()
    check('what a crash left aside is sent', code == 0 and b'third' in c.sent().values(), err)


def wrong(s):
    c = Camera(s, 'wrong')
    def fails(name, code, says, *argv):
        got, out, err = s.coffer(*argv)
        check(name, got == code and says in err, f'exit {got}: {err}')
    fails('no keyring', 2, '--seal is needed', 'watch', c.dir, 's3://bkt/x/')
    fails('no folder', 1, 'No such file', 'watch', s.tmp / 'nothing', 's3://bkt/x/', '--seal', c.ring)
    fails('a prefix without its end', 2, 'must end in /', 'watch', c.dir, 's3://bkt/x', '--seal', c.ring)
    fails('a priority that is none', 2, 'GLOB=N', 'watch', c.dir, 's3://bkt/x/', '--seal', c.ring, '-p', 'x=11')
    c.put('x', b'x')
    code, out, err = s.coffer('watch', c.dir, 's3://nowhere/wrong/', '--seal', c.ring, '--once')
    check('no such bucket: it is told, and nothing is lost', code == 4 and 'NoSuchBucket' in err and len(c.waiting()) == 1, err)
    entry = c.dir / '.coffer-spool' / c.waiting()[0]
    (c.dir / '.coffer-spool/5-0000000000000-torn.spool').write_bytes(b'{"key":')
    code, out, err = c.once()
    check('a torn entry is set aside', code == 0 and 'set aside' in err and list(c.sent().values()) == [b'x'], err)


def main():
    if not LOCAL.exists():
        print(f'1..0 # SKIP {LOCAL} is not built')
        return 0
    s = Local('bkt')
    try:
        for part in (ordinary, live, no_link, order_and_quota, replaced, killed, wrong):
            try:
                part(s)
            except Exception as e:  # the other parts go on
                check(part.__name__, False, f'{type(e).__name__}: {e}')
    finally:
        s.close()
    return check.done()


sys.exit(main())
