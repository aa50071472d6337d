#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that the pure layers make no system call and read no clock, randomness or environment: every symbol their
archives leave undefined must be ours, a named library's, or one of a short list of pure functions of the C library."""
import os, re, subprocess
from pathlib import Path

BUILD = Path(os.environ['COFFER_BUILD'])
ORDER = ['base', 'format', 'crypto', 'engine', 'policy', 'standin', 'io', 'client', 'prog']
PURE_C = re.compile(r'''^(
    mem(cpy|ccpy|move|set|cmp|chr|mem|rchr) | str(len|dup|ndup|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|casecmp|ncasecmp|tod|toull|toul|toll) |
    (__)?(v?snprintf)(_chk)? | __(mem\w+|str\w+|explicit_bzero)_chk | explicit_bzero | malloc | calloc | realloc | free |
    qsort | bsearch | abort | __stack_chk_fail | __assert_fail | __errno_location | pthread_(once|mutex_\w+) |
    __isoc99_strto\w+ | __ctype_\w+ | tolower | toupper | round | floor | ceil | pow | fabs | isnan | isinf | fmod |
    _GLOBAL_OFFSET_TABLE_ | __cpu_model | __cpu_features2 | __cpu_indicator_init | getauxval | __getauxval | __asan_\w+ | __ubsan_\w+ | __tls_get_addr | inet_(pton|ntop) | _setjmp | longjmp | __longjmp_chk
)$''', re.X)
LIBRARY = {'format': r'^(json_|jsonp_|XML_)', 'engine': r'^(json_|jsonp_)', 'policy': r'^json_', 'standin': r'^json_',
           'crypto': r'^(XXH|EVP_|OSSL_|BN_|EC_|ECDSA_|RSA_|X509|ASN1_|d2i_|i2d_|i2o_|o2i_|PEM_|BIO_|PKCS8_|OBJ_|OPENSSL_|CRYPTO_|ERR_|'
                     r'OSSL|GENERAL_NAME|BASIC_CONSTRAINTS|AUTHORITY_KEYID|X509V3_|OpenSSL_|ASN1|sk_|o2i|EC)'}
PURE = ['base', 'format', 'crypto', 'engine', 'policy', 'standin']


def symbols(archive, kind):
    out = subprocess.run(['nm', '-P', '-A', kind, str(archive)], capture_output=True, text=True, check=True).stdout
    return [(line.split(':', 1)[0], line.split()[1]) for line in out.splitlines() if line.strip()]


def main():
    tests = []
    owner = {}
    for layer in ORDER:
        archive = BUILD / 'src' / f'libcoffer_{layer}.a'
        if archive.exists():
            for _, name in symbols(archive, '--defined-only'):
                owner.setdefault(name, layer)
    for layer in PURE:
        archive = BUILD / 'src' / f'libcoffer_{layer}.a'
        if not archive.exists():
            tests.append((f'{layer}: archive is built', [f'{archive} is missing']))
            continue
        bad, upward = [], []
        for where, name in symbols(archive, '-u'):
            if name in owner:
                if ORDER.index(owner[name]) > ORDER.index(layer):
                    upward.append(f'{where}: {name} of {owner[name]}')
            elif not PURE_C.match(name) and not re.match(LIBRARY.get(layer, r'(?!)'), name):
                bad.append(f'{where}: {name}')
        tests.append((f'{layer}: makes no system call', bad))
        tests.append((f'{layer}: uses only the layers before it', upward))
    print(f'1..{len(tests)}')
    for i, (name, problems) in enumerate(tests, 1):
        print(f'{"not ok" if problems else "ok"} {i} - {name}')
        for p in sorted(set(problems)):
            print(f'# {p}')


main()
