#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves rules of the house that a compiler does not: where OpenSSL headers may appear, and that banned functions do not."""
import os, re
from pathlib import Path

SRC = Path(os.environ['COFFER_SOURCE']) / 'src'
BANNED = re.compile(r'\b(sprintf|vsprintf|sscanf|atoi|atol|atoll|strtok|strcpy|strcat|alloca|system|gets)\s*\(')


def main():
    openssl, banned, spdx, guards = [], [], [], []
    for f in sorted(SRC.rglob('*.[ch]')):
        text, rel = f.read_text(), f.relative_to(SRC)
        code = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', '""', text, flags=re.S)
        if 'include <openssl/' in text and rel.parts[0] != 'crypto' and not (rel.parts[0] == 'io' and 'tls' in f.name):
            openssl.append(str(rel))
        banned += [f'{rel}: {m.group(1)}' for m in BANNED.finditer(code)]
        if 'SPDX-License-Identifier: Apache-2.0' not in text[:80]:
            spdx.append(str(rel))
        if rel.parts[0] not in ('base', 'io') and re.search(r'^\s*#\s*if(n?def)?\b(?!ndef COF_)', code, re.M) and f.suffix == '.c':
            guards.append(str(rel))
    checks = [('OpenSSL headers only in crypto and the TLS files', openssl), ('no banned function', banned),
              ('every file names its licence', spdx), ('no conditional compilation outside base and io', guards)]
    print(f'1..{len(checks)}')
    for i, (name, bad) in enumerate(checks, 1):
        print(f'{"not ok" if bad else "ok"} {i} - {name}')
        for b in bad:
            print(f'# {b}')


main()
