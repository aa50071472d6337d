// SPDX-License-Identifier: Apache-2.0
// The same tour of SQS with each client given: every line of output is a JSON object {name, ok, detail}.
'use strict'
const { performance } = require('node:perf_hooks')
const endpoint = process.env.AWS_ENDPOINT_URL

async function tour (name, sdk) {
  const client = new sdk.SQSClient({ endpoint, region: 'us-east-1', maxAttempts: 1 })
  const call = (op, args) => client.send(new sdk[`${op}Command`](args))
  const results = []
  const check = async (what, f) => {
    try {
      const detail = await f()
      console.log(JSON.stringify({ name: `${name}: ${what}`, ok: detail === true, detail: detail === true ? '' : detail }))
    } catch (e) {
      console.log(JSON.stringify({ name: `${name}: ${what}`, ok: false, detail: String(e && e.stack) }))
    }
  }
  const refused = async (code, op, args, status) => {
    try {
      await call(op, args)
    } catch (e) {
      const seen = [e.name, e.Code, e.Error && e.Error.Code]
      return (seen.includes(code) && (!status || e.$metadata.httpStatusCode === status)) || { seen, status: e.$metadata && e.$metadata.httpStatusCode, message: String(e) }
    }
    return `no ${code}`
  }
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b) || { got: a, want: b }
  const queue = `js-${name}`
  let QueueUrl, messages
  await check('a queue is made, found and listed', async () => {
    QueueUrl = (await call('CreateQueue', { QueueName: queue, Attributes: { VisibilityTimeout: '40' }, tags: { a: 'b' } })).QueueUrl
    const found = (await call('GetQueueUrl', { QueueName: queue })).QueueUrl
    const listed = (await call('ListQueues', { QueueNamePrefix: queue, MaxResults: 10 })).QueueUrls
    const tags = (await call('ListQueueTags', { QueueUrl })).Tags
    return same([found, listed, tags], [QueueUrl, [QueueUrl], { a: 'b' }])
  })
  await check('messages with attributes come back, their digests checked by the client', async () => {
    const MessageAttributes = { s: { DataType: 'String', StringValue: 'ä<&>"' }, n: { DataType: 'Number', StringValue: '42' },
      b: { DataType: 'Binary', BinaryValue: Uint8Array.from([0, 1, 255]) } }
    const sent = await call('SendMessage', { QueueUrl, MessageBody: 'body <&> ä\n\ttext', MessageAttributes })
    messages = (await call('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10, AttributeNames: ['All'], MessageAttributeNames: ['All'] })).Messages
    const m = messages[0]
    return same([m.Body, m.MessageId, m.MD5OfMessageAttributes, Buffer.from(m.MessageAttributes.b.BinaryValue).toString('hex'), m.MessageAttributes.s.StringValue,
      m.Attributes.ApproximateReceiveCount], ['body <&> ä\n\ttext', sent.MessageId, sent.MD5OfMessageAttributes, '0001ff', 'ä<&>"', '1'])
  })
  await check('visibility is changed and the message deleted', async () => {
    await call('ChangeMessageVisibility', { QueueUrl, ReceiptHandle: messages[0].ReceiptHandle, VisibilityTimeout: 0 })
    const again = (await call('ReceiveMessage', { QueueUrl })).Messages
    await call('DeleteMessage', { QueueUrl, ReceiptHandle: again[0].ReceiptHandle })
    const a = (await call('GetQueueAttributes', { QueueUrl, AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'VisibilityTimeout'] })).Attributes
    return same([a.ApproximateNumberOfMessages, a.ApproximateNumberOfMessagesNotVisible, a.VisibilityTimeout], ['0', '0', '40'])
  })
  await check('batches are sent, received and deleted', async () => {
    const sent = await call('SendMessageBatch', { QueueUrl, Entries: [...Array(10).keys()].map(i => ({ Id: `e${i}`, MessageBody: `m${i}`, DelaySeconds: i === 9 ? 901 : 0 })) })
    const got = (await call('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 })).Messages
    const gone = await call('DeleteMessageBatch', { QueueUrl, Entries: got.map((m, i) => ({ Id: `e${i}`, ReceiptHandle: m.ReceiptHandle })) })
    return same([sent.Successful.length, sent.Failed.map(f => [f.Id, f.Code, f.SenderFault]), got.length, gone.Successful.length],
      [9, [['e9', 'InvalidParameterValue', true]], 9, 9])
  })
  await check('a long poll ends when something is sent', async () => {
    const start = performance.now()
    const waiting = call('ReceiveMessage', { QueueUrl, WaitTimeSeconds: 20 })
    await new Promise(resolve => setTimeout(resolve, 200))
    await call('SendMessage', { QueueUrl, MessageBody: 'now' })
    const m = (await waiting).Messages
    await call('DeleteMessage', { QueueUrl, ReceiptHandle: m[0].ReceiptHandle })
    return (m[0].Body === 'now' && performance.now() - start < 10000) || m
  })
  await check('an empty receive is empty', async () => !((await call('ReceiveMessage', { QueueUrl })).Messages || []).length)
  await check('errors have the names this client knows', async () => {
    const r = [await refused(name === 'json' ? 'QueueDoesNotExist' : 'AWS.SimpleQueueService.NonExistentQueue', 'SendMessage', { QueueUrl: QueueUrl + 'x', MessageBody: 'x' }, 400),
      await refused('ReceiptHandleIsInvalid', 'DeleteMessage', { QueueUrl, ReceiptHandle: 'x' }, 404),
      await refused(name === 'json' ? 'QueueNameExists' : 'QueueAlreadyExists', 'CreateQueue', { QueueName: queue, Attributes: { VisibilityTimeout: '41' } }, 400),
      await refused('InvalidAttributeName', 'SetQueueAttributes', { QueueUrl, Attributes: { X: '1' } }, 400)]
    return r.every(x => x === true) || r
  })
  await check('permissions, purging and deleting', async () => {
    await call('AddPermission', { QueueUrl, Label: 'l', AWSAccountIds: ['444455556666'], Actions: ['SendMessage'] })
    const p = JSON.parse((await call('GetQueueAttributes', { QueueUrl, AttributeNames: ['Policy'] })).Attributes.Policy)
    await call('RemovePermission', { QueueUrl, Label: 'l' })
    await call('PurgeQueue', { QueueUrl })
    const purge = await refused(name === 'json' ? 'PurgeQueueInProgress' : 'AWS.SimpleQueueService.PurgeQueueInProgress', 'PurgeQueue', { QueueUrl }, 403)
    await call('DeleteQueue', { QueueUrl })
    return (p.Statement[0].Sid === 'l' && purge === true) || [p, purge]
  })
  client.destroy()
  return results
}

(async () => {
  await tour('json', require('@aws-sdk/client-sqs'))
  await tour('query', require('client-sqs-query'))
})()
