// SPDX-License-Identifier: Apache-2.0
// Reads [{"kind": "identity" | "resource" | "trust", "policy": ...}] from standard input and prints how many errors the judge sees in each.
const judge = require('@cloud-copilot/iam-policy')

async function main() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  for (const { kind, policy } of JSON.parse(text)) {
    const check = { identity: judge.validateIdentityPolicy, resource: judge.validateResourcePolicy, trust: judge.validateTrustPolicy }[kind]
    const errors = check(policy)
    console.log(errors.length + ' ' + JSON.stringify(errors.map((e) => e.path + ': ' + e.message)).slice(0, 200))
  }
}

main()
