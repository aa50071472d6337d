#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The threat matrix: docs/threats.toml, in which each row names what stands against a threat and the tests that carry it out.

    threats.py --write                                    docs/THREATS.md anew from the table
    threats.py --check BUILD                              the table is whole, all that it names exists, docs/THREATS.md is up to date
    threats.py BUILD [--only ID] [--json FILE] [--html FILE] [--jobs N]
                                                          runs the tests and prints the matrix with what this run has shown
Exit: 0 every row has a passing test or a recorded reason, and no named test failed or was skipped without one; else 1."""
import argparse, concurrent.futures as cf, datetime, html, json, os, re, subprocess, sys, tomllib
from pathlib import Path

import run as suite

ROOT = suite.ROOT
TABLE, PAGE = ROOT / 'docs/threats.toml', ROOT / 'docs/THREATS.md'
TEXTS, LISTS, GRADES = ('id', 'area', 'threat', 'control'), ('source', 'configuration', 'tests'), ('low', 'medium', 'high', 'critical')
NEEDED = [f'D-{n:02}' for n in range(1, 17)] + [f'C-{n:02}' for n in range(1, 39)]


def load():
    return tomllib.loads(TABLE.read_text())['row']


def split(test):
    """'unit/x/y_test.c name' -> the file below tests/, the name"""
    path, _, name = test.partition(' ')
    return path, name.replace("\\'", "'")


def program(path):
    """What tests/tools/run.py calls the program of a file below tests/."""
    path = Path(path)
    return f'{path.parent.as_posix().replace("/", "_")}_{path.stem}' if path.suffix == '.c' else f'{path.parent}/{path.stem}'


# ---- what can be seen without running anything ----

def test_exists(test):
    path, name = split(test)
    file = ROOT / 'tests' / path
    if not file.is_file():
        return f'there is no tests/{path}'
    text = file.read_text()
    if not name:
        return 'it names no test'
    if file.suffix == '.c':
        return '' if re.search(rf'\b[A-Za-z_]+\({re.escape(name)}[,)]', text) else f'tests/{path} has no test {name}'
    return '' if name in text.replace("\\'", "'") else f'nothing in tests/{path} says "{name}"'


def help_of(build, words, cache={}):
    """--help of a program (with its verb), where it is built."""
    exe = build / 'src/prog' / words[0] / words[0] if build else None
    if exe is None or not exe.exists():
        return None
    if words not in cache:
        cache[words] = subprocess.run([exe, *words[1:], '--help'], capture_output=True, timeout=20, stdin=subprocess.DEVNULL).stdout.decode()
    return cache[words]


def configuration_exists(entry, build):
    """'FILE', 'FILE: word, word', 'PROGRAM [VERB] --option, --option', "the enclave's member and member (FILE)"."""
    enclave = re.fullmatch(r"the enclave's (.+) \((\S+)\)", entry)
    if enclave:
        text = (ROOT / enclave.group(2)).read_text()
        absent = [w for w in re.split(r', | and ', enclave.group(1)) if f'"{w}"' not in text and f'`{w}`' not in text]
        return f'{enclave.group(2)} knows no {", ".join(absent)}' if absent else ''
    if entry.startswith('coffer'):
        words = tuple(w for w in entry.split(' --')[0].split())
        text = help_of(build, words)
        absent = [] if text is None else [o for o in re.findall(r'--[a-z0-9-]+', entry) if not re.search(rf'{o}\b(?!-)', text)]
        return f'{" ".join(words)} has no {", ".join(absent)}' if absent else ''
    path, _, words = entry.partition(': ')
    if not (ROOT / path).exists():
        return f'there is no {path}'
    if words:
        text = (ROOT / path).read_text()
        absent = [w for w in words.split(', ') if w not in text]
        return f'{path} has no {", ".join(absent)}' if absent else ''
    return ''


def faults(rows, build=None):
    """-> [(id, what is wrong)]"""
    found, seen = [], set()
    for row in rows:
        name = row.get('id', '?')
        known = set(TEXTS) | set(LISTS) | {'rating', 'likelihood', 'untested'}
        found += [(name, f'unknown member "{k}"') for k in row if k not in known]
        found += [(name, f'"{k}" is missing') for k in TEXTS if not isinstance(row.get(k), str) or not row[k].strip()]
        found += [(name, f'"{k}" is no list of texts') for k in LISTS if not isinstance(row.get(k), list) or
                  any(not isinstance(x, str) or not x for x in row[k])]
        if name in seen:
            found.append((name, 'comes twice'))
        seen.add(name)
        if any(n == name for n, _ in found):
            continue
        if name.startswith('D-') and not (row.get('rating') in GRADES and row.get('likelihood') in GRADES):
            found.append((name, 'a row of the design has "rating" and "likelihood": low, medium, high or critical'))
        if not row['source']:
            found.append((name, 'names no source file'))
        found += [(name, f'there is no {path}') for path in row['source'] if not (ROOT / path).is_file()]
        found += [(name, why) for entry in row['configuration'] if (why := configuration_exists(entry, build))]
        found += [(name, why) for test in row['tests'] if (why := test_exists(test))]
        found += [(name, f'{test} is named twice') for test in set(row['tests']) if row['tests'].count(test) > 1]
        if not row['tests'] and len(row.get('untested', '').split()) < 5:
            found.append((name, 'has neither a test nor a reason in words'))
    return found + [(name, 'is missing') for name in NEEDED if name not in seen]


# ---- the page ----

def page(rows):
    out = ['# Threats, and the tests that carry them out', '',
           '<!-- Written from docs/threats.toml by `tests/tools/threats.py --write`; a test holds the two together. -->', '',
           'Each row says what an attacker tries, what stands against it, where that is in the code and in the configuration, and which tests carry the',
           'attack out. `./do threats` runs exactly those tests and prints this matrix with what the run has shown; CI fails if a row has neither a passing',
           'test nor a reason in words. D-nn are the rows of the design, C-nn the project\'s list of attacks and changes of services, the others follow.', '',
           f'{len(rows)} rows, {len({t for r in rows for t in r["tests"]})} tests of {len({split(t)[0] for r in rows for t in r["tests"]})} programs; '
           f'{sum(1 for r in rows if r.get("untested"))} rows say what of them no test here can show.', '',
           'Rating: the harm if nothing stood against it. Likelihood: how readily it is tried. Both are those of the design.', '',
           '| row | area | threat | rating | likelihood | tests |', '|---|---|---|---|---|---|']
    for r in rows:
        out.append(f'| [{r["id"]}](#{r["id"].lower()}) | {r["area"]} | {escape(r["threat"])} | '
                   f'{r.get("rating", "")} | {r.get("likelihood", "")} | {len(r["tests"]) or "reason"} |')
    for r in rows:
        out += ['', f'### {r["id"]}', f'**{r["threat"]}**', '', r['control'], '']
        out.append('* Source: ' + ', '.join(f'[{p}](../{p})' for p in r['source']))
        if r['configuration']:
            out.append('* Configuration: ' + '; '.join(f'`{c}`' if c.startswith('coffer') else c for c in r['configuration']))
        programs = {}
        for test in r['tests']:
            programs.setdefault(split(test)[0], []).append(split(test)[1])
        for path, names in programs.items():
            out.append(f'* Test: [{path}](../tests/{path}): ' + '; '.join(f'`{n}`' for n in names))
        if r.get('untested'):
            out.append(f'* Not tested: {r["untested"]}')
    return '\n'.join(out) + '\n'


def escape(text):
    return text.replace('|', '\\|')


# ---- a run ----

def outcome(test, lines):
    """-> 'passed' 'failed' 'skipped', how many TAP lines it stands for, why it was skipped"""
    path, name = split(test)
    mine = [l for l in lines if (l[1] == name if path.endswith('.c') else matches(name, l[1]))]
    if any(l[0] == 'failed' for l in mine):
        return 'failed', len(mine), '; '.join(l[1] for l in mine if l[0] == 'failed')
    if any(l[0] == 'passed' for l in mine):
        return 'passed', sum(1 for l in mine if l[0] == 'passed'), ''
    if mine:
        return 'skipped', len(mine), mine[0][2]
    whole = next((l for l in lines if l[0] == 'skipped' and l[1] == 'whole program'), None)
    return ('skipped', 0, whole[2]) if whole else ('failed', 0, 'it did not run')


def matches(name, line):
    """Part of a line's name; {braces} stand for what a script fills in."""
    return re.search('.*?'.join(re.escape(part) for part in re.split(r'\{[^}]*\}', name)), line) is not None


def run_all(rows, build, jobs):
    """-> {test: (outcome, n, why)}, {program: seconds}"""
    found = dict(suite.find(build))
    wanted = {program(split(t)[0]) for r in rows for t in r['tests']}
    lines, seconds = {}, {}
    with cf.ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(suite.run, p, found[p], build, 480) for p in sorted(wanted) if p in found]
        for done in cf.as_completed(running):
            name, text, code, took = done.result()
            lines[name], seconds[name] = suite.outcomes(text), took
            print(f'{name}: {took:.1f} s', file=sys.stderr, flush=True)
    return {t: outcome(t, lines[program(split(t)[0])]) if program(split(t)[0]) in lines else ('failed', 0, 'it is not built')
            for r in rows for t in r['tests']}, seconds


def verdict(row, results):
    """-> 'tested' (a passing test and none that failed), 'reason', 'failed'"""
    mine = [results[t] for t in row['tests']]
    if any(o == 'failed' or (o == 'skipped' and why in ('', 'no reason given')) for o, _, why in mine):
        return 'failed'
    if any(o == 'passed' for o, _, _ in mine):
        return 'tested'
    return 'reason' if row.get('untested') else 'failed'


def revision():
    def git(*argv):
        p = subprocess.run(['git', '-C', str(ROOT), *argv], capture_output=True, text=True)
        return p.stdout.strip() if p.returncode == 0 else ''
    try:
        return (git('rev-parse', 'HEAD') or 'unknown') + (' modified' if git('status', '--porcelain', '--untracked-files=no') else '')
    except OSError:
        return 'unknown'


def evidence(rows, results, seconds):
    verdicts = [verdict(r, results) for r in rows]
    by = lambda what: sum(1 for o, _, _ in results.values() if o == what)
    return {'commit': revision(), 'time': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'),
            'rows': [dict(r, verdict=v, results=[{'test': t, 'outcome': results[t][0], 'checks': results[t][1], 'why': results[t][2]} for t in r['tests']])
                     for r, v in zip(rows, verdicts)],
            'counts': {'rows': len(rows), **{v: verdicts.count(v) for v in ('tested', 'reason', 'failed')}, 'tests': len(results),
                       'passed': by('passed'), 'tests_failed': by('failed'), 'skipped': by('skipped'),
                       'checks': sum(n for o, n, _ in results.values() if o == 'passed'), 'programs': len(seconds)}}


def show(e):
    for r in e['rows']:
        print(f'{r["verdict"]:7} {r["id"]:5} {r["threat"]}')
        for t in r['results']:
            print(f'          {t["outcome"]:8}{t["test"]}' + (f' ({t["checks"]})' if t['checks'] > 1 else '') + (f': {t["why"]}' if t['why'] else ''))
        if r.get('untested'):
            print(f'          not tested: {r["untested"]}')
    c = e['counts']
    print(f'{c["rows"]} rows: {c["tested"]} tested, {c["reason"]} with a reason alone, {c["failed"]} failed. '
          f'{c["tests"]} tests ({c["checks"]} checks) of {c["programs"]} programs: {c["passed"]} passed, {c["tests_failed"]} failed, {c["skipped"]} skipped. '
          f'{e["time"]}, commit {e["commit"]}')


def as_html(e):
    q = html.escape
    rows = ''.join(
        f'<tr class="{r["verdict"]}"><td>{q(r["id"])}<td>{q(r["area"])}<td>{q(r["threat"])}<p>{q(r["control"])}</p><td>{q(r.get("rating", ""))}<td>{q(r.get("likelihood", ""))}'
        f'<td>{"<br>".join(q(x) for x in r["source"] + r["configuration"])}<td><ul>'
        + ''.join(f'<li class="{t["outcome"]}">{q(t["test"])}{" &mdash; " + q(t["why"]) if t["why"] else ""}' for t in r['results'])
        + f'</ul>{q(r.get("untested", ""))}<td>{r["verdict"]}' for r in e['rows'])
    c = e['counts']
    return ('<!doctype html><html lang="en"><meta charset="utf-8"><title>Threat matrix</title><style>body{font:14px/1.4 sans-serif;margin:2em}'
            'table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.4em .6em;vertical-align:top;text-align:left}td p{color:#555;margin:.4em 0 0}'
            'ul{margin:0;padding-left:1.1em}li.passed::marker,tr.tested td:last-child{color:#17692c}li.failed,tr.failed td:last-child{color:#b00020;font-weight:bold}'
            'li.skipped{color:#8a6100}</style>'
            f'<h1>Threat matrix</h1><p>{q(e["time"])}, commit {q(e["commit"])}: {c["rows"]} rows, {c["tested"]} tested, {c["reason"]} with a reason alone, '
            f'{c["failed"]} failed; {c["tests"]} tests, {c["passed"]} passed, {c["tests_failed"]} failed, {c["skipped"]} skipped.</p>'
            '<table><thead><tr><th>row<th>area<th>threat and control<th>rating<th>likelihood<th>source and configuration<th>tests<th>verdict</thead>'
            f'<tbody>{rows}</tbody></table></html>\n')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build', type=Path, nargs='?')
    ap.add_argument('--write', action='store_true', help='write docs/THREATS.md')
    ap.add_argument('--check', action='store_true', help='run nothing')
    ap.add_argument('--only', action='append', default=[], metavar='ID')
    ap.add_argument('--json', type=Path, metavar='FILE')
    ap.add_argument('--html', type=Path, metavar='FILE')
    ap.add_argument('--jobs', type=int, default=os.cpu_count() or 2)
    a = ap.parse_args()
    build = a.build.resolve() if a.build else None
    rows = load()
    wrong = faults(rows, build)
    for name, why in wrong:
        print(f'threats: {name}: {why}', file=sys.stderr)
    if wrong:
        return 1
    if a.write:
        PAGE.write_text(page(rows))
        return 0
    if PAGE.read_text() != page(rows):
        print('threats: docs/THREATS.md is not what docs/threats.toml says; write it anew with tests/tools/threats.py --write', file=sys.stderr)
        return 1
    if a.check:
        return 0
    if build is None:
        ap.error('BUILD is needed')
    rows = [r for r in rows if not a.only or r['id'] in a.only]
    if not rows:
        ap.error('there is no such row')
    results, seconds = run_all(rows, build, a.jobs)
    e = evidence(rows, results, seconds)
    show(e)
    if a.json:
        a.json.write_text(json.dumps(e, indent=1) + '\n')
    if a.html:
        a.html.write_text(as_html(e))
    return 1 if e['counts']['failed'] else 0


if __name__ == '__main__':
    sys.exit(main())
