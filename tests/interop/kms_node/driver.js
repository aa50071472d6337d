// SPDX-License-Identifier: Apache-2.0
// Calls coffer-local's KMS by the AWS SDK for JavaScript; one JSON line a check. Signatures are verified by node's own crypto.
const crypto = require('crypto')
const k = require('@aws-sdk/client-kms')

const client = new k.KMSClient({ maxAttempts: 1 })
const send = (name, input) => client.send(new k[name + 'Command'](input))
const say = (name, ok, detail = '') => console.log(JSON.stringify({ name, ok: !!ok, detail: String(detail) }))
const bytes = text => Buffer.from(text)
const same = (a, b) => Buffer.from(a).equals(Buffer.from(b))

async function refused(name, error, command, input) {
  try {
    say(name, false, JSON.stringify(await send(command, input)))
  } catch (e) {
    say(name, e instanceof k[error] && e.$metadata.httpStatusCode === 400, `${e.name}: ${e.message}`)
  }
}

async function main() {
  const made = (await send('CreateKey', { Description: 'node' })).KeyMetadata
  const KeyId = made.KeyId, EncryptionContext = { camera: '7', 'ä': 'ö' }
  say('CreateKey', made.KeyState === k.KeyState.Enabled && made.CreationDate instanceof Date, JSON.stringify(made))
  const data = await send('GenerateDataKey', { KeyId, KeySpec: 'AES_256', EncryptionContext })
  const back = await send('Decrypt', { CiphertextBlob: data.CiphertextBlob, EncryptionContext, KeyId: made.Arn })
  say('GenerateDataKey, Decrypt', same(data.Plaintext, back.Plaintext) && back.KeyId === made.Arn)
  const sealed = await send('Encrypt', { KeyId, Plaintext: bytes('hello') })
  const again = await send('ReEncrypt', { CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: KeyId, DestinationEncryptionContext: { a: 'b' } })
  say('Encrypt, ReEncrypt', same((await send('Decrypt', { CiphertextBlob: again.CiphertextBlob, EncryptionContext: { a: 'b' } })).Plaintext, bytes('hello')))
  await refused('another context', 'InvalidCiphertextException', 'Decrypt', { CiphertextBlob: data.CiphertextBlob })
  await refused('no such key', 'NotFoundException', 'DescribeKey', { KeyId: '00000000-0000-4000-8000-000000000000' })
  await refused('DryRun', 'DryRunOperationException', 'Encrypt', { KeyId, Plaintext: bytes('x'), DryRun: true })

  for (const [KeySpec, SigningAlgorithm, options] of [['ECC_NIST_P384', 'ECDSA_SHA_384', {}], ['ECC_SECG_P256K1', 'ECDSA_SHA_256', {}],
    ['RSA_2048', 'RSASSA_PSS_SHA_256', { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }]]) {
    const id = (await send('CreateKey', { KeySpec, KeyUsage: 'SIGN_VERIFY' })).KeyMetadata.KeyId
    const key = crypto.createPublicKey({ key: Buffer.from((await send('GetPublicKey', { KeyId: id })).PublicKey), format: 'der', type: 'spki' })
    const { Signature } = await send('Sign', { KeyId: id, Message: bytes('message'), SigningAlgorithm })
    say(`${KeySpec}: node verifies`, crypto.verify('sha' + SigningAlgorithm.slice(-3), bytes('message'), { key, ...options }, Buffer.from(Signature)))
    say(`${KeySpec}: Verify`, (await send('Verify', { KeyId: id, Message: bytes('message'), Signature, SigningAlgorithm })).SignatureValid)
    await refused(`${KeySpec}: another message`, 'KMSInvalidSignatureException', 'Verify', { KeyId: id, Message: bytes('other'), Signature, SigningAlgorithm })
  }
  const pair = await send('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'ECC_NIST_P256' })
  const secret = crypto.createPrivateKey({ key: Buffer.from(pair.PrivateKeyPlaintext), format: 'der', type: 'pkcs8' })
  say('GenerateDataKeyPair', same(crypto.createPublicKey(secret).export({ format: 'der', type: 'spki' }), pair.PublicKey))
  const mac = (await send('CreateKey', { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })).KeyMetadata.KeyId
  const { Mac } = await send('GenerateMac', { KeyId: mac, Message: bytes('m'), MacAlgorithm: 'HMAC_SHA_256' })
  say('GenerateMac, VerifyMac', (await send('VerifyMac', { KeyId: mac, Message: bytes('m'), Mac, MacAlgorithm: 'HMAC_SHA_256' })).MacValid)

  await send('CreateAlias', { AliasName: 'alias/node', TargetKeyId: KeyId })
  say('aliases', (await send('ListAliases', { KeyId })).Aliases[0].AliasName === 'alias/node')
  await send('EnableKeyRotation', { KeyId })
  await send('RotateKeyOnDemand', { KeyId })
  const status = await send('GetKeyRotationStatus', { KeyId })
  say('rotation', status.KeyRotationEnabled && status.RotationPeriodInDays === 365 && status.NextRotationDate instanceof Date, JSON.stringify(status))
  say('an old version opens', same((await send('Decrypt', { CiphertextBlob: sealed.CiphertextBlob })).Plaintext, bytes('hello')))
  const grant = await send('CreateGrant', { KeyId, GranteePrincipal: made.Arn.split(':')[4], Operations: ['Decrypt'], Constraints: { EncryptionContextSubset: { a: 'b' } } })
  say('grants', (await send('ListGrants', { KeyId })).Grants[0].GrantId === grant.GrantId)
  await send('RevokeGrant', { KeyId, GrantId: grant.GrantId })
  let n = 0
  for await (const page of k.paginateListKeys({ client, pageSize: 2 }, {})) n += page.Keys.length
  say('ListKeys in pages', n >= 6, n)
  const dying = await send('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 })
  say('ScheduleKeyDeletion', dying.KeyState === 'PendingDeletion' && dying.DeletionDate - Date.now() > 6.9 * 86400e3)
  await refused('pending deletion', 'KMSInvalidStateException', 'Encrypt', { KeyId, Plaintext: bytes('x') })
}

main().catch(e => { say('ran to its end', false, e.stack); process.exitCode = 1 })
