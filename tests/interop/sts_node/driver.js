// SPDX-License-Identifier: Apache-2.0
// Goes through STS and the credential providers of the AWS SDK for JavaScript: prints one JSON line a check.
// argv: a JSON object {account, token, tokenFile, serial, code, roles}
'use strict'
const { STSClient, GetCallerIdentityCommand, AssumeRoleCommand, GetSessionTokenCommand, AssumeRoleWithWebIdentityCommand } = require('@aws-sdk/client-sts')
const providers = require('@aws-sdk/credential-providers')

const world = JSON.parse(process.argv[2])
const arn = role => `arn:aws:iam::${world.account}:role/${role}`
const say = (name, ok, detail) => console.log(JSON.stringify({ name, ok: Boolean(ok), detail: String(detail) }))
const who = async credentials => (await new STSClient({ credentials }).send(new GetCallerIdentityCommand({}))).Arn

async function check (name, run, want) {
  try {
    const got = await run()
    say(name, String(got).startsWith(want), got)
  } catch (e) {
    say(name, e.name === want, `${e.name}: ${e.message}`)
  }
}

async function main () {
  const sts = new STSClient({})
  const user = providers.fromEnv()
  await check('fromEnv', () => who(user), `arn:aws:iam::${world.account}:user/ann`)
  await check('GetSessionToken', async () => {
    const c = (await sts.send(new GetSessionTokenCommand({}))).Credentials
    return who({ accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken })
  }, `arn:aws:iam::${world.account}:user/ann`)
  await check('fromTemporaryCredentials', () => who(providers.fromTemporaryCredentials({
    masterCredentials: user, params: { RoleArn: arn('team/reader'), RoleSessionName: 'node', Tags: [{ Key: 'project', Value: 'x' }], SourceIdentity: 'ann' }
  })), `arn:aws:sts::${world.account}:assumed-role/reader/node`)
  await check('fromTemporaryCredentials, with a second factor', () => who(providers.fromTemporaryCredentials({
    masterCredentials: user, params: { RoleArn: arn('with-mfa'), RoleSessionName: 'node', SerialNumber: world.serial }, mfaCodeProvider: async () => world.code
  })), `arn:aws:sts::${world.account}:assumed-role/with-mfa/node`)
  await check('fromTemporaryCredentials, the same code again', () => who(providers.fromTemporaryCredentials({
    masterCredentials: user, params: { RoleArn: arn('with-mfa'), RoleSessionName: 'node', SerialNumber: world.serial }, mfaCodeProvider: async () => world.code
  })), 'AccessDenied')
  await check('fromTemporaryCredentials, one role after another', () => who(providers.fromTemporaryCredentials({
    masterCredentials: providers.fromTemporaryCredentials({ masterCredentials: user, params: { RoleArn: arn('team/reader'), RoleSessionName: 'one' } }),
    params: { RoleArn: arn('next'), RoleSessionName: 'two' }
  })), `arn:aws:sts::${world.account}:assumed-role/next/two`)
  await check('fromWebToken', () => who(providers.fromWebToken({ roleArn: arn('web'), webIdentityToken: world.token, roleSessionName: 'node' })),
    `arn:aws:sts::${world.account}:assumed-role/web/node`)
  await check('fromTokenFile', () => who(providers.fromTokenFile({ roleArn: arn('web'), webIdentityTokenFile: world.tokenFile, roleSessionName: 'node' })),
    `arn:aws:sts::${world.account}:assumed-role/web/node`)
  await check('fromInstanceMetadata', () => who(providers.fromInstanceMetadata({ maxRetries: 0, timeout: 5000 })),
    `arn:aws:sts::${world.account}:assumed-role/worker/i-`)
  await check('a role that is not there', () => sts.send(new AssumeRoleCommand({ RoleArn: arn('nobody'), RoleSessionName: 'node' })), 'AccessDenied')
  await check('a session policy that is none', () => sts.send(new AssumeRoleCommand({ RoleArn: arn('team/reader'), RoleSessionName: 'node', Policy: '{}' })), 'MalformedPolicyDocumentException')
  await check('tags that take too much room', () => sts.send(new AssumeRoleCommand({
    RoleArn: arn('team/reader'), RoleSessionName: 'node', Tags: Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: 'v'.repeat(256) }))
  })), 'PackedPolicyTooLargeException')
  await check('a token that is none', () => sts.send(new AssumeRoleWithWebIdentityCommand({ RoleArn: arn('web'), RoleSessionName: 'node', WebIdentityToken: 'abcd' })), 'InvalidIdentityTokenException')
}

main().catch(e => { console.error(e); process.exit(1) })
