#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A discrete-event simulation of many gateways and enclaves: scaling.py [--svg FILE] [--json FILE] [--only NAME]

Arrivals by chance, gateways with so many processors, KMS with a quota for the region (throttled calls are tried again with back-off, as
the client does), a queue with visibility timeouts and a dead-letter queue, enclaves that die and come again, and a policy that adds and
removes them. The same seed gives the same figures; docs/SCALING.md holds them, and a test compares. Figures come from
bench/capacity.json."""
import argparse, collections, heapq, json, math, random, sys
from pathlib import Path

CAPACITY = json.loads((Path(__file__).resolve().parent / 'capacity.json').read_text())
A, CPU = CAPACITY['assumed'], CAPACITY['measured']['cpu_ms']
LATENCY = {k: v / 1000 for k, v in A['latency_ms'].items()}


class Quota:
    """A second's worth of calls may come at once; then so many a second."""

    def __init__(self, per_s):
        self.per_s, self.tokens, self.at, self.closed = per_s, per_s, 0.0, ()

    def take(self, now):
        self.tokens = min(self.per_s, self.tokens + (now - self.at) * self.per_s)
        self.at = now
        if any(a <= now < b for a, b in self.closed) or self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Job:
    __slots__ = ('key', 'tenant', 'arrived', 'received', 'done')

    def __init__(self, tenant, arrived):
        self.tenant, self.arrived, self.received, self.done, self.key = tenant, arrived, 0, None, None


class World:
    def __init__(self, seed=1, seconds=300, rate=50.0, kms_per_s=10_000, enclaves=20, producers=2, tenants=50, cache_s=0, mtbf_s=0, scale=None,
                 burst=None, outage=None):
        self.random, self.seconds, self.rate, self.tenants = random.Random(seed), seconds, rate, tenants
        self.quota, self.cache_s, self.mtbf_s, self.scale, self.burst = Quota(kms_per_s), cache_s, mtbf_s, scale, burst
        self.quota.closed = [outage] if outage else []
        self.now, self.order, self.events = 0.0, 0, []
        self.cores = [0.0] * (producers * A['producer_vcpus'])
        self.queue, self.idle, self.enclaves, self.booting, self.next_enclave = collections.deque(), [], {}, 0, 0
        self.keys, self.seen = {}, {}  # of the gateway: tenant -> (key, until); of an enclave: keys that it has opened
        self.count = collections.Counter()
        self.latencies, self.points, self.dead, self.last_removal = [], [], [], 0.0
        self.limit = enclaves
        for _ in range(enclaves):
            self.enclave_starts()
        self.at(self.gap(), self.arrival)
        self.at(0, self.point)
        if scale:
            self.at(A['scale_every_s'], self.scaling)

    # events

    def at(self, delay, what, *args):
        self.order += 1
        heapq.heappush(self.events, (self.now + delay, self.order, what, args))

    def gap(self):
        return self.random.expovariate(self.rate * (self.burst[2] if self.burst and self.burst[0] <= self.now < self.burst[1] else 1))

    def run(self, drain_s=1800):
        end = self.seconds
        while self.events:
            t, _, what, args = heapq.heappop(self.events)
            if t > end + drain_s or (t > end and self.finished()):
                break
            self.now = t
            what(*args)
        return self

    def finished(self):
        return self.count['accepted'] == self.count['done'] + len(self.dead) and self.count['waiting'] == 0

    # gateway

    def arrival(self):
        if self.now < self.seconds:
            self.at(self.gap(), self.arrival)
            self.count['arrived'] += 1
            self.count['waiting'] += 1
            self.submit(Job(self.random.randrange(self.tenants), self.now))

    def submit(self, job):
        start = max(self.now, heapq.heappop(self.cores))
        heapq.heappush(self.cores, start + CPU['coffer-producer'] / 1000)
        self.at(start + CPU['coffer-producer'] / 1000 - self.now, self.data_key, job, 1)

    def kms(self):
        self.count['kms'] += 1
        if self.quota.take(self.now):
            return True
        self.count['throttled'] += 1
        return False

    def back_off(self, attempt):
        return self.random.uniform(0, min(20, 0.1 * 2 ** attempt))

    def data_key(self, job, attempt):
        key, until = self.keys.get(job.tenant, (None, 0))
        if self.cache_s and self.now < until:
            job.key = key
        elif self.kms():
            self.count['keys'] += 1
            job.key = self.count['keys']
            self.keys[job.tenant] = (job.key, self.now + self.cache_s)
        elif attempt < A['attempts']:
            return self.at(self.back_off(attempt), self.data_key, job, attempt + 1)
        else: # 503: the device comes again
            self.count['told to come again'] += 1
            return self.at(self.random.uniform(5, 15), self.submit, job)
        self.at(LATENCY['kms'] + LATENCY['s3_put'] + LATENCY['sqs'], self.accepted, job)

    def accepted(self, job):
        self.count['accepted'] += 1
        self.count['waiting'] -= 1
        self.visible(job)

    # queue and enclaves

    def visible(self, job):
        self.queue.append(job)
        self.hand_out()

    def hand_out(self):
        while self.queue and self.idle:
            name = self.idle.pop()
            if name not in self.enclaves:
                continue
            job = self.queue.popleft()
            job.received += 1
            if job.received > A['max_receive_count']:
                self.dead.append(job)
                self.idle.append(name)
                continue
            self.count['received'] += 1
            self.enclaves[name] = job
            self.at(LATENCY['sqs'] + LATENCY['s3_get'], self.open, name, job, 1)

    def enclave_starts(self):
        self.next_enclave += 1
        self.enclaves[self.next_enclave] = None
        self.seen[self.next_enclave] = set()
        self.idle.append(self.next_enclave)
        if self.mtbf_s:
            self.at(self.random.expovariate(1 / self.mtbf_s), self.enclave_dies, self.next_enclave)
        self.hand_out()

    def booted(self):
        self.booting -= 1
        self.enclave_starts()

    def enclave_dies(self, name):
        if name not in self.enclaves:
            return
        job = self.enclaves.pop(name)
        self.count['deaths'] += 1
        if job is not None: # nobody renews its visibility any more
            self.count['redelivered'] += 1
            self.at(A['visibility_s'], self.visible, job)
        self.booting += 1
        self.at(A['boot_s'], self.booted)

    def mine(self, name, job):
        return self.enclaves.get(name) is job

    def later(self, name, job):
        self.count['later'] += 1
        self.at(A['retry_later_s'], self.visible, job)
        self.free(name)

    def free(self, name):
        self.enclaves[name] = None
        self.idle.append(name)
        self.hand_out()

    def open(self, name, job, attempt):
        if not self.mine(name, job):
            return
        wait = LATENCY['kms']
        if self.cache_s and job.key in self.seen[name]:
            wait = 0
        elif not self.kms():
            if attempt < A['attempts']:
                return self.at(self.back_off(attempt), self.open, name, job, attempt + 1)
            return self.later(name, job)
        self.seen[name].add(job.key)
        work = (CPU['coffer-enclave'] + CPU['processor']) / 1000
        self.at(wait + self.random.gammavariate(4, work / 4), self.seal, name, job, 1)

    def seal(self, name, job, attempt):
        if not self.mine(name, job):
            return
        if not self.kms():
            if attempt < A['attempts']:
                return self.at(self.back_off(attempt), self.seal, name, job, attempt + 1)
            return self.later(name, job)
        self.at(LATENCY['kms'] + 2 * LATENCY['s3_put'], self.done, name, job)

    def done(self, name, job):
        if not self.mine(name, job):
            return
        if job.done is None:
            job.done = self.now
            self.count['done'] += 1
            self.latencies.append(self.now - job.arrived)
        else:
            self.count['done before'] += 1
        self.free(name)

    # policy and record

    def scaling(self):
        least, most = self.scale
        alive = len(self.enclaves) + self.booting
        wanted = math.ceil(self.measured_rate() * service_s() / A['target_utilization'] + len(self.queue) * service_s() / A['backlog_target_s'])
        wanted = min(most, max(least, wanted))
        for _ in range(max(0, wanted - alive)):
            self.booting += 1
            self.at(A['boot_s'], self.booted)
        if wanted < alive and self.now - self.last_removal >= A['cooldown_s']:
            for name in [n for n, j in self.enclaves.items() if j is None][:alive - wanted]:
                del self.enclaves[name]
            self.last_removal = self.now
        if self.now < self.seconds + 1200:
            self.at(A['scale_every_s'], self.scaling)

    def measured_rate(self):
        recent = [p for p in self.points if p['t'] > self.now - 60]
        return (recent[-1]['accepted'] - recent[0]['accepted']) / (recent[-1]['t'] - recent[0]['t']) if len(recent) > 1 else 0

    def point(self):
        self.points.append({'t': self.now, 'queue': len(self.queue), 'enclaves': len(self.enclaves), 'accepted': self.count['accepted'], 'done': self.count['done'],
                            'throttled': self.count['throttled']})
        self.at(5, self.point)

    def summary(self):
        ordered = sorted(self.latencies)
        at = lambda q: ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0
        c = self.count
        return {'jobs': c['arrived'], 'done': c['done'], 'dead letters': len(self.dead), 'open': c['accepted'] - c['done'] - len(self.dead) + c['waiting'],
                'p50 s': round(at(0.5), 2), 'p99 s': round(at(0.99), 2), 'KMS a job': round(c['kms'] / max(1, c['done']), 2),
                'throttled %': round(100 * c['throttled'] / max(1, c['kms']), 1), 'come again': c['told to come again'], 'redelivered': c['redelivered'],
                'longest queue': max(p['queue'] for p in self.points), 'most enclaves': max(p['enclaves'] for p in self.points)}


def service_s():
    """How long one job keeps an enclave: it works on one at a time."""
    return LATENCY['sqs'] + LATENCY['s3_get'] + 2 * LATENCY['kms'] + 2 * LATENCY['s3_put'] + (CPU['coffer-enclave'] + CPU['processor']) / 1000


SCENARIOS = {
    'steady': dict(),
    'steady, too few enclaves for bursts': dict(enclaves=12, burst=(60, 120, 3)),
    'burst of five times, scaled': dict(burst=(60, 150, 5), scale=(15, 120)),
    'KMS quota too small': dict(kms_per_s=120),
    'the same quota, keys shared for a minute': dict(kms_per_s=120, cache_s=60),
    'enclaves die every five minutes': dict(mtbf_s=300, enclaves=24),
    'KMS away for 20 s': dict(outage=(60, 80)),
    'KMS away for two minutes': dict(outage=(60, 180)),
}
COLUMNS = ('jobs', 'done', 'dead letters', 'open', 'p50 s', 'p99 s', 'KMS a job', 'throttled %', 'come again', 'redelivered', 'longest queue', 'most enclaves')


def simulate(names=SCENARIOS):
    return {n: World(**SCENARIOS[n]).run() for n in names}


def table(worlds):
    lines = ['| scenario | ' + ' | '.join(COLUMNS) + ' |', '|---|' + '---|' * len(COLUMNS)]
    return lines + [f'| {n} | ' + ' | '.join(str(w.summary()[c]) for c in COLUMNS) + ' |' for n, w in worlds.items()]


def capacity():
    """What the measured costs and the quotas say of a region: a table of lines."""
    calls, quotas = CAPACITY['calls'], CAPACITY['quotas']
    per_job = sum(calls['kms'].values())
    lines = ['| jobs a second | KMS calls a second | enclaves | hosts of four enclaves | gateways of two processors | S3 writes a second | regions of 100,000 / 20,000 / 10,000 KMS calls |',
             '|---|---|---|---|---|---|---|']
    for rate in (10, 100, 1000, 10_000, 100_000, 1_000_000):
        enclaves = math.ceil(rate * service_s() / A['target_utilization'])
        gateways = math.ceil(rate * CPU['coffer-producer'] / 1000 / A['producer_vcpus'] / A['target_utilization'])
        regions = ' / '.join(str(math.ceil(rate * per_job / q)) for q in sorted(quotas['kms_per_s'].values(), reverse=True))
        lines.append(f'| {rate:,} | {rate * per_job:,} | {enclaves:,} | {math.ceil(enclaves / A["enclaves_per_host"]):,} | {gateways:,} | '
                     f'{rate * sum(calls["s3_put"].values()):,} | {regions} |')
    return lines


def svg(worlds):
    """Queue (area) and jobs done a second (line) over time, a panel a scenario."""
    width, height, left, gap = 860, 92, 60, 34
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{len(worlds) * (height + gap) + 20}" font-family="sans-serif" font-size="11">']
    for i, (name, w) in enumerate(worlds.items()):
        top, p = i * (height + gap) + 24, w.points
        span, most = max(p[-1]['t'], 1), max(1, max(x['queue'] for x in p))
        rates = [(b['t'], (b['done'] - a['done']) / (b['t'] - a['t'])) for a, b in zip(p, p[1:])]
        fastest = max(1.0, max(r for _, r in rates))
        x = lambda t: left + (width - left - 60) * t / span
        area = ' '.join(f'{x(q["t"]):.1f},{top + height - height * q["queue"] / most:.1f}' for q in p)
        line = ' '.join(f'{x(t):.1f},{top + height - height * r / fastest:.1f}' for t, r in rates)
        out += [f'<text x="{left}" y="{top - 7}" font-weight="bold">{name}</text>',
                f'<polygon points="{left},{top + height} {area} {x(span):.1f},{top + height}" fill="#c9d8ea"/>',
                f'<polyline points="{line}" fill="none" stroke="#17692c" stroke-width="1.3"/>',
                f'<rect x="{left}" y="{top}" width="{width - left - 60}" height="{height}" fill="none" stroke="#999"/>',
                f'<text x="{left - 5}" y="{top + 9}" text-anchor="end">{most} jobs</text><text x="{left - 5}" y="{top + height}" text-anchor="end">queue</text>',
                f'<text x="{width - 55}" y="{top + 9}" fill="#17692c">{fastest:.0f}/s</text><text x="{width - 55}" y="{top + height}" fill="#17692c">done</text>',
                f'<text x="{x(span):.0f}" y="{top + height + 12}" text-anchor="end">{span:.0f} s</text>']
    return '\n'.join(out) + '\n</svg>\n'


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build', nargs='?', help='ignored: nothing is run')
    ap.add_argument('--svg', type=Path)
    ap.add_argument('--json', type=Path)
    ap.add_argument('--only', action='append', choices=list(SCENARIOS))
    a = ap.parse_args()
    worlds = simulate(a.only or SCENARIOS)
    print('\n'.join([*table(worlds), '', *capacity()]))
    if a.json:
        a.json.write_text(json.dumps({n: w.summary() for n, w in worlds.items()}, indent=1) + '\n')
    if a.svg:
        a.svg.write_text(svg(worlds))
    return 0


if __name__ == '__main__':
    sys.exit(main())
