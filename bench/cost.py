#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a million jobs cost at AWS: cost.py [--bytes N] [--rate N]. Prices, calls and measured processor time are in bench/capacity.json;
docs/OPERATIONS.md holds the table, and a test compares."""
import argparse, json, math, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from scaling import A, CAPACITY, CPU, service_s

PRICES, CALLS = CAPACITY['prices'], CAPACITY['calls']
MILLION, MONTH_H = 1_000_000, 730


def costs(size=CAPACITY['measured']['bytes'], rate=50.0, read=True):
    """-> {what: dollars a million jobs}. size: bytes of an input, kept a month; rate: jobs a second, by which machines are shared; read:
    the owner fetches each result (some KiB) once"""
    who = ('producer', 'enclave', 'owner', 'device') if read else ('producer', 'enclave', 'device')
    calls = {k: sum(CALLS[k].get(w, 0) for w in who) for k in ('kms', 's3_put', 's3_get', 'sqs')}
    hours = MILLION / rate / 3600
    enclaves = math.ceil(rate * service_s() / A['target_utilization'])
    hosts = math.ceil(enclaves / A['enclaves_per_host'])
    gateways = max(2, math.ceil(rate * CPU['coffer-producer'] / 1000 / A['producer_vcpus'] / A['target_utilization']))
    gigabytes = MILLION * size / 1e9
    lcu_hours = max(gigabytes, MILLION / 25 / 3600) # of its measures the one that is most: bytes, or a new connection for each job
    trail_gb = (calls['kms'] * CALLS['trail_bytes']['kms'] + (calls['s3_put'] + calls['s3_get']) * CALLS['trail_bytes']['s3']) * MILLION / 1e9
    return {
        'KMS calls': calls['kms'] * MILLION / 10_000 * PRICES['kms_per_10000'],
        'KMS keys, six': 6 * PRICES['kms_key_month'] * hours / MONTH_H,
        'S3 writes': calls['s3_put'] * MILLION / 1000 * PRICES['s3_put_per_1000'],
        'S3 reads': calls['s3_get'] * MILLION / 1000 * PRICES['s3_get_per_1000'],
        'S3 storage, a month': gigabytes * PRICES['s3_gb_month'],
        'SQS requests': calls['sqs'] * PRICES['sqs_per_million'],
        'CloudTrail data events': (calls['s3_put'] + calls['s3_get']) * MILLION / 100_000 * PRICES['trail_data_per_100000'],
        'enclave hosts (2 processors an enclave, 2 for each host)': hosts * (2 * A['enclaves_per_host'] + 2) * PRICES['vcpu_hour'] * hours,
        'gateways, two at least': gateways * A['producer_vcpus'] * PRICES['vcpu_hour'] * hours,
        'load balancer': PRICES['balancer_hour'] * hours + PRICES['balancer_lcu_hour'] * lcu_hours,
        'VPC endpoints, eight in two zones': 16 * PRICES['vpc_endpoint_hour'] * hours + 0.05 * gigabytes * PRICES['vpc_endpoint_gb'],
        'trail in the log group': trail_gb * PRICES['logs_gb'],
        'logs': 3 * 400 * MILLION / 1e9 * PRICES['logs_gb'],
    }


def sources():
    return ['| price in US dollars | from |', '|---|---|'] + [f'| {what} | {page} |' for what, page in CAPACITY['price_sources']]


def table(size=CAPACITY['measured']['bytes']):
    rates = (1.0, 50.0, 1000.0)
    columns = [costs(size, r) for r in rates]
    lines = ['| a million jobs, US dollars | ' + ' | '.join(f'{r:,.0f} a second' for r in rates) + ' |', '|---|' + '---|' * len(rates)]
    lines += [f'| {what} | ' + ' | '.join(f'{c[what]:.2f}' for c in columns) + ' |' for what in columns[0]]
    return lines + ['| **all** | ' + ' | '.join(f'**{sum(c.values()):.2f}**' for c in columns) + ' |']


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument('--bytes', type=int, default=CAPACITY['measured']['bytes'])
    ap.add_argument('--rate', type=float)
    a = ap.parse_args()
    if a.rate:
        c = costs(a.bytes, a.rate)
        print('\n'.join(f'{what:60} {dollars:10.2f}' for what, dollars in [*c.items(), ('all', sum(c.values()))]))
    else:
        print('\n'.join(table(a.bytes)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
