#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an instance without the AWS tools needs of AWS at boot; Python's own library only, credentials from IMDSv2.

    aws.py fetch BUCKET KEY SHA256 FILE     an object, held against its digest before it appears
    aws.py beat NAMESPACE UNIT              one heartbeat to CloudWatch if the systemd unit is active

AWS_REGION names the region; AWS_ENDPOINT_URL, AWS_CA_BUNDLE and AWS_EC2_METADATA_SERVICE_ENDPOINT are obeyed.
"""
import datetime, hashlib, hmac, json, os, ssl, subprocess, sys, time, urllib.error, urllib.parse, urllib.request

IMDS = os.environ.get('AWS_EC2_METADATA_SERVICE_ENDPOINT', 'http://169.254.169.254').rstrip('/')
TRIES = 8


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the signed request elsewhere."""

    def redirect_request(self, *_):
        return None


def opener(proxy=True):
    handlers = [NoRedirects, urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=os.environ.get('AWS_CA_BUNDLE')))]
    return urllib.request.build_opener(*handlers, *([] if proxy else [urllib.request.ProxyHandler({})]))


def metadata(path, method='GET', headers=None):
    request = urllib.request.Request(IMDS + path, method=method, headers=headers or {})
    with opener(proxy=False).open(request, timeout=5) as reply:
        return reply.read(65536).decode()


def credentials():
    token = {'X-aws-ec2-metadata-token': metadata('/latest/api/token', 'PUT', {'X-aws-ec2-metadata-token-ttl-seconds': '300'})}
    folder = '/latest/meta-data/iam/security-credentials/'
    return json.loads(metadata(folder + metadata(folder, headers=token).split()[0], headers=token))


def sign(service, method, host, path, headers, digest):
    """SigV4; -> the headers with Authorization."""
    have, region = credentials(), os.environ['AWS_REGION']
    now = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
    headers = dict(headers, **{'host': host, 'x-amz-date': now, 'x-amz-security-token': have['Token'], 'x-amz-content-sha256': digest})
    names = ';'.join(sorted(headers))
    text = '\n'.join([method, path, '', *[f'{n}:{headers[n]}' for n in sorted(headers)], '', names, digest])
    scope = f'{now[:8]}/{region}/{service}/aws4_request'
    key = ('AWS4' + have['SecretAccessKey']).encode()
    for part in (*scope.split('/'), f'AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(text.encode()).hexdigest()}'):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return dict(headers, Authorization=f'AWS4-HMAC-SHA256 Credential={have["AccessKeyId"]}/{scope}, SignedHeaders={names}, Signature={key.hex()}')


def call(service, method, host, path, headers=None, body=b''):
    override = os.environ.get('AWS_ENDPOINT_URL')
    base, host = (override.rstrip('/'), urllib.parse.urlsplit(override).netloc) if override else (f'https://{host}', host)
    signed = sign(service, method, host, path, headers or {}, hashlib.sha256(body).hexdigest())
    return opener().open(urllib.request.Request(base + path, data=body or None, method=method, headers=signed), timeout=60)


def fetch(bucket, key, wanted, file):
    quoted = urllib.parse.quote(key, safe='/-._~')
    path = f'/{bucket}/{quoted}'
    partial, digest = file + '.partial', hashlib.sha256()
    with call('s3', 'GET', f's3.{os.environ["AWS_REGION"]}.amazonaws.com', path) as reply, open(partial, 'wb') as out:
        while piece := reply.read(1 << 20):
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != wanted.lower():
        os.unlink(partial)
        sys.exit(f'aws.py: error: {bucket}/{key} is {digest.hexdigest()}, and {wanted} was wanted')
    os.replace(partial, file)


def beat(namespace, unit):
    if subprocess.run(['systemctl', '--quiet', 'is-active', unit], check=False).returncode != 0:
        sys.exit(f'aws.py: error: {unit} is not active: no heartbeat')
    body = urllib.parse.urlencode({'Action': 'PutMetricData', 'Version': '2010-08-01', 'Namespace': namespace,
                                   'MetricData.member.1.MetricName': 'Heartbeat', 'MetricData.member.1.Value': '1',
                                   'MetricData.member.1.Unit': 'Count', 'MetricData.member.1.Dimensions.member.1.Name': 'Unit',
                                   'MetricData.member.1.Dimensions.member.1.Value': unit}).encode()
    call('monitoring', 'POST', f'monitoring.{os.environ["AWS_REGION"]}.amazonaws.com', '/',
         {'content-type': 'application/x-www-form-urlencoded'}, body).close()


def main():
    verb, *args = sys.argv[1:] or ['']
    if (verb, len(args)) not in (('fetch', 4), ('beat', 2)):
        sys.exit(__doc__)
    for i in range(TRIES):
        try:
            return fetch(*args) if verb == 'fetch' else beat(*args)
        except urllib.error.HTTPError as e:
            why = f'{e.code}: {e.read(300).decode(errors="replace")}'
            if e.code < 500 and e.code != 429:
                break
        except (OSError, ValueError) as e:
            why = str(e)
        if i + 1 < TRIES: # a role's credentials and a network are there some seconds after the machine
            time.sleep(min(2 ** i, 20) * float(os.environ.get('AWS_PY_WAIT', '1')))
    sys.exit(f'aws.py: error: {verb} {" ".join(args[:2])}: {why}')


if __name__ == '__main__':
    main()
