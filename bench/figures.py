#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The computed tables of docs/SCALING.md and docs/OPERATIONS.md and the picture docs/scaling.svg: figures.py --write, or --check (the
test does). Between `<!-- NAME -->` and `<!-- end -->` a page holds what is computed here."""
import argparse, re, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cost, scaling

DOCS = Path(__file__).resolve().parent.parent / 'docs'


def measured():
    cpu = scaling.CAPACITY['measured']['cpu_ms']
    lines = ['| program | CPU a job |', '|---|---|'] + [f'| `{n}` | {ms:.1f} ms |' if n.startswith('coffer') else f'| {n} (decodes the picture) | {ms:.1f} ms |' for n, ms in cpu.items()]
    return lines


def service():
    s = scaling.service_s()
    cpu = (scaling.CPU['coffer-enclave'] + scaling.CPU['processor']) / 1000
    return [f'**{1000 * s:.0f} ms a job**, {1 / s:.1f} jobs a second, with {100 * cpu / s:.0f} % of a processor,']


def sections(worlds):
    return {'SCALING.md': {'costs': measured(), 'service': service(), 'capacity': scaling.capacity(), 'simulation': scaling.table(worlds)},
            'OPERATIONS.md': {'cost': cost.table(), 'prices': cost.sources()}}


def filled(text, parts):
    for name, lines in parts.items():
        pattern = rf'(<!-- {name} -->\n).*?(<!-- end -->)'
        if not re.search(pattern, text, re.S):
            raise SystemExit(f'figures: no place for {name}')
        text = re.sub(pattern, lambda m: m.group(1) + '\n'.join(lines) + '\n' + m.group(2), text, count=1, flags=re.S)
    return text


def wanted(worlds):
    """-> {path: text} of all that is computed"""
    pages = {DOCS / page: filled((DOCS / page).read_text(), parts) for page, parts in sections(worlds).items()}
    return pages | {DOCS / 'scaling.svg': scaling.svg(worlds)}


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--write', action='store_true')
    a = ap.parse_args()
    stale = {p: t for p, t in wanted(scaling.simulate()).items() if not p.exists() or p.read_text() != t}
    for path, text in stale.items():
        if a.write:
            path.write_text(text)
        print(f'figures: {"wrote" if a.write else "stale:"} {path.name}')
    return 0 if a.write or not stale else 1


if __name__ == '__main__':
    sys.exit(main())
