// SPDX-License-Identifier: Apache-2.0
// coffer-local's S3 driven by the AWS SDK for JavaScript; one JSON line a check. AWS_ENDPOINT_URL says where, plain or TLS.
const s3 = require('@aws-sdk/client-s3');
const { Upload } = require('@aws-sdk/lib-storage');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');
const crypto = require('crypto');
const http = require('http');
const https = require('https');
const { Readable } = require('stream');

const tls = process.env.AWS_ENDPOINT_URL.startsWith('https:');
const client = new s3.S3Client({ forcePathStyle: true, maxAttempts: 1 });
const bucket = tls ? 'node-tls' : 'node-plain';
const say = (name, ok, detail = '') => console.log(JSON.stringify({ name: `${tls ? 'TLS' : 'plain'}: ${name}`, ok: !!ok, detail: String(detail) }));
const send = (Command, args) => client.send(new s3[Command + 'Command']({ Bucket: bucket, ...args }));
const bytes = async (r) => Buffer.from(await r.Body.transformToByteArray());
const refused = async (name, code, call) => {
  try {
    await call();
    say(name, false, `no ${code}`);
  } catch (e) {
    say(name, e.name === code || String(e.$metadata?.httpStatusCode) === code, `${e.name}: ${e.message}`);
  }
};

function fetch(url, method = 'GET', body) {
  return new Promise((resolve, reject) => {
    const r = (tls ? https : http).request(url, { method, headers: body ? { 'content-length': body.length } : {} }, (a) => {
      const parts = [];
      a.on('data', (p) => parts.push(p));
      a.on('end', () => resolve({ status: a.statusCode, body: Buffer.concat(parts) }));
    });
    r.on('error', reject);
    r.end(body);
  });
}

async function main() {
  await send('CreateBucket', {});
  for (const size of [0, 1, 65536, 1000003]) {
    const data = crypto.randomBytes(size);
    await send('PutObject', { Key: `dir/ä ${size}+`, Body: data, Metadata: { who: 'node' }, ContentType: 'image/x', Tagging: 'a=1&b=2' });
    const got = await send('GetObject', { Key: `dir/ä ${size}+` });
    say(`an object of ${size} bytes comes back`, (await bytes(got)).equals(data) && got.Metadata.who === 'node' && got.ContentType === 'image/x' && got.TagCount === 2);
  }
  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
    const put = await send('PutObject', { Key: `sum ${algorithm}`, Body: Buffer.from('123456789'), ChecksumAlgorithm: algorithm });
    const head = await send('HeadObject', { Key: `sum ${algorithm}`, ChecksumMode: 'ENABLED' });
    say(`checksum ${algorithm}`, put[`Checksum${algorithm}`] && put[`Checksum${algorithm}`] === head[`Checksum${algorithm}`], JSON.stringify(head));
  }
  const part = await send('GetObject', { Key: 'dir/ä 1000003+', Range: 'bytes=65530-65545' });
  say('a range', part.ContentRange === 'bytes 65530-65545/1000003' && (await bytes(part)).length === 16, part.ContentRange);
  await refused('no such key', 'NoSuchKey', () => send('GetObject', { Key: 'none' }));
  await refused('create only', 'PreconditionFailed', () => send('PutObject', { Key: 'sum CRC32', Body: 'x', IfNoneMatch: '*' }));

  const large = crypto.randomBytes(12 * 1024 * 1024 + 17);
  const pieces = Readable.from((function* () { for (let i = 0; i < large.length; i += 100000) yield large.subarray(i, i + 100000); })());
  await new Upload({ client, params: { Bucket: bucket, Key: 'large', Body: pieces }, partSize: 5 * 1024 * 1024, queueSize: 3 }).done();
  const big = await send('GetObject', { Key: 'large' });
  say('lib-storage sends a stream in parts', big.ETag.endsWith('-3"') && (await bytes(big)).equals(large), big.ETag);
  await send('CopyObject', { Key: 'copy', CopySource: `${bucket}/large` });
  say('a copy', (await bytes(await send('GetObject', { Key: 'copy' }))).equals(large));

  for (let i = 0; i < 5; i++) await send('PutObject', { Key: `many/${i}`, Body: String(i) });
  const keys = [];
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket: bucket, Prefix: 'many/' })) keys.push(...page.Contents.map((o) => o.Key));
  say('pages of a list', keys.join() === 'many/0,many/1,many/2,many/3,many/4', keys);
  const groups = await send('ListObjectsV2', { Delimiter: '/' });
  say('groups of a list', groups.CommonPrefixes.map((p) => p.Prefix).join() === 'dir/,many/', JSON.stringify(groups.CommonPrefixes));
  const gone = await send('DeleteObjects', { Delete: { Objects: keys.map((Key) => ({ Key })) } });
  say('many are deleted at once', gone.Deleted.length === 5 && !gone.Errors);

  const link = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket: bucket, Key: 'large' }), { expiresIn: 60 });
  const got = await fetch(link);
  say('a link to get by', got.status === 200 && got.body.equals(large), got.status);
  const changed = await fetch(link.replace('/large?', '/copy?'));
  say('a link is for one object', changed.status === 403, changed.status);
  const up = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket: bucket, Key: 'by link' }), { expiresIn: 60 });
  say('a link to put by', (await fetch(up, 'PUT', Buffer.from('by link'))).status === 200 && (await bytes(await send('GetObject', { Key: 'by link' }))).toString() === 'by link');

  await send('PutBucketVersioning', { VersioningConfiguration: { Status: 'Enabled' } });
  const first = (await send('PutObject', { Key: 'v', Body: 'one' })).VersionId;
  await send('PutObject', { Key: 'v', Body: 'two' });
  const marker = await send('DeleteObject', { Key: 'v' });
  say('versions and delete markers', marker.DeleteMarker && (await bytes(await send('GetObject', { Key: 'v', VersionId: first }))).toString() === 'one');

  const kms = await send('PutObject', { Key: 'kms', Body: 'kms', ServerSideEncryption: 'aws:kms', SSEKMSKeyId: process.env.KMS_KEY });
  say('SSE-KMS', kms.SSEKMSKeyId === process.env.KMS_KEY && (await bytes(await send('GetObject', { Key: 'kms' }))).toString() === 'kms', kms.SSEKMSKeyId);
  const key = crypto.randomBytes(32);
  const sse = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: key.toString('base64'), SSECustomerKeyMD5: crypto.createHash('md5').update(key).digest('base64') };
  await refused('a customer key is blocked at first', tls ? 'AccessDenied' : '403', () => send('PutObject', { Key: 'c', Body: 'c', ...sse }));
  await send('PutBucketEncryption', { ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' }, BlockedEncryptionTypes: { EncryptionType: ['NONE'] } }] } });
  if (tls) {
    await send('PutObject', { Key: 'c', Body: 'c', ...sse });
    say('SSE-C', (await bytes(await send('GetObject', { Key: 'c', ...sse }))).toString() === 'c');
    await refused('SSE-C without the key', 'InvalidRequest', () => send('GetObject', { Key: 'c' }));
  } else {
    await refused('SSE-C over plain HTTP', 'InvalidRequest', () => send('PutObject', { Key: 'c', Body: 'c', ...sse }));
  }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` }] });
  await refused('a public policy is blocked at first', 'AccessDenied', () => send('PutBucketPolicy', { Policy: policy }));
  await send('DeletePublicAccessBlock', {});
  await send('PutBucketPolicy', { Policy: policy });
  say('a public policy', (await send('GetBucketPolicyStatus', {})).PolicyStatus.IsPublic && (await send('GetBucketPolicy', {})).Policy === policy);
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
