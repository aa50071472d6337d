#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The simulation behind docs/SCALING.md and the costs in docs/OPERATIONS.md: the same figures each time, no job lost whatever happens,
agreement with what can be computed on paper, and pages that say what was computed."""
import os, sys
import xml.etree.ElementTree as ET
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks
sys.path.insert(0, str(SOURCE / 'bench'))
import cost, figures, scaling

check = Checks()


def near(a, b, by):
    return abs(a - b) <= by * abs(b)


def simulation(worlds):
    for name, w in worlds.items():
        s = w.summary()
        check(f'{name}: each accepted job is done once or a dead letter, and nothing is left', s['open'] == 0 and s['done'] + s['dead letters'] == s['jobs'] and
              len(w.latencies) == s['done'] and w.count['done before'] == 0, s)
    steady = worlds['steady'].summary()
    check('steady: as many jobs as the rate says, three calls to KMS each, nobody waits', near(steady['jobs'], 50 * 300, 0.03) and steady['KMS a job'] == 3.0 and
          steady['longest queue'] <= 2 and near(steady['p50 s'], scaling.service_s() + 0.0057 + 0.067, 0.1), steady)
    again = scaling.World(**scaling.SCENARIOS['steady']).run().summary()
    other = scaling.World(**scaling.SCENARIOS['steady'], seed=2).run().summary()
    check('the same seed gives the same, another another', again == steady and other != steady)
    small, cached = worlds['KMS quota too small'].summary(), worlds['the same quota, keys shared for a minute'].summary()
    check('a quota below the need is a queue, and shared keys lift it', small['throttled %'] > 30 and small['p99 s'] > 60 and cached['throttled %'] == 0 and cached['p99 s'] < 1, f'{small} {cached}')
    dies = worlds['enclaves die every five minutes']
    check('deaths come as often as they should, and cost jobs time alone', near(dies.count['deaths'], 24 * 300 / 300, 0.5) and dies.summary()['dead letters'] == 0 and
          max(dies.latencies) >= scaling.A['visibility_s'], dies.summary())
    burst, short = worlds['burst of five times, scaled'], worlds['steady, too few enclaves for bursts']
    check('the policy adds enclaves up to its limit, and takes them away', burst.summary()['most enclaves'] > 60 and burst.points[-1]['enclaves'] < burst.summary()['most enclaves'],
          burst.points[-1])
    load = scaling.World(seconds=200, rate=60.0, enclaves=8).run()
    done = [p for p in load.points if 50 <= p['t'] <= 200]
    check('a full house does what its enclaves can', near((done[-1]['done'] - done[0]['done']) / (done[-1]['t'] - done[0]['t']), 8 / scaling.service_s(), 0.05))
    check('more than they can is a queue that empties later', short.summary()['longest queue'] > 1000 and short.points[-1]['queue'] < 500 and short.summary()['open'] == 0, short.points[-1])


def paper():
    lines = {l.split('|')[1].strip(): [c.strip() for c in l.split('|')[2:-1]] for l in scaling.capacity()[2:]}
    check('10,000 jobs a second are 40,000 calls to KMS, of one, two or four regions', lines['10,000'][0] == '40,000' and lines['10,000'][5] == '1 / 2 / 4', lines['10,000'])
    check('and the enclaves that Little\'s law says', int(lines['1,000'][1].replace(',', '')) == -(-1000 * scaling.service_s() // 0.7), lines['1,000'])
    c = cost.costs(size=1_000_000, rate=50.0)
    check('four million calls to KMS are 12 dollars', near(c['KMS calls'], 12, 1e-9))
    check('three million writes are 15, a terabyte a month 23', near(c['S3 writes'], 15, 1e-9) and near(c['S3 storage, a month'], 23, 1e-9))
    check('a slower stream pays machines for longer, and calls alike', cost.costs(rate=1.0)['gateways, two at least'] > 40 * c['gateways, two at least'] and cost.costs(rate=1.0)['KMS calls'] == c['KMS calls'])
    check('a terabyte through the load balancer is a thousand LCU-hours; small jobs pay for connections', near(c['load balancer'], 0.0225 * 1e6 / 50 / 3600 + 8, 1e-9) and
          near(cost.costs(size=1000, rate=50.0)['load balancer'], 0.0225 * 1e6 / 50 / 3600 + 0.008 * 1e6 / 90000, 1e-9))
    check('every price has a source', len(cost.CAPACITY['price_sources']) == 8 and all(
        any(f'{v:.{n}f}' in what for what, _ in cost.CAPACITY['price_sources'] for n in range(2, 7) if float(f'{v:.{n}f}') == v) for v in cost.PRICES.values() if isinstance(v, float)))
    check('results that nobody reads cost less', cost.costs(read=False)['KMS calls'] == 9)


def main():
    worlds = scaling.simulate()
    simulation(worlds)
    paper()
    picture = ET.fromstring(scaling.svg(worlds))
    check('the picture has a panel a scenario', len(picture.findall('{http://www.w3.org/2000/svg}rect')) == len(worlds))
    for path, text in figures.wanted(worlds).items():
        check(f'docs/{path.name} says what is computed', path.read_text() == text, 'python3 bench/figures.py --write')
    return check.done()


sys.exit(main())
