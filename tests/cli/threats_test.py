#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The threat matrix: whole, true to the tree (sources, settings, tests), and docs/THREATS.md written from it; and that the tool which says
so sees what is wrong. The tests that it names are run by the suite; `./do threats` runs them alone and shows what they have shown."""
import copy, os, subprocess, sys
from pathlib import Path

SOURCE, BUILD = Path(os.environ['COFFER_SOURCE']), Path(os.environ['COFFER_BUILD'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
import threats
from local import Checks

check = Checks()
rows = threats.load()


def broken(what, change, says):
    """The table with one change: that is found, and said so."""
    table = copy.deepcopy(rows)
    change(table)
    found = threats.faults(table, BUILD)
    check(f'found: {what}', len(found) == 1 and says in found[0][1], found)


def row(table, name):
    return next(r for r in table if r['id'] == name)


def runs():
    """What a run makes of a row: {tests' results} -> verdict."""
    path = 'e2e/x_test.py'
    r = {'tests': [f'{path} a', f'{path} b'], 'untested': ''}
    lines = lambda text: threats.suite.outcomes(text)
    results = lambda text: {t: threats.outcome(t, lines(text)) for t in r['tests']}
    for name, text, want in (('both pass', 'ok 1 - a\nok 2 - b', 'tested'), ('one fails', 'ok 1 - a\nnot ok 2 - b', 'failed'),
                             ('one is skipped with a word', 'ok 1 - a\nok 2 - b # SKIP no b here', 'tested'),
                             ('one is skipped without', 'ok 1 - a\nok 2 - b # SKIP', 'failed'), ('one did not run', 'ok 1 - a', 'failed'),
                             ('all are skipped', '1..0 # SKIP no boto3', 'failed'), ('the program says nothing', '', 'failed')):
        check(f'a row of which {name}: {want}', threats.verdict(r, results(text)) == want, results(text))
    r['untested'] = 'a reason in some words of its own'
    check('a reason stands in for tests that are skipped', threats.verdict(r, results('1..0 # SKIP no boto3')) == 'reason')
    check('and for none that fails', threats.verdict(r, results('not ok 1 - a\nok 2 - b')) == 'failed')
    check('the name of a C test is its whole name', threats.outcome('unit/x_test.c a', lines('ok 1 - ab'))[0] == 'failed')
    check('braces stand for what a script fills in', threats.outcome(f'{path} of {{n}} times', lines('ok 1 - one of 60 times'))[0] == 'passed')


def main():
    found = threats.faults(rows, BUILD)
    check('the table is whole, and what it names exists', not found, '\n'.join(f'{n}: {why}' for n, why in found))
    check('docs/THREATS.md is what the table says', threats.PAGE.read_text() == threats.page(rows), 'tests/tools/threats.py --write writes it anew')
    check('the design\'s rows and all cases are there', len({r['id'] for r in rows} & set(threats.NEEDED)) == 16 + 38)
    built = dict(threats.suite.find(BUILD))
    named = {threats.program(threats.split(t)[0]) for r in rows for t in r['tests']}
    check('the suite runs each program that is named', named <= set(built), sorted(named - set(built)))
    broken('a row that is gone', lambda t: t.remove(row(t, 'C-05')), 'is missing')
    broken('a row twice', lambda t: t.append(row(t, 'C-05')), 'comes twice')
    broken('a row without a test or a reason', lambda t: row(t, 'C-05').update(tests=[], untested='none'), 'neither a test nor a reason')
    broken('a row of the design without a rating', lambda t: row(t, 'D-01').pop('rating'), '"rating"')
    broken('a test file that is not there', lambda t: row(t, 'C-05')['tests'].append('unit/nowhere_test.c x'), 'there is no tests/unit/nowhere_test.c')
    broken('a C test that is not there', lambda t: row(t, 'C-01')['tests'].append('attacks/message_test.c c01_wrapped'), 'has no test c01_wrapped')
    broken('a script\'s line that is not there', lambda t: row(t, 'C-01')['tests'].append('e2e/demo_test.py the moon is green'), 'the moon is green')
    broken('a source that is not there', lambda t: row(t, 'C-01')['source'].append('src/engine/nowhere.c'), 'src/engine/nowhere.c')
    broken('a setting that is not there', lambda t: row(t, 'C-01')['configuration'].append('deploy/iam/key-data.json: DenyTheMoon'), 'DenyTheMoon')
    broken('an option that is not there', lambda t: row(t, 'C-01')['configuration'].append('coffer decrypt --moon'), '--moon')
    broken('a member of the enclave\'s configuration that is not there',
           lambda t: row(t, 'C-01')['configuration'].append("the enclave's moon (docs/enclave-config.md)"), 'moon')
    broken('an unknown member', lambda t: row(t, 'C-01').update(note='x'), 'unknown member')
    runs()
    p = subprocess.run([sys.executable, str(SOURCE / 'tests/tools/threats.py'), '--check', str(BUILD)], capture_output=True, timeout=60)
    check('the tool says so too', p.returncode == 0 and not p.stdout, p.stderr.decode())
    sys.exit(check.done())


main()
