// SPDX-License-Identifier: Apache-2.0
// Reads {"policies": {name: policy}, "questions": [...]} from standard input and prints the judge's verdict of each question, one a line.
const { runSimulation } = require('@cloud-copilot/iam-simulate')

async function main() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  const { policies, questions } = JSON.parse(text)
  for (const q of questions) {
    const answer = await runSimulation({
      request: { principal: q.principal, action: q.action, resource: { resource: q.resource, accountId: q.account }, contextVariables: q.context },
      identityPolicies: q.identity.map((name) => ({ name, policy: policies[name] })),
      serviceControlPolicies: [], resourceControlPolicies: [],
      resourcePolicy: q.resourcePolicy ? policies[q.resourcePolicy] : undefined
    }, {})
    console.log(answer.resultType === 'error' ? 'error ' + JSON.stringify(answer.errors).slice(0, 300) : answer.overallResult)
  }
}

main()
