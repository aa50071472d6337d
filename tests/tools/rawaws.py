# SPDX-License-Identifier: Apache-2.0
"""Requests to AWS services byte by byte, for tests of what is refused: a signer in which everything can be wrong, and a socket."""
import hashlib, hmac, re, socket, ssl, time
from urllib.parse import quote, unquote_to_bytes

EMPTY = hashlib.sha256(b'').hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode() if isinstance(text, str) else text, hashlib.sha256).digest()


def signing_key(secret, day, region, service):
    key = b'AWS4' + secret.encode()
    for part in (day, region, service, 'aws4_request'):
        key = mac(key, part)
    return key


class Signer:
    """Of one key; what is given to a call in place of the right thing is signed all the same."""

    def __init__(self, key_id, secret, host, token=None, region='us-east-1', service='s3', skew_s=0):
        self.id, self.secret, self.host, self.token, self.region, self.service, self.skew_s = key_id, secret, host, token, region, service, skew_s

    def but(self, **changed):
        s = Signer(self.id, self.secret, self.host, self.token, self.region, self.service, self.skew_s)
        for k, v in changed.items():
            setattr(s, k, v)
        return s

    def date(self):
        return time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(time.time() + self.skew_s))

    def scope(self, day):
        return f'{day}/{self.region}/{self.service}/aws4_request'

    def _sign(self, method, path, query, fields, payload, date, day):
        names = ';'.join(sorted(fields))
        pairs = sorted(p.partition('=')[::2] for p in query.split('&') if p)
        path = quote(unquote_to_bytes(path), safe='/-_.~') if self.service == 's3' else quote(path)
        canonical = '\n'.join([method, path, '&'.join(f'{a}={b}' for a, b in pairs),
                               *(f'{n}:{fields[n]}' for n in sorted(fields)), '', names, payload])
        text = '\n'.join(['AWS4-HMAC-SHA256', date, self.scope(day), hashlib.sha256(canonical.encode()).hexdigest()])
        return names, mac(signing_key(self.secret, day, self.region, self.service), text).hex()

    def request(self, method, path, body=b'', query='', payload=None, day=None, date=None, unsigned=(), length=True, **more):
        """-> the head's bytes and the body's; more: header fields (x_amz_meta_a='b'), signed; unsigned: [(name, value)]"""
        date = date or self.date()
        day = day or date[:8]
        payload = hashlib.sha256(body).hexdigest() if payload is None else payload
        fields = {'host': self.host, 'x-amz-date': date, **{k.replace('_', '-'): v for k, v in more.items()}}
        if payload:
            fields['x-amz-content-sha256'] = payload
        if self.token:
            fields['x-amz-security-token'] = self.token
        names, signature = self._sign(method, path, query, fields, payload or hashlib.sha256(body).hexdigest(), date, day)
        self.signature, self.signed_date, self.signed_day = signature, date, day
        out = [f'{method} {path}{"?" + query if query else ""} HTTP/1.1', *(f'{n}: {v}' for n, v in fields.items()),
               f'Authorization: AWS4-HMAC-SHA256 Credential={self.id}/{self.scope(day)}, SignedHeaders={names}, Signature={signature}',
               *(f'{n}: {v}' for n, v in unsigned)]
        if length and method != 'GET':
            out.append(f'Content-Length: {len(body)}')
        return '\r\n'.join(out).encode() + b'\r\n\r\n' + body

    def presigned(self, method, path, expires=60, age_s=0, **more):
        date = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(time.time() - age_s + self.skew_s))
        query = {'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Credential': f'{self.id}/{self.scope(date[:8])}', 'X-Amz-Date': date,
                 'X-Amz-Expires': str(expires), 'X-Amz-SignedHeaders': 'host', **more}
        text = '&'.join(f'{k}={quote(v, safe="")}' for k, v in query.items())
        _, signature = self._sign(method, path, text, {'host': self.host}, 'UNSIGNED-PAYLOAD', date, date[:8])
        return f'{method} {path}?{text}&X-Amz-Signature={signature} HTTP/1.1\r\nHost: {self.host}\r\n\r\n'.encode()

    def chunk(self, data, previous, trailer=None):
        """The signature of a chunk of an aws-chunked body (or of its trailers), after that of the one before."""
        key = signing_key(self.secret, self.signed_day, self.region, self.service)
        kind, parts = ('TRAILER', [hashlib.sha256(trailer).hexdigest()]) if trailer is not None else ('PAYLOAD', [EMPTY, hashlib.sha256(data).hexdigest()])
        return mac(key, '\n'.join([f'AWS4-HMAC-SHA256-{kind}', self.signed_date, self.scope(self.signed_day), previous, *parts])).hex()


class Reply:
    def __init__(self, raw, ended):
        self.raw, self.ended = raw, ended
        m = re.match(rb'HTTP/1\.[01] (\d+)', raw)
        self.status = int(m[1]) if m else 0
        self.head, _, self.body = raw.partition(b'\r\n\r\n')
        m = re.search(rb'<Code>([^<]*)</Code>|"__type": ?"([^"]*)"', self.body)
        self.code = (m[1] or m[2]).decode().rpartition('#')[2] if m else ''
        self.count = len(re.findall(rb'(?:^|\r\n\r\n|>|})HTTP/1\.[01] \d', raw))

    def __repr__(self):
        return f'{self.status} {self.code or self.body[:80]}' + (' (closed)' if self.ended else '')


def talk(port, data, tls=None, end=False, wait_s=20):
    """Sends bytes and reads one reply, or to the end of the connection where there is no whole one. end: our side ends after them."""
    with socket.create_connection(('127.0.0.1', port), timeout=wait_s) as s:
        if tls:
            s = tls.wrap_socket(s, server_hostname='localhost')
        got, ended = b'', False
        try:
            s.sendall(data)
            if end:
                s.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while not whole(got):
                more = s.recv(65536)
                if not more:
                    ended = True
                    break
                got += more
        except (ConnectionResetError, TimeoutError, ssl.SSLError):
            ended = True
        s.close()
    return Reply(got, ended)


def whole(got):
    while got.startswith(b'HTTP/1.1 100'):
        got = got.partition(b'\r\n\r\n')[2]
    head, sep, body = got.partition(b'\r\n\r\n')
    if not sep:
        return False
    m = re.search(rb'\r\ncontent-length: (\d+)', head, re.I)
    return m is not None and len(body) >= int(m[1]) and b'connection: close' not in head.lower()
