// SPDX-License-Identifier: Apache-2.0
// Seals and opens messages with the AWS Encryption SDK for JavaScript: one JSON request a line in, one JSON answer a line out.
//   {op: "encrypt"|"decrypt", in, out, keyrings: [...], policy, suite, frame, context, cache}
'use strict'
const crypto = require('crypto')
const fs = require('fs')
const readline = require('readline')
const esdk = require('@aws-crypto/client-node')

const aesSuites = { 16: 'AES128_GCM_IV12_TAG16_NO_PADDING', 24: 'AES192_GCM_IV12_TAG16_NO_PADDING', 32: 'AES256_GCM_IV12_TAG16_NO_PADDING' }

function keyringOf (k) {
  if (k.kind === 'aes') {
    const key = fs.readFileSync(k.file)
    return new esdk.RawAesKeyringNode({
      keyNamespace: k.namespace, keyName: k.name, unencryptedMasterKey: new Uint8Array(key),
      wrappingSuite: esdk.RawAesWrappingSuiteIdentifier[aesSuites[key.length]]
    })
  }
  if (k.kind === 'rsa') {
    const pem = fs.readFileSync(k.file, 'utf8')
    const pkcs1 = k.padding === 'pkcs1'
    return new esdk.RawRsaKeyringNode({
      keyNamespace: k.namespace, keyName: k.name,
      rsaKey: { privateKey: pem, publicKey: crypto.createPublicKey(pem).export({ type: 'spki', format: 'pem' }) },
      padding: pkcs1 ? crypto.constants.RSA_PKCS1_PADDING : crypto.constants.RSA_PKCS1_OAEP_PADDING,
      ...(pkcs1 ? {} : { oaepHash: k.padding.replace('oaep-', '') })
    })
  }
  if (k.kind === 'kms') {
    return new esdk.KmsKeyringNode({ generatorKeyId: k.arn, keyIds: k.more })
  }
  if (k.kind === 'kms-discovery') {
    return new esdk.KmsKeyringNode({ discovery: true, discoveryFilter: { partition: 'aws', accountIDs: [k.account] } })
  }
  throw new Error('no such keyring')
}

function keyringsOf (list) {
  const all = list.map(keyringOf)
  return all.length === 1 ? all[0] : new esdk.MultiKeyringNode({ generator: all[0], children: all.slice(1) })
}

async function createKey () {
  const kms = require('@aws-sdk/client-kms')
  const { KeyMetadata } = await new kms.KMS({}).createKey({})
  return { arn: KeyMetadata.Arn }
}

async function answer (r) {
  if (r.op === 'create-key') return createKey()
  const policy = esdk.CommitmentPolicy[r.policy || 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT']
  const client = esdk.buildClient(policy)
  const keyring = keyringsOf(r.keyrings)
  const bytes = fs.readFileSync(r.in)
  if (r.op === 'encrypt') {
    const { result } = await client.encrypt(keyring, bytes, { suiteId: r.suite, frameLength: r.frame, encryptionContext: r.context })
    fs.writeFileSync(r.out, result)
    return {}
  }
  const { plaintext, messageHeader } = await client.decrypt(keyring, bytes)
  fs.writeFileSync(r.out, plaintext)
  return {
    context: messageHeader.encryptionContext, messageId: Buffer.from(messageHeader.messageId).toString('hex'),
    suite: messageHeader.suiteId, frame: messageHeader.frameLength, edks: messageHeader.encryptedDataKeys.length
  }
}

const lines = readline.createInterface({ input: process.stdin })
let last = Promise.resolve()
lines.on('line', line => {
  last = last.then(async () => {
    let reply
    try {
      reply = { ok: true, ...await answer(JSON.parse(line)) }
    } catch (e) {
      reply = { ok: false, error: String(e && e.message ? e.message : e) }
    }
    process.stdout.write(JSON.stringify(reply) + '\n')
  })
})
