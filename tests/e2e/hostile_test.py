#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local against hostile clients: framing, signatures, aws-chunked bodies, lengths, keys, documents, and thousands of slow
connections. Each is refused with AWS's own code, leaves nothing behind, and a well-behaved client beside notices nothing. C-38"""
import base64, hashlib, os, re, resource, socket, ssl, subprocess, sys, threading, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import ACCOUNT, ALL, Checks, KEY, Local
from rawaws import Signer, talk

check = Checks()
BIG = 'x' * 9000
MANIFEST = {'account': ACCOUNT, 'region': 'us-east-1', 'credentials': [{'name': 'root', 'root': True}, {'name': 'user', 'user': 'user'}],
            'users': [{'name': 'user', 'policies': [{'name': 'all', 'document': {'Version': '2012-10-17', 'Statement': [
                {'Effect': 'Allow', 'Action': ['s3:*', 'sts:*'], 'Resource': '*'}]}}]}],
            'keys': [{'id': KEY.split('/')[1], 'policy': ALL}], 'buckets': [{'name': 'bkt'}], 'queues': [{'name': 'q'}]}


class Beside(threading.Thread):
    """Puts and gets the same object, over and over."""

    def __init__(self, local, signer):
        super().__init__(daemon=True)
        self.local, self.stop, self.rounds, self.wrong, self.slowest = local, False, 0, [], 0
        self.signer = signer.but()  # a signer remembers what it signed last: not shared between threads

    def run(self):
        while not self.stop:
            body = os.urandom(3000)
            began = time.monotonic()
            try:
                put = talk(self.local.port, self.signer.request('PUT', '/bkt/beside', body))
                got = talk(self.local.port, self.signer.request('GET', '/bkt/beside'))
                if put.status != 200 or got.status != 200 or got.body != body:
                    self.wrong.append(f'{put!r} {got!r}')
            except OSError as e:
                self.wrong.append(repr(e))
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.rounds += 1
            time.sleep(0.02)


def refused(name, reply, status, code=None):
    good = reply.status == status and (code is None or reply.code == code) and reply.count <= 1
    check(f'{name}: {status}{" " + code if code else ""}', good, repr(reply) if reply.count <= 1 else f'{reply.count} replies: {reply.raw!r}')


def framing(local):
    p = 'POST /bkt/x HTTP/1.1\r\nHost: a\r\n'
    g = 'GET /bkt/x HTTP/1.1\r\nHost: a\r\n'
    chunked = p + 'Transfer-Encoding: chunked\r\n\r\n'
    smuggled = '0\r\n\r\nGET /bkt/beside HTTP/1.1\r\nHost: a\r\n\r\n'
    cases = [
        ('length and chunks', p + 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n' + smuggled, 400),
        ('chunks and length', p + 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n' + smuggled, 400),
        ('two lengths that differ', p + 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde', 400),
        ('two lengths that agree', p + 'Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde', 400),
        ('a list as length', p + 'Content-Length: 5,5\r\n\r\nabcde', 400),
        ('a negative length', p + 'Content-Length: -1\r\n\r\n', 400),
        ('an empty length', p + 'Content-Length:\r\n\r\n', 400),
        ('a length with a blank in it', p + 'Content-Length: 5 5\r\n\r\nabcde', 400),
        ('a length beyond 64 bits', p + 'Content-Length: 18446744073709551621\r\n\r\nabcde', 400),
        ('a blank before the colon', p + 'Content-Length : 5\r\n\r\nabcde', 400),
        ('chunked, twice', p + 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n' + smuggled, 400),
        ('chunked, chunked', p + 'Transfer-Encoding: chunked, chunked\r\n\r\n' + smuggled, 400),
        ('gzip, chunked', p + 'Transfer-Encoding: gzip, chunked\r\n\r\n' + smuggled, (400, 501)),
        ('identity', p + 'Transfer-Encoding: identity\r\n\r\n' + smuggled, (400, 501)),
        ('chunked with a vertical tab', p + 'Transfer-Encoding: \x0bchunked\r\n\r\n' + smuggled, (400, 501)),
        ('chunks of HTTP/1.0', p.replace('1.1', '1.0') + 'Transfer-Encoding: chunked\r\n\r\n' + smuggled, 400),
        ('a folded field', p + 'X: a\r\n Content-Length: 5\r\n\r\n', 400),
        ('a folded first field', 'GET /bkt/x HTTP/1.1\r\n Host: a\r\n\r\n', 400),
        ('a field without colon', g + 'Hello\r\n\r\n', 400),
        ('a field without name', g + ': x\r\n\r\n', 400),
        ('a blank in a name', g + 'A B: x\r\n\r\n', 400),
        ('a control character in a name', g + 'A\x01B: x\r\n\r\n', 400),
        ('a NUL in a value', g + 'X: a\0b\r\n\r\n', 400),
        ('a bare CR in a value', g + 'X: a\rContent-Length: 5\r\n\r\n', 400),
        ('a bare LF', 'GET /bkt/x HTTP/1.1\nHost: a\n\n', 400),
        ('a bare LF between fields', g + 'X: a\nY: b\r\n\r\n', 400),
        ('a NUL in the target', 'GET /bkt/\0x HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('a bare CR in the request line', 'GET /bkt/\rx HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('bytes above ASCII in the target', 'GET /bkt/\xfc HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('a fragment in the target', 'GET /bkt/x#y HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('a blank in the target', 'GET /bkt/x y HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('two blanks before the target', 'GET  /bkt/x HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('a tab before the target', 'GET\t/bkt/x HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('no version', 'GET /bkt/x\r\n\r\n', 400),
        ('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (400, 505)),
        ('HTTP/1.2', 'GET /bkt/x HTTP/1.2\r\nHost: a\r\n\r\n', (400, 505)),
        ('a version of two digits', 'GET /bkt/x HTTP/1.10\r\nHost: a\r\n\r\n', (400, 505)),
        ('no target form', 'GET bkt/x HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('the absolute form of another host', 'GET http://b/bkt/x HTTP/1.1\r\nHost: a\r\n\r\n', 400),
        ('no Host', 'GET /bkt/x HTTP/1.1\r\n\r\n', 400),
        ('two Hosts', g + 'Host: b\r\n\r\n', 400),
        ('a Host with a blank', 'GET /bkt/x HTTP/1.1\r\nHost: a b\r\n\r\n', 400),
        ('a Host with a slash', 'GET /bkt/x HTTP/1.1\r\nHost: a/b\r\n\r\n', 400),
        ('a Host with a name before @', 'GET /bkt/x HTTP/1.1\r\nHost: u@a\r\n\r\n', 400),
        ('a chunk size of 17 digits', chunked + '10000000000000005\r\nabcde\r\n0\r\n\r\n', 400),
        ('a negative chunk size', chunked + '-1\r\nabcde\r\n0\r\n\r\n', 400),
        ('a chunk size with 0x', chunked + '0x5\r\nabcde\r\n0\r\n\r\n', 400),
        ('a chunk size with +', chunked + '+5\r\nabcde\r\n0\r\n\r\n', 400),
        ('a blank before a chunk size', chunked + ' 5\r\nabcde\r\n0\r\n\r\n', 400),
        ('no chunk size', chunked + '\r\nabcde\r\n0\r\n\r\n', 400),
        ('a chunk longer than it says', chunked + '3\r\nabcde\r\n0\r\n\r\n', 400),
        ('a bare LF after a chunk size', chunked + '5\nabcde\r\n0\r\n\r\n', 400),
        ('a bare LF in a chunk extension', chunked + '5;\nabcde\r\n0\r\n\r\n', 400),
        ('a long chunk extension', chunked + '5;' + BIG + '\r\nabcde\r\n0\r\n\r\n', (400, 431)),
        ('a folded trailer', chunked + '0\r\nA: b\r\n c\r\n\r\n', 400),
        ('many trailers', chunked + '0\r\n' + ''.join(f'X-{i}: {i}\r\n' for i in range(500)) + '\r\n', (400, 431)),
        ('long trailers', chunked + '0\r\n' + ''.join(f'X-{i}: {BIG}\r\n' for i in range(20)) + '\r\n', (400, 431)),
        ('many fields', g + ''.join(f'X-{i}: {i}\r\n' for i in range(500)) + '\r\n', 431),
        ('a long field', g + 'X: ' + BIG * 10 + '\r\n\r\n', 431),
        ('a long target', 'GET /' + BIG * 10 + ' HTTP/1.1\r\nHost: a\r\n\r\n', (414, 431)),
    ]
    for name, text, wanted in cases:
        reply = talk(local.port, text.encode('latin-1'))
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        check(f'framing, {name}: {wanted[0]}, and closed', reply.status in wanted and reply.ended and reply.count == 1, repr(reply))
    tls = ssl.create_default_context(cafile=str(local.data / 'tls/ca.pem'))
    for name, text, wanted in cases[:3]:
        reply = talk(local.port, text.encode('latin-1'), tls)
        check(f'framing over TLS, {name}: {wanted}', reply.status == wanted and reply.ended and reply.count == 1, repr(reply))


def judge(local, port, name):
    path = Path(os.environ.get('COFFER_VECTORS', '/nonexistent')).parent / 'judges/http-framing.py'
    if not path.exists():
        check.skip(f'the framing judge is content with {name}', 'it is not beside the vectors')
        return
    p = subprocess.run([sys.executable, path, str(port)], capture_output=True, text=True, timeout=60)
    check(f'the framing judge is content with {name}', p.returncode == 0 and '22 of 22' in p.stdout, p.stdout + p.stderr)


class Unwrapped(threading.Thread):
    """A plain port before a TLS one, for a judge that speaks plainly."""

    def __init__(self, port, ca):
        super().__init__(daemon=True)
        self.to, self.tls = port, ssl.create_default_context(cafile=ca)
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(a,), daemon=True).start()

    def carry(self, a):
        try:
            b = self.tls.wrap_socket(socket.create_connection(('127.0.0.1', self.to)), server_hostname='localhost')
            b.sendall(a.recv(65536)) # the judge says all at once
            while True:
                more = b.recv(65536)
                if not more:
                    break
                a.sendall(more)
        except OSError:
            pass
        a.close()


def producer(local):
    program = local.p.args[0].parent.parent / 'coffer-producer/coffer-producer'
    env = {**local.env(), 'AWS_ENDPOINT_URL': f'https://localhost:{local.port}'}
    p = subprocess.Popen([program, '--listen', 'tcp:127.0.0.1:0', '--bucket', 'bkt', '--queue-url', f'https://localhost:{local.port}/{ACCOUNT}/q',
                          '--data-key-arn', KEY, '--issuer', f'https://localhost:{local.port}', '--tls-dir', local.data / 'tls'],
                         env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    line = p.stdout.readline().decode().split()
    if line[:1] != ['ready']:
        check('coffer-producer starts', False, line)
    else:
        before = Unwrapped(int(line[1]), str(local.data / 'tls/ca.pem'))
        before.start()
        judge(local, before.port, 'coffer-producer')
        before.listener.close()
    p.kill()
    p.wait()
    p.stdout.close()


def signatures(local, s):
    port, put = local.port, lambda t, **k: t.request('PUT', '/bkt/forged', b'hello', **k)
    ask = lambda data: talk(port, data)
    refused('the authority form', ask(b'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'), 400)
    refused('no signature', ask(b'PUT /bkt/forged HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello'), 403, 'AccessDenied')
    refused('a key nobody has', ask(put(s.but(id='AKIAIOSFODNN7EXAMPLE'))), 403, 'InvalidAccessKeyId')
    refused('another secret', ask(put(s.but(secret='x' + s.secret[1:]))), 403, 'SignatureDoesNotMatch')
    refused('16 minutes ago', ask(put(s.but(skew_s=-960))), 403, 'RequestTimeTooSkewed')
    refused('in 16 minutes', ask(put(s.but(skew_s=960))), 403, 'RequestTimeTooSkewed')
    check('14 minutes ago is taken', ask(s.but(skew_s=-840).request('GET', '/bkt/beside')).status == 200)
    check('in 14 minutes is taken', ask(s.but(skew_s=840).request('GET', '/bkt/beside')).status == 200)
    refused('another region', ask(put(s.but(region='eu-west-1'))), 400, 'AuthorizationHeaderMalformed')
    refused('a service that is not here', ask(put(s.but(service='ec2'))), 400, 'AuthorizationHeaderMalformed')
    refused('a scope of another day', ask(put(s, day='20200101')), 400, 'AuthorizationHeaderMalformed')
    data = put(s)
    refused('another host than was signed', ask(data.replace(b'host: ' + s.host.encode(), b'host: elsewhere')), 403, 'SignatureDoesNotMatch')
    refused('another path than was signed', ask(data.replace(b'/bkt/forged', b'/bkt/beside')), 403, 'SignatureDoesNotMatch')
    refused('another method than was signed', ask(s.request('GET', '/bkt/beside').replace(b'GET', b'DELETE')), 403, 'SignatureDoesNotMatch')
    refused('another query than was signed', ask(s.request('GET', '/bkt/beside', query='a=b').replace(b'a=b', b'a=c')), 403, 'SignatureDoesNotMatch')
    refused('another body than was signed', ask(data[:-5] + b'jello'), 400, 'XAmzContentSHA256Mismatch')
    refused('an x-amz field that was not signed', ask(put(s, unsigned=[('x-amz-meta-a', 'b')])), 403, 'AccessDenied')
    refused('a field signed that is not there', ask(data.replace(b'x-amz-date: ', b'y-amz-date: ', 1)), 403, 'AccessDenied') # no date is there then
    data = put(s)
    refused('a signature cut short', ask(data.replace(s.signature.encode(), s.signature[:60].encode())), 403, 'SignatureDoesNotMatch')
    refused('a signature of zeros', ask(data.replace(s.signature.encode(), b'0' * 64)), 403, 'SignatureDoesNotMatch')
    refused('a signature in capitals', ask(data.replace(s.signature.encode(), s.signature.upper().encode())), 403, 'SignatureDoesNotMatch')
    refused('two Authorization fields', ask(data.replace(b'\r\nContent-Length', b'\r\nAuthorization: x\r\nContent-Length')), 400, 'InvalidArgument')
    refused('Signature Version 2', ask(b'GET /bkt/beside HTTP/1.1\r\nHost: a\r\nDate: x\r\nAuthorization: AWS AKIA:c2ln\r\n\r\n'), 400, 'InvalidRequest')
    refused('Basic', ask(b'GET /bkt/beside HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n'), 400, 'InvalidArgument')
    refused('no x-amz-content-sha256', ask(put(s, payload='')), 400, 'InvalidRequest')
    refused('an x-amz-content-sha256 of no kind', ask(put(s, payload='hello')), 400, 'InvalidArgument')
    refused('a token with a long-lived key', ask(put(s.but(token='abc'))), 400, 'InvalidToken')
    data = s.presigned('GET', '/bkt/beside')
    check('a presigned request is served', ask(data).status == 200)
    refused('a presigned request that is over', ask(s.presigned('GET', '/bkt/beside', expires=60, age_s=70)), 403, 'AccessDenied')
    refused('one for eight days', ask(s.presigned('GET', '/bkt/beside', expires=8 * 86400)), 400, 'AuthorizationQueryParametersError')
    refused('one for no time', ask(s.presigned('GET', '/bkt/beside', expires=0, age_s=2)), 403, 'AccessDenied')
    refused('one of the future', ask(s.presigned('GET', '/bkt/beside', age_s=-960)), 403, None)
    refused('one that was made longer', ask(data.replace(b'X-Amz-Expires=60', b'X-Amz-Expires=600')), 403, 'SignatureDoesNotMatch')
    refused('one for another key', ask(data.replace(b'/bkt/beside', b'/bkt/beside2')), 403, 'SignatureDoesNotMatch')
    refused('one with another method', ask(data.replace(b'GET', b'PUT')), 403, 'SignatureDoesNotMatch')
    refused('one of another region', ask(s.but(region='eu-west-1').presigned('GET', '/bkt/beside')), 400, 'AuthorizationQueryParametersError')
    refused('one without a date', ask(data.replace(b'X-Amz-Date', b'X-Amz-Dat')), 400, 'AuthorizationQueryParametersError')
    refused('signed twice, in header and query', ask(s.request('GET', '/bkt/beside', query='X-Amz-Signature=a')), 400, 'InvalidArgument')
    check('nothing came of any', ask(s.request('GET', '/bkt/forged')).code == 'NoSuchKey')


def tokens(local, s):
    """Of roles and sessions: with the wrong token, without, and of another."""
    sts = s.but(service='sts')

    def session():
        body = b'Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900'
        r = talk(local.port, sts.request('POST', '/', body, content_type='application/x-www-form-urlencoded'))
        take = lambda n: re.search(rb'<%b>([^<]*)<' % n, r.body)[1].decode()
        return s.but(id=take(b'AccessKeyId'), secret=take(b'SecretAccessKey'), token=take(b'SessionToken')) if r.status == 200 else r

    env = local.env('user')
    user = Signer(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], s.host)
    sts = user.but(service='sts')
    a, b = session(), session()
    if not isinstance(a, Signer) or not isinstance(b, Signer):
        check('sessions are given', False, repr(a))
        return
    get = lambda t: talk(local.port, t.request('GET', '/bkt/beside'))
    check('a session is served', get(a).status == 200, repr(get(a)))
    refused('the token of another session', get(a.but(token=b.token)), 400, 'InvalidToken')
    refused('a token with a letter changed', get(a.but(token=a.token[:-1] + ('A' if a.token[-1] != 'A' else 'B'))), 400, 'InvalidToken')
    refused('a session without its token', get(a.but(token=None)), 403, 'InvalidAccessKeyId')


def lengths(local, s):
    port, key = local.port, '/bkt/cut'
    gone = lambda name: check(f'{name}: no object', talk(port, s.request('GET', key)).code == 'NoSuchKey')
    data = s.request('PUT', key, b'x' * 1000, payload='UNSIGNED-PAYLOAD')
    reply = talk(port, data[:-10], end=True)
    check('a body that ends early is not acknowledged', reply.status // 100 != 2, repr(reply))
    gone('a body that ends early')
    refused('a body without a length', talk(port, s.request('PUT', key, b'', payload='UNSIGNED-PAYLOAD', length=False, unsigned=[('Transfer-Encoding', 'chunked')]) + b'0\r\n\r\n'),
            411, 'MissingContentLength')
    refused('more than 5 TiB', talk(port, s.request('PUT', key, b'', payload='UNSIGNED-PAYLOAD', length=False, unsigned=[('Content-Length', str(6 << 40))])), 400, 'EntityTooLarge')
    refused('a Content-MD5 of other bytes', talk(port, s.request('PUT', key, b'hello', content_md5='XrY7u+Ae7tCTyyK7j1rNww==')), 400, 'BadDigest')
    refused('a Content-MD5 that is none', talk(port, s.request('PUT', key, b'hello', content_md5='aaaa')), 400, 'InvalidDigest')
    refused('a checksum of other bytes', talk(port, s.request('PUT', key, b'hello', x_amz_checksum_crc32='AAAAAA==')), 400, 'BadDigest')
    both = s.request('PUT', '/bkt/tail', b'hello', payload='UNSIGNED-PAYLOAD') + s.request('GET', '/bkt/tail')
    with socket.create_connection(('127.0.0.1', port), timeout=20) as c: # what follows a body is the next request, and no part of it
        c.sendall(both)
        got = b''
        while b'hello' not in got:
            more = c.recv(65536)
            if not more:
                break
            got += more
    check('what follows a body is the next request', got.count(b'HTTP/1.1 200') == 2, got)
    gone('all of these')


def chunks(local, s):
    port, key, n = local.port, '/bkt/chunked', [0]

    def upload(pieces, kind='STREAMING-AWS4-HMAC-SHA256-PAYLOAD', declared=None, change=None, end=b'', tail=None, **more):
        """pieces are signed in turn; change rewrites the framed chunks."""
        n[0] += 1
        head = s.request('PUT', key, payload=kind, length=False, x_amz_decoded_content_length=str(sum(map(len, pieces)) if declared is None else declared),
                         content_encoding='aws-chunked', **more)
        previous, framed = s.signature, []
        for data in [*pieces, b'']:
            previous = s.chunk(data, previous)
            framed.append(b'%x;chunk-signature=%s\r\n%s' % (len(data), previous.encode(), data + b'\r\n' if data else b''))
        framed = change(framed) if change else framed
        body = b''.join(framed) + (tail(previous) if tail else b'\r\n') + end
        return talk(port, head.replace(b'\r\n\r\n', b'\r\nContent-Length: %d\r\n\r\n' % len(body), 1) + body)

    abc = [b'a' * 70000, b'b' * 70000, b'c' * 500]
    check('a signed chunked upload is taken', upload(abc).status == 200, repr(upload(abc)))
    talk(port, s.request('DELETE', key))
    refused('a chunk altered', upload(abc, change=lambda f: [f[0], f[1].replace(b'bbb', b'bBb', 1), *f[2:]]), 403, 'SignatureDoesNotMatch')
    refused('chunks in another order', upload([b'a' * 70000, b'b' * 70000], change=lambda f: [f[1], f[0], f[2]]), 403, 'SignatureDoesNotMatch')
    refused('a chunk repeated', upload(abc, declared=210500, change=lambda f: [f[0], f[0], *f[1:]]), 403, 'SignatureDoesNotMatch')
    refused('a chunk left out', upload(abc, declared=70500, change=lambda f: [f[0], *f[2:]]), 403, 'SignatureDoesNotMatch')
    refused('no last chunk', upload(abc, change=lambda f: f[:-1], tail=lambda _: b''), 400, 'IncompleteBody')
    refused('a chunk that ends early', upload(abc, change=lambda f: [f[0], f[1][:-100]], tail=lambda _: b''), 400, 'IncompleteBody')
    refused('fewer bytes than declared', upload(abc, declared=200000), 400, 'IncompleteBody')
    refused('more bytes than declared', upload(abc, declared=100), 400, 'IncompleteBody')
    refused('a chunk without signature', upload(abc, change=lambda f: [f[0].partition(b';')[0] + b'\r\n' + f[0].partition(b'\r\n')[2], *f[1:]]), 400, 'IncompleteBody')
    refused('a signature of 63 digits', upload(abc, change=lambda f: [f[0].replace(b'chunk-signature=', b'chunk-signature', 1), *f[1:]]), 400, 'IncompleteBody')
    refused('bytes after the last chunk', upload(abc, end=b'more'), 400, 'IncompleteBody')
    refused('a chunk size of 13 digits', upload(abc, change=lambda f: [b'1000000000000' + f[0].partition(b';')[1] + f[0].partition(b';')[2], *f[1:]]), 400, 'IncompleteBody')
    refused('no declared length', talk(port, s.request('PUT', key, b'0\r\n\r\n', payload='STREAMING-UNSIGNED-PAYLOAD-TRAILER')), 411, 'MissingContentLength')
    refused('a trailer announced that does not come',
            talk(port, s.request('PUT', key, b'5\r\nhello\r\n0\r\n\r\n', payload='STREAMING-UNSIGNED-PAYLOAD-TRAILER', x_amz_decoded_content_length='5',
                                 x_amz_trailer='x-amz-checksum-crc32')), 400, 'MalformedTrailerError')
    refused('a trailer of other bytes',
            talk(port, s.request('PUT', key, b'5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n', payload='STREAMING-UNSIGNED-PAYLOAD-TRAILER',
                                 x_amz_decoded_content_length='5', x_amz_trailer='x-amz-checksum-crc32')), 400, 'BadDigest')
    line = b'x-amz-checksum-crc32:NhCmhg==\n' # of "hello"
    signed = lambda previous: b'x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:' + s.chunk(b'', previous, line).encode() + b'\r\n\r\n'
    trailing = dict(kind='STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', x_amz_trailer='x-amz-checksum-crc32')
    r = upload([b'hello'], tail=signed, **trailing)
    check('a signed trailer is taken', r.status == 200, repr(r))
    talk(port, s.request('DELETE', key))
    refused('a trailer without its signature', upload([b'hello'], tail=lambda p: signed(p).partition(b'x-amz-trailer-sig')[0] + b'\r\n', **trailing), 403, 'SignatureDoesNotMatch')
    refused('a trailer signed wrongly', upload([b'hello'], tail=lambda p: signed('0' * 64), **trailing), 403, 'SignatureDoesNotMatch')
    check('no object came of any', talk(port, s.request('GET', key)).code == 'NoSuchKey')


def keys(local, s):
    port = local.port
    for name, path in (('a percent sign alone', '/bkt/a%'), ('a percent sign with one digit', '/bkt/a%2'), ('letters after a percent sign', '/bkt/a%zz'),
                       ('bytes that are no UTF-8', '/bkt/%ff%fe'), ('an overlong form of a slash', '/bkt/%c0%af'), ('half a surrogate', '/bkt/%ed%a0%80'), ('a NUL', '/bkt/a%00b')):
        reply = talk(port, s.request('PUT', path, b'x'))
        check(f'a key with {name} is refused', reply.status in (400, 403) and reply.code in ('InvalidURI', 'SignatureDoesNotMatch'), repr(reply))
    refused('a key of 1025 bytes', talk(port, s.request('PUT', '/bkt/' + 'k' * 1025, b'x')), 400, 'KeyTooLongError')
    refused('a bucket in capitals', talk(port, s.request('PUT', '/Bkt/x', b'x')), 400, 'InvalidBucketName')
    refused('a bucket of two dots', talk(port, s.request('PUT', '/../x', b'x')), 400, 'InvalidBucketName')
    refused('a bucket that is not there', talk(port, s.request('PUT', '/other-bkt/x', b'x')), 404, 'NoSuchBucket')
    files = {p.name for p in local.data.iterdir()}
    for path in ('/bkt/../other/x', '/bkt/a/../b', '/bkt/%2e%2e/c', '/bkt//d', '/bkt/e//', '/bkt/%2Fetc%2Fpasswd', '/bkt/./f', '/bkt/..%2f..%2fmaster.key'):
        body = path.encode()
        put, got = talk(port, s.request('PUT', path, body)), talk(port, s.request('GET', path))
        check(f'{path} is a name like any other', put.status == 200 and got.body == body, f'{put!r} {got!r}')
    check('and names reach no other object', talk(port, s.request('GET', '/bkt/b')).code == 'NoSuchKey' and talk(port, s.request('GET', '/bkt/d')).code == 'NoSuchKey')
    check('nor a file', {p.name for p in local.data.iterdir()} == files)


def documents(local, s):
    port = local.port
    md5 = lambda body: base64.b64encode(hashlib.md5(body).digest()).decode()
    xml = lambda body, query='delete', path='/bkt', method='POST': talk(port, s.request(method, path, body, query=query + '=', content_md5=md5(body)))
    bomb = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
    outer = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>'
    good = b'<Delete><Object><Key>absent</Key></Object></Delete>'
    check('DeleteObjects in good order is served', xml(good).status == 200, repr(xml(good)))
    for name, body in (('nothing', b''), ('no XML', b'hello'), ('an element that does not end', b'<Delete><Object>'), ('two roots', good * 2), ('another root', b'<A/>'),
                       ('an entity bomb', bomb), ('an outer entity', outer), ('bytes that are no UTF-8', b'<Delete><Object><Key>\xff</Key></Object></Delete>'),
                       ('elements 500 deep', b'<a>' * 500 + b'</a>' * 500), ('no object', b'<Delete></Delete>'), ('1001 objects', b'<Delete>' + good[8:-9] * 1001 + b'</Delete>')):
        refused(f'DeleteObjects with {name}', xml(body), 400, 'MalformedXML')
    refused('tags with no XML', xml(b'hello', 'tagging', '/bkt/beside', 'PUT'), 400, 'MalformedXML')
    for service, target, kind in (('kms', 'TrentService.Encrypt', '1.1'), ('sqs', 'AmazonSQS.ListQueues', '1.0')):
        t = s.but(service=service)
        call = lambda body, target=target, t=t, kind=kind, **k: talk(port, t.request('POST', '/', body, content_type=f'application/x-amz-json-{kind}', x_amz_target=target, **k))
        for name, body in (('no JSON', b'hello'), ('a list', b'[]'), ('half an object', b'{"a":'), ('two objects', b'{}{}'), ('lists 5000 deep', b'[' * 5000 + b']' * 5000),
                           ('bytes that are no UTF-8', b'{"KeyId":"\xff"}')):
            refused(f'{service}: {name}', call(body), 400, 'SerializationException')
        refused(f'{service}: an operation that is not there', call(b'{}', target=target.partition('.')[0] + '.Nonsense'), 400, None)
        refused(f'{service}: another secret', talk(port, t.but(secret='no').request('POST', '/', b'{}', content_type=f'application/x-amz-json-{kind}', x_amz_target=target)), 400,
                'InvalidSignatureException')
        refused(f'{service}: a key nobody has', talk(port, t.but(id='AKIAIOSFODNN7EXAMPLE').request('POST', '/', b'{}', content_type=f'application/x-amz-json-{kind}', x_amz_target=target)), 400,
                'UnrecognizedClientException')
        refused(f'{service}: 16 minutes ago', talk(port, t.but(skew_s=-960).request('POST', '/', b'{}', content_type=f'application/x-amz-json-{kind}', x_amz_target=target)), 400,
                'InvalidSignatureException')
        refused(f'{service}: no signature', talk(port, f'POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: {target}\r\nContent-Length: 2\r\n\r\n{{}}'.encode()),
                *((400, 'MissingAuthenticationTokenException') if service == 'kms' else (403, 'AccessDeniedException'))) # queues may be anybody's
    big = s.but(service='kms').request('POST', '/', b' ' * (3 << 20), content_type='application/x-amz-json-1.1', x_amz_target='TrentService.Encrypt')
    refused('kms: three MiB', talk(port, big), 413)


def rss(local):
    for line in Path(f'/proc/{local.p.pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) * 1024


def slow(local, s):
    """As many as descriptors allow, from addresses of their own: none says enough to be answered."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = min(4000, (hard - 200) // 2)
    if n < 200:
        check.skip('slow connections harm nobody', 'too few descriptors')
        return
    hello = b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'
    says = [b'', b'GET /bkt/x HTTP/1.1\r\nHost: a\r\nX: ', s.request('PUT', '/bkt/slow', b'x' * 1000, payload='UNSIGNED-PAYLOAD')[:-990], hello,
            b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab']
    open_, before, beside = [], rss(local), Beside(local, s)
    beside.start()
    for i in range(n):
        c = socket.socket()
        c.bind((f'127.0.{i % 7}.{2 + i % 200}', 0))
        c.settimeout(20)
        try:
            c.connect(('127.0.0.1', local.port))
            c.sendall(says[i % len(says)])
        except OSError:
            pass # it has had enough of us
        open_.append(c)
        if i % 500 == 499:
            for k in range(0, len(open_), 5): # a byte now and then
                try:
                    open_[k].send(b'x')
                except OSError:
                    pass
    rounds = beside.rounds
    for _ in range(200):
        if beside.rounds >= rounds + 10:
            break
        time.sleep(0.1)
    grown = (rss(local) - before) / n
    beside.stop = True
    beside.join(30)
    check(f'{n} slow connections harm nobody', beside.rounds > 10 and not beside.wrong, f'{beside.rounds} rounds, {beside.wrong[:3]}')
    check('each costs less than 32 KiB', grown < 32768, f'{grown:.0f} bytes')
    for c in open_:
        c.close()
    print(f'# {n} slow connections: {grown:.0f} bytes each; the client beside made {beside.rounds} rounds, its slowest {1000 * beside.slowest:.0f} ms')


def rest(local, s):
    """Kept connections at rest."""
    n, tls = 1000, ssl.create_default_context(cafile=str(local.data / 'tls/ca.pem'))
    for name, most in (('plain', 5120), ('TLS', 20480)):
        open_ = []
        time.sleep(1.5) # connections that were closed are let go of
        before = None
        for i in range(n + 100):
            if i == 100:
                before = rss(local)
            c = socket.create_connection(('127.0.0.1', local.port), timeout=20)
            if name == 'TLS':
                c = tls.wrap_socket(c, server_hostname='localhost')
            c.sendall(s.request('GET', '/bkt/beside'))
            got = c.recv(65536)
            while len(got.partition(b'\r\n\r\n')[2]) < 3000:
                got += c.recv(65536)
            open_.append(c)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline: # buffers are kept for a second of rest
            time.sleep(0.5)
            each = (rss(local) - before) / n
            if each < most:
                break
        print(f'# a {name} connection at rest: {each:.0f} bytes')
        check(f'a {name} connection at rest costs less than {most // 1024} KiB', each < most, f'{each:.0f} bytes')
        for c in open_:
            c.close()


def main():
    local = Local(manifest=MANIFEST)
    try:
        env = local.env()
        s = Signer(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], f'localhost:{local.port}')
        beside = Beside(local, s)
        beside.start()
        while beside.rounds == 0:
            time.sleep(0.01)
        rest(local, s)
        judge(local, local.port, 'coffer-local')
        framing(local)
        signatures(local, s)
        tokens(local, s)
        lengths(local, s)
        chunks(local, s)
        keys(local, s)
        documents(local, s)
        producer(local)
        beside.stop = True
        beside.join(30)
        check('a well-behaved client beside all that noticed nothing', beside.rounds > 3 and not beside.wrong, f'{beside.rounds} rounds, {beside.wrong[:3]}')
        slow(local, s)
        check('coffer-local still runs', local.p.poll() is None)
    finally:
        local.close()
    return check.done()


sys.exit(main())
