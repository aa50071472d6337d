#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 proxy that stands between a client and coffer-local and does what networks and services do on bad days.

    fault_proxy.py --upstream PORT [--tls DIR/tls] [--listen PORT] [--rules FILE.json] [--log FILE.jsonl]

prints `ready PORT`; from Python: `with FaultProxy(port, tls) as p: p.rule(...)`. One port takes plain HTTP and TLS (the certificate
is coffer-local's own) and speaks to coffer-local in the same way. Heads are passed on as they are, so signatures hold: the stand-in
wants Host signed and cares for no port in it. Each client connection has its own connection to coffer-local.

A rule strikes the nth request (and times - 1 after it; times 0: all of them) of those that match method (equal), path and query
(regular expressions, searched). The first rule that strikes is the one that acts. What it does:

    do     at                                        more
    reset, connection  nothing was read, not even TLS (no method, path or query here)
    close, head        the request's head was read, nothing passed on
    stall  body        in the request's body         after: bytes, or a fraction of it (0.5)
           reply       coffer-local did the request and answered, but the client hears nothing
           reply-head  half the reply's head was given
           reply-body  in the reply's body           after: as above
           end         all was given; the connection could have served again
    stall                                            seconds, then it goes on
    answer             in coffer-local's place       status, code, message, headers, body; early: before the body was read
    alter              passed on with changes        flip: position (as after) of a reply byte to change; flip_request: of a
                                                     request byte; headers: {name: text, or null to drop} of the reply
    slow               the reply's body by drops     piece: bytes, pause: seconds

Each request is a line of JSON in the log, and a dict in .requests: n, connection, method, path, query, headers (secrets left out),
scope (what it is signed for, such as us-east-1/s3), received (bytes of body that came from the client), passed (whether coffer-local saw any of it), done (whether it answered), status
(coffer-local's), sent (the status that went to the client), reply_bytes, fault (the rule's name, or null), start, seconds.
"""
import argparse, asyncio, contextlib, email.utils, json, re, socket, ssl, struct, sys, threading, time
from pathlib import Path

LIMIT, PIECE, LINGER_S = 1 << 18, 1 << 16, 0.5
SECRET = {'authorization', 'x-amz-security-token', 'x-amz-server-side-encryption-customer-key',
          'x-amz-copy-source-server-side-encryption-customer-key'}


class Cut(Exception):
    """The exchange and its connection end here: by 'reset' or by 'close'."""


class Gone(Exception):
    """A peer left, or what it sent is no HTTP."""


class Head:
    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode('latin-1').split('\r\n')
        self.first = lines[0].split(' ', 2)
        if len(self.first) < 2:
            raise Gone('no HTTP')
        self.headers = [(n, v.strip()) for n, _, v in (l.partition(':') for l in lines[1:] if l)]

    def get(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    def framing(self):
        """-> bytes of the body, or 'chunked', or None where nothing is said"""
        if 'chunked' in (self.get('transfer-encoding') or '').lower():
            return 'chunked'
        return int(self.get('content-length')) if self.get('content-length') is not None else None

    def changed(self, changes):
        drop = {name.lower() for name in changes}
        lines = [' '.join(self.first)] + [f'{n}: {v}' for n, v in self.headers if n.lower() not in drop]
        lines += [f'{n}: {v}' for n, v in changes.items() if v is not None]
        return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n'


class End:
    """One end of a connection."""

    def __init__(self, reader, transport, protocol, loop):
        self.reader, self.writer = reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def head(self):
        """None where the connection ends in good order."""
        try:
            return Head(await self.reader.readuntil(b'\r\n\r\n'))
        except asyncio.IncompleteReadError as e:
            if e.partial:
                raise Gone('an unfinished head') from e
            return None
        except (OSError, ValueError, asyncio.LimitOverrunError) as e:
            raise Gone(str(e)) from e

    async def pieces(self, framing):
        """The body as it is on the wire."""
        try:
            if framing == 'chunked':
                size = -1
                while size != 0:
                    line = await self.reader.readuntil(b'\r\n')
                    yield line
                    size = int(line.split(b';')[0], 16)
                    left = size + 2 if size else 0
                    while left:
                        piece = await self.some(left)
                        left -= len(piece)
                        yield piece
                line = b''
                while line != b'\r\n':  # trailers
                    line = await self.reader.readuntil(b'\r\n')
                    yield line
                return
            left = framing
            while left is None or left > 0:
                piece = await self.some(PIECE if left is None else left)
                if not piece:
                    return
                left = left and left - len(piece)
                yield piece
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            raise Gone(str(e)) from e

    async def some(self, most):
        piece = await self.reader.read(min(most, PIECE))
        if not piece and most != PIECE:
            raise Gone('an unfinished body')
        return piece

    async def write(self, data):
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as e:
            raise Gone(str(e)) from e

    def reset(self):
        sock = self.writer.get_extra_info('socket')
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.writer.transport.abort()

    def close(self):
        self.writer.close()

    async def linger(self):
        """Closes after a reply that came before the request's end, such that the reply is not lost with it."""
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            if self.writer.can_write_eof():
                self.writer.write_eof()
            async with asyncio.timeout(LINGER_S):
                while await self.reader.read(PIECE):
                    pass
        self.close()


def position(after, total):
    return after if isinstance(after, int) else int((total if isinstance(total, int) else 2) * after)


class FaultProxy:
    def __init__(self, upstream, tls=None, listen=0, log=None):
        """upstream: coffer-local's port; tls: its DIR/tls, without which only plain HTTP is spoken"""
        self.upstream, self.rules, self.requests, self.log = upstream, [], [], log and open(log, 'a', buffering=1)
        self.lock, self.started, self.connections, self.tasks = threading.Condition(), threading.Event(), 0, set()
        self.inward = self.outward = None
        if tls:
            self.inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.inward.load_cert_chain(Path(tls) / 'local.pem', Path(tls) / 'local.key')
            self.outward = ssl.create_default_context(cafile=str(Path(tls) / 'ca.pem'))
        self.listener = socket.create_server(('127.0.0.1', listen), backlog=256)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    # for tests ---------------------------------------------------------------------------------------------------------
    def rule(self, do, at=None, *, name=None, method=None, path=None, query=None, nth=1, times=1, **more):
        rule = {'do': do, 'at': at, 'name': name or f'{do} {at or more.get("status", "")}'.strip(), 'method': method, 'path': path,
                'query': query, 'nth': nth, 'times': times, 'seen': 0, **more}
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        with self.lock:
            self.rules = []

    def seen(self, path='', method=None, **equal):
        """The requests so far whose path contains this text, once none of them is under way (a stalled one is, so five seconds at
        most)."""
        with self.lock:
            self.lock.wait_for(lambda: not any(r['seconds'] is None and path in r['path'] for r in self.requests), 5)
            return [r for r in self.requests if path in r['path'] and method in (None, r['method']) and
                    all(r[k] == v for k, v in equal.items())]

    def __enter__(self):
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self.thread.start()
        self.started.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(10)
        if self.log:
            self.log.close()

    # the proxy ---------------------------------------------------------------------------------------------------------
    async def serve(self):
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        self.loop.set_exception_handler(lambda loop, context: None)  # peers that leave amid TLS are what this is about
        accepting = asyncio.create_task(self.accept())
        self.started.set()
        await self.stop.wait()
        self.listener.close()
        for task in [accepting, *self.tasks]:
            task.cancel()
        await asyncio.gather(accepting, *self.tasks, return_exceptions=True)

    async def accept(self):
        while True:
            sock, _ = await self.loop.sock_accept(self.listener)
            self.connections += 1
            task = asyncio.create_task(self.connection(sock, self.connections))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def strike(self, request):
        """The rule for this request, or for this connection where request is None."""
        with self.lock:
            for rule in self.rules:
                if (rule['at'] == 'connection') != (request is None):
                    continue
                if request and (rule['method'] not in (None, request['method']) or not re.search(rule['path'] or '', request['path'])
                                or not re.search(rule['query'] or '', request['query'])):
                    continue
                rule['seen'] += 1
                if rule['seen'] >= rule['nth'] and (rule['times'] == 0 or rule['seen'] < rule['nth'] + rule['times']):
                    return rule
        return None

    def begin(self, rule, **more):
        entry = {'n': 0, 'start': time.time(), 'method': '', 'path': '', 'query': '', 'headers': {}, 'scope': None, **more, 'received': 0, 'passed': False,
                 'done': False, 'status': None, 'sent': None, 'reply_bytes': 0, 'fault': rule and rule['name'], 'seconds': None}
        with self.lock:
            self.requests.append(entry)
            entry['n'] = len(self.requests)
        return entry

    def end(self, entry):
        with self.lock:
            entry['seconds'] = round(time.time() - entry['start'], 3)
            self.lock.notify_all()
            if self.log:
                self.log.write(json.dumps(entry) + '\n')

    async def open(self, sock, context, server):
        reader = asyncio.StreamReader(LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        if server:
            transport, _ = await self.loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
        else:
            transport, _ = await self.loop.create_connection(lambda: protocol, '127.0.0.1', self.upstream, ssl=context,
                                                             server_hostname='localhost' if context else None)
        return End(reader, transport, protocol, self.loop)

    async def first_byte(self, sock):
        ready = self.loop.create_future()
        self.loop.add_reader(sock, lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            self.loop.remove_reader(sock)
        return sock.recv(1, socket.MSG_PEEK)

    async def connection(self, sock, number):
        state = {'number': number, 'client': None, 'upstream': None, 'outward': None}
        kind = 'close'
        sock.setblocking(False)
        try:
            rule = self.strike(None)
            if rule:
                entry = self.begin(rule, connection=number)
                try:
                    await self.at(rule, 'connection')
                finally:
                    self.end(entry)
            first = await self.first_byte(sock)
            is_tls = first == b'\x16' and self.inward is not None
            state['outward'] = self.outward if is_tls else None
            state['client'] = await self.open(sock, self.inward if is_tls else None, True)
            while await self.exchange(state):
                pass
        except Cut as e:
            kind = str(e)
        except (Gone, OSError):
            pass
        finally:
            for end in (state['upstream'], state['client']):
                if end:
                    end.reset() if kind == 'reset' else end.close()
            if not state['client']:
                if kind == 'reset':
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                sock.close()

    async def at(self, rule, place):
        if not rule or rule['at'] != place:
            return
        if rule['do'] == 'stall':
            await asyncio.sleep(rule.get('seconds', 3600))
        elif rule['do'] in ('reset', 'close'):
            raise Cut(rule['do'])

    async def exchange(self, state):
        """One request and its reply -> whether another may follow"""
        client = state['client']
        head = await client.head()
        if head is None:
            return False
        path, _, query = head.first[1].partition('?')
        request = {'method': head.first[0], 'path': path, 'query': query}
        rule = self.strike(request)
        scope = re.search('Credential=[^/]*/[0-9]*/([^/]*/[^/]*)/', head.get('authorization') or '')
        entry = self.begin(rule, connection=state['number'], **request, scope=scope and scope.group(1),
                           headers={n.lower(): v for n, v in head.headers if n.lower() not in SECRET})
        try:
            await self.at(rule, 'head')
            if rule and rule['do'] == 'answer':
                return await self.answer(client, head, rule, entry)
            return await self.forward(state, head, rule or {'do': None, 'at': None}, entry)
        finally:
            self.end(entry)

    async def answer(self, client, head, rule, entry):
        early = rule.get('early', False)
        if not early:
            if head.get('expect'):
                await client.write(b'HTTP/1.1 100 Continue\r\n\r\n')
            async for piece in client.pieces(head.framing() or 0):
                entry['received'] += len(piece)
        body = rule.get('body')
        if body is None:
            body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{rule["code"]}</Code><Message>{rule.get("message", "Injected.")}'
                    f'</Message><RequestId>FAULT</RequestId></Error>') if rule.get('code') else ''
        body = body.encode() if isinstance(body, str) else body
        headers = {'Date': email.utils.formatdate(usegmt=True), 'Content-Type': 'application/xml', 'x-amz-request-id': 'FAULT',
                   'Content-Length': str(len(body)), **({'Connection': 'close'} if early else {}), **rule.get('headers', {})}
        if 'date_offset' in rule:
            headers['Date'] = email.utils.formatdate(time.time() + rule['date_offset'], usegmt=True)
        entry['sent'] = rule['status']
        text = f'HTTP/1.1 {rule["status"]} Injected\r\n' + ''.join(f'{n}: {v}\r\n' for n, v in headers.items() if v is not None) + '\r\n'
        await client.write(text.encode() + (b'' if head.first[0] == 'HEAD' else body))
        entry['reply_bytes'] = len(body)
        if early:
            await client.linger()
        return not early

    async def forward(self, state, head, rule, entry):
        if state['upstream'] is None or state['upstream'].reader.at_eof():
            state['upstream'] = await self.open(None, state['outward'], False)
        client, upstream = state['client'], state['upstream']
        framing = head.framing() or 0
        entry['passed'] = True
        await upstream.write(head.raw)
        sending = asyncio.create_task(self.send_body(client, upstream, framing, rule, entry))
        replying = asyncio.create_task(self.reply(client, upstream, head.first[0] == 'HEAD', rule, entry))
        try:
            await asyncio.wait([sending, replying], return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and sending.exception():  # our own cut, or the client left; a server that left early may have answered
                if not isinstance(sending.exception(), Gone) or client.reader.at_eof() or client.reader.exception():
                    raise sending.exception()
            keep = await replying
            await asyncio.wait([sending], timeout=0.05)  # its last write may be about to return
            if not sending.done() or sending.exception():
                await client.linger()
                return False
            await self.at(rule, 'end')
            return keep
        finally:
            for task in (sending, replying):
                task.cancel()
            await asyncio.gather(sending, replying, return_exceptions=True)

    async def send_body(self, client, upstream, framing, rule, entry):
        cut = position(rule.get('after', 0.5), framing) if rule['at'] == 'body' else None
        flip = position(rule['flip_request'], framing) if rule.get('flip_request') is not None else None
        if cut == 0:
            await self.at(rule, 'body')
        async for piece in client.pieces(framing):
            start = entry['received']
            entry['received'] += len(piece)
            if flip is not None and start <= flip < entry['received']:
                piece = piece[:flip - start] + bytes([piece[flip - start] ^ 1]) + piece[flip - start + 1:]
            if cut is not None and start < cut <= entry['received']:
                await upstream.write(piece[:cut - start])
                await self.at(rule, 'body')
                piece = piece[cut - start:]
            await upstream.write(piece)

    async def reply(self, client, upstream, is_head, rule, entry):
        while True:
            head = await upstream.head()
            if head is None:
                raise Gone('coffer-local closed the connection')
            status = int(head.first[1])
            if status >= 200:
                break
            await client.write(head.raw)
        framing = 0 if is_head or status in (204, 304) else head.framing()
        entry['status'] = status
        if rule['at'] == 'reply':
            async for _ in upstream.pieces(framing):
                pass
            entry['done'] = True
            await self.at(rule, 'reply')
            raise Cut('close')  # a stall that ended: the reply was thrown away
        entry['done'] = True
        raw = head.changed(rule.get('headers', {})) if rule['do'] == 'alter' else head.raw
        told = Head(raw)
        if rule['at'] == 'reply-head':
            await client.write(raw[:len(raw) // 2])
            await self.at(rule, 'reply-head')
            raw = raw[len(raw) // 2:]
        await client.write(raw)
        entry['sent'] = status
        await self.reply_body(client, upstream, framing, rule, entry)
        return told.framing() == head.framing() and framing is not None and (told.get('connection') or '').lower() != 'close'

    async def reply_body(self, client, upstream, framing, rule, entry):
        cut = position(rule.get('after', 0.5), framing) if rule['at'] == 'reply-body' else None
        flip = position(rule['flip'], framing) if rule.get('flip') is not None else None
        at = 0
        if cut == 0:
            await self.at(rule, 'reply-body')
        async for piece in upstream.pieces(framing):
            start, at = at, at + len(piece)
            if flip is not None and start <= flip < at:
                piece = piece[:flip - start] + bytes([piece[flip - start] ^ 1]) + piece[flip - start + 1:]
            if cut is not None and start < cut <= at:
                await client.write(piece[:cut - start])
                entry['reply_bytes'] = cut
                await self.at(rule, 'reply-body')
                piece = piece[cut - start:]
            if rule['do'] == 'slow':
                for i in range(0, len(piece), rule.get('piece', 1024)):
                    await client.write(piece[i:i + rule.get('piece', 1024)])
                    await asyncio.sleep(rule.get('pause', 0.01))
            else:
                await client.write(piece)
            entry['reply_bytes'] = at


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--upstream', type=int, required=True)
    ap.add_argument('--tls', type=Path)
    ap.add_argument('--listen', type=int, default=0)
    ap.add_argument('--rules', type=Path, help='a JSON list of rules')
    ap.add_argument('--log', type=Path)
    a = ap.parse_args()
    with FaultProxy(a.upstream, a.tls, a.listen, a.log) as proxy:
        for rule in json.loads(a.rules.read_text()) if a.rules else []:
            proxy.rule(**rule)
        print('ready', proxy.port, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            proxy.thread.join()


if __name__ == '__main__':
    sys.exit(main())
