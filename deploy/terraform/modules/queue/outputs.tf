# SPDX-License-Identifier: Apache-2.0
output "jobs" {
  description = "arn, url and name of the queue of jobs."
  value       = { arn = aws_sqs_queue.jobs.arn, url = aws_sqs_queue.jobs.url, name = aws_sqs_queue.jobs.name }
}

output "dead_letter" {
  description = "arn, url and name of the dead-letter queue."
  value       = { arn = aws_sqs_queue.dead_letter.arn, url = aws_sqs_queue.dead_letter.url, name = aws_sqs_queue.dead_letter.name }
}
