# SPDX-License-Identifier: Apache-2.0
"""What a disk may hold after a power cut: reads what powercut.so wrote down of a program's work in one folder, and builds states of it.

A write that was not synced is there, or not, or in part: of each sector of 512 or 4096 bytes an older or a newer version, never a mix, and
never an older one than the last sync. A file's length is one it had since its last sync; where the length arrived and the bytes did not,
zeros are read (ext4 and XFS show just that at the ends of files). A sync that failed keeps nothing, and what was written before it is not
written again by a later sync, unless somebody writes to that page again (Linux marks the pages clean).

Names are lost in one of two ways, drawn for each state: "harsh", where a name (made, renamed, removed) is durable by the sync of its
folder alone, each name by itself, as POSIX allows; or "journal", as ext4 has it: changes of names are kept in their order up to some
moment, and a file's own sync keeps its name too. A rename may leave both names or one, but never none."""
import os, struct
from pathlib import Path

PAGE = 4096
HEAD = struct.Struct('<IBBHQQQQ')
BASE, MAKE, NAMELESS, WRITE, SIZE, ZERO, BEGIN, SYNC, UNSYNCED, LINK, UNLINK, RENAME, MAPPED, INJECTED = b'bcnwtzSsflurmi'


class File:
    is_dir = False

    def __init__(self, data=b''):
        self.now = bytearray(data)     # what the program reads
        self.kept = bytearray(data)    # what was there at the last sync
        self.pages = {}                # page -> [(seq, offset, bytes)] written since
        self.dirty = set()             # pages that the next sync writes
        self.sizes = []                # [(seq, size)]

    def _note(self, seq, offset, data):
        at = 0
        while at < len(data):
            page = (offset + at) // PAGE
            n = min(len(data) - at, (page + 1) * PAGE - offset - at)
            self.pages.setdefault(page, []).append((seq, offset + at, data[at:at + n]))
            self.dirty.add(page)
            at += n

    def resize(self, seq, size):
        if size < len(self.now):
            self._note(seq, size, bytes(len(self.now) - size))
            del self.now[size:]
        elif size > len(self.now):
            self.now.extend(bytes(size - len(self.now)))
        else:
            return
        self.sizes.append((seq, size))

    def write(self, seq, offset, data):
        if offset + len(data) > len(self.now):
            self.resize(seq, offset + len(data))
        self.now[offset:offset + len(data)] = data
        self._note(seq, offset, data)

    def zero(self, seq, offset, n):
        n = min(n, len(self.now) - offset)
        if n > 0:
            self.write(seq, offset, bytes(n))

    def begin(self, seq):
        """A sync begins: -> what it will have made durable when it has ended."""
        pages = {page: bytes(self.now[page * PAGE:(page + 1) * PAGE]) for page in self.dirty}
        self.dirty.clear()
        return seq, len(self.now), pages

    def end(self, begun):
        seq, size, pages = begun
        del self.kept[size:]
        self.kept.extend(bytes(size - len(self.kept)))
        for page, data in pages.items():
            self.kept[page * PAGE:page * PAGE + len(data)] = data
            later = [piece for piece in self.pages.pop(page, ()) if piece[0] > seq]
            if later:
                self.pages[page] = later
        self.sizes = [s for s in self.sizes if s[0] > seq]

    def seqs(self):
        return sorted({piece[0] for pieces in self.pages.values() for piece in pieces} | {seq for seq, _ in self.sizes})

    def state(self, rng, sector):
        """-> bytes"""
        seqs = self.seqs()
        how = rng.choice(('none', 'all', 'prefix', 'writes', 'torn', 'torn')) if seqs else 'none'
        if how == 'none':
            return bytes(self.kept)
        if how == 'all':
            arrived = set(seqs)
        elif how == 'prefix':
            arrived = set(seqs[:rng.randint(0, len(seqs))])
        else:
            arrived = {seq for seq in seqs if rng.random() < 0.5}
        sizes = [len(self.kept)] + [size for _, size in self.sizes]
        size = rng.choice(sizes) if how == 'torn' else ([len(self.kept)] + [size for seq, size in self.sizes if seq in arrived])[-1]
        out = bytearray(self.kept)
        out.extend(bytes(max(sizes + [len(out), len(self.now)]) - len(out)))
        for pieces in self.pages.values():
            self._page(out, pieces, arrived, rng if how == 'torn' else None, sector)
        return bytes(out[:size])

    @staticmethod
    def _page(out, pieces, arrived, rng, sector):
        first = min(offset for _, offset, _ in pieces) // sector * sector
        end = max(offset + len(data) for _, offset, data in pieces)
        for at in range(first, end, sector):
            if rng is not None:
                n = rng.randint(0, len(pieces))
            else: # the newest that arrived brings what the page held then
                n = max((i + 1 for i, piece in enumerate(pieces) if piece[0] in arrived), default=0)
            for _, offset, data in pieces[:n]:
                a, b = max(at, offset), min(at + sector, offset + len(data))
                if a < b:
                    out[a:b] = data[a - offset:b - offset]


class Folder:
    is_dir = True

    def __init__(self):
        self.now, self.kept, self.journal = {}, {}, {} # name -> id; journal: what ext4's has for sure
        self.changes = []  # [(seq, name, id or None, twin)] since the last sync; twin: (folder, name) that a rename made


class Disk:
    """The folder as its log tells of it, up to where it was read."""

    def __init__(self, log, base):
        self.log, self.at, self.seq, self.nodes, self.root, self.injected = Path(log).read_bytes(), 0, 0, {}, 0, 0
        self.syncs = {} # those under way
        self.meta = [] # [(seq, [(folder id, name, id or None)])] that the journal may not have yet
        base = Path(base)
        paths = {}
        while self.at < len(self.log) and self.log[self.at + 4] == BASE:
            is_dir, folder, node, name, _ = self._next()[1:]
            paths[node] = base if folder == 0 else paths[folder] / name
            self.nodes[node] = Folder() if is_dir else File(paths[node].read_bytes())
            if folder == 0:
                self.root = node
            else:
                for names in (self.nodes[folder].now, self.nodes[folder].kept, self.nodes[folder].journal):
                    names[name] = node
        self.start = self.at

    def _next(self):
        size, op, is_dir, n, folder, node, offset, length = HEAD.unpack_from(self.log, self.at)
        start = self.at + HEAD.size
        self.at += size
        name = self.log[start:start + n].decode()
        if op == BASE:
            return op, is_dir, folder, node, name, b''
        return op, is_dir, folder, node, name, self.log[start + n:self.at], offset, length

    def ends(self):
        """Where each record ends, from the first operation on."""
        at, out = self.start, [self.start]
        while at < len(self.log):
            at += struct.unpack_from('<I', self.log, at)[0]
            out.append(at)
        return out

    def read_to(self, end):
        while self.at < end:
            assert self.log[self.at + 4] != BASE, 'a second process wrote to the log'
            self._apply(*self._next())

    def _apply(self, op, is_dir, folder, node, name, data, offset, length):
        self.seq += 1
        seq, it = self.seq, self.nodes.get(node)
        if op == MAKE:
            self.nodes[node] = Folder() if is_dir else File()
            self._rename(seq, [(folder, name, node)])
        elif op == NAMELESS:
            self.nodes[node] = File()
        elif op == LINK:
            self._rename(seq, [(folder, name, node)])
        elif op == UNLINK:
            if name in self.nodes[folder].now: # sockets are not followed
                self._rename(seq, [(folder, name, None)])
        elif op == RENAME:
            old, _, new = name.partition('/')
            self._rename(seq, [(offset, new, node), (folder, old, None)])
        elif op == WRITE:
            it.write(seq, offset, data)
        elif op == SIZE:
            it.resize(seq, length)
        elif op == ZERO:
            it.zero(seq, offset, length)
        elif op == BEGIN:
            self.syncs[offset] = seq if it.is_dir else it.begin(seq)
        elif op == SYNC:
            self._sync(node, it, self.syncs.pop(offset))
        elif op == UNSYNCED:
            del self.syncs[offset]
        elif op == INJECTED:
            self.injected += 1
        else:
            raise AssertionError('the program changes a file through memory: its writes cannot be followed')

    def _rename(self, seq, changes):
        twin = changes[0][:2] if len(changes) == 2 else None
        self.meta.append((seq, changes))
        for folder, name, node in changes:
            f = self.nodes[folder]
            f.changes.append((seq, name, node, twin if node is None else None))
            f.now.pop(name, None)
            if node is not None:
                f.now[name] = node

    @staticmethod
    def _set(names, name, node):
        names.pop(name, None)
        if node is not None:
            names[name] = node

    def _settle(self, folder, name, seq):
        """A name's changes up to seq are kept."""
        f = self.nodes[folder]
        for change in [c for c in f.changes if c[1] == name and c[0] <= seq]:
            self._set(f.kept, name, change[2])
            f.changes.remove(change)

    def _sync(self, node, it, begun):
        seq = begun if it.is_dir else begun[0]
        if it.is_dir:
            for at, name, which, twin in [c for c in it.changes if c[0] <= seq]:
                if twin is not None and twin[0] != node:
                    self._settle(*twin, at)
                self._set(it.kept, name, which)
            it.changes = [c for c in it.changes if c[0] > seq]
        else:
            it.end(begun)
        own = 0 if it.is_dir else 2 # a change concerns its folder, or its file
        upto = max((i + 1 for i, (at, changes) in enumerate(self.meta) if at <= seq and any(c[own] == node for c in changes)), default=0)
        for _, changes in self.meta[:upto]:
            for folder, name, which in changes:
                self._set(self.nodes[folder].journal, name, which)
        del self.meta[:upto]

    def _names_journal(self, rng):
        names = {i: dict(f.journal) for i, f in self.nodes.items() if f.is_dir}
        n = rng.choice((0, len(self.meta), rng.randint(0, len(self.meta))))
        for _, changes in self.meta[:n]:
            for folder, name, node in changes:
                self._set(names[folder], name, node)
        return names

    def _names_harsh(self, rng):
        names, kept = {}, {} # kept: (folder, name) -> seq up to which its changes arrived
        for i, f in self.nodes.items():
            if not f.is_dir:
                continue
            how = rng.choice(('none', 'all', 'some', 'some'))
            for name in {c[1] for c in f.changes}:
                seqs = [c[0] for c in f.changes if c[1] == name]
                kept[i, name] = {'none': 0, 'all': seqs[-1], 'some': rng.choice([0] + seqs)}[how]
        for i, f in self.nodes.items():
            for seq, name, _, twin in f.changes if f.is_dir else ():
                if twin is not None and seq <= kept[i, name] and twin in kept:
                    kept[twin] = max(kept[twin], seq)
        for i, f in self.nodes.items():
            if f.is_dir:
                names[i] = dict(f.kept)
                for seq, name, node, _ in f.changes:
                    if seq <= kept[i, name]:
                        self._set(names[i], name, node)
        return names

    def state(self, rng, how):
        """-> {path: (inode, bytes), or None for a folder}; how: harsh or journal"""
        names = self._names_harsh(rng) if how == 'harsh' else self._names_journal(rng)
        sector, files, out = rng.choice((512, PAGE)), {}, {}

        def walk(node, path):
            for name, inner in sorted(names[node].items()):
                it = self.nodes.get(inner)
                if it is None:
                    continue
                if it.is_dir:
                    out[f'{path}{name}'] = None
                    walk(inner, f'{path}{name}/')
                else:
                    if inner not in files:
                        files[inner] = it.state(rng, sector)
                    out[f'{path}{name}'] = inner, files[inner]
        walk(self.root, '')
        return out

    def whole(self):
        """As if everything had arrived."""
        out = {}

        def walk(node, path):
            for name, inner in self.nodes[node].now.items():
                it = self.nodes[inner]
                out[f'{path}{name}'] = None if it.is_dir else bytes(it.now)
                if it.is_dir:
                    walk(inner, f'{path}{name}/')
        walk(self.root, '')
        return out


def write_state(state, folder):
    os.mkdir(folder, 0o700)
    first = {}
    for path, it in state.items():
        if it is None:
            os.mkdir(f'{folder}/{path}', 0o700)
        elif it[0] in first: # two names, of a rename
            os.link(f'{folder}/{first[it[0]]}', f'{folder}/{path}')
        else:
            first[it[0]] = path
            with open(f'{folder}/{path}', 'wb', opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
                f.write(it[1])


def read_folder(folder):
    """The same of a real folder, without sockets."""
    out = {}
    for path in Path(folder).rglob('*'):
        if path.is_dir() or path.is_file():
            out[str(path.relative_to(folder))] = None if path.is_dir() else path.read_bytes()
    return out


def environment(library, folder, log, **more):
    """more: LIE, CONTROL ..."""
    return dict(os.environ, LD_PRELOAD=str(library), POWERCUT_FOLDER=str(folder), POWERCUT_LOG=str(log), POWERCUT_NOSYNC='300',
                **{f'POWERCUT_{k}': str(v) for k, v in more.items()})
