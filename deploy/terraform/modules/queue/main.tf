# SPDX-License-Identifier: Apache-2.0
# The queue of jobs, and the one where poison ends. Jobs carry pointers and digests, never data.
#
# A queue comes into being with its policy, so there is no moment without it; for that its ARN is written down before it exists.
locals {
  arn    = "arn:aws:sqs:${var.values.region}:${var.values.account}:"
  values = merge(var.values, { jobs_queue_arn = "${local.arn}${var.name}-jobs", dead_letter_queue_arn = "${local.arn}${var.name}-jobs-dead" })
}

module "policy" {
  source   = "../policy"
  for_each = { jobs = "iam/queue-policy", dead_letter = "iam/queue-policy-dead-letter" }
  file     = each.value
  values   = local.values
  lists    = var.lists
}

resource "aws_sqs_queue" "dead_letter" {
  name                      = "${var.name}-jobs-dead"
  message_retention_seconds = 1209600 # 14 days, the longest: a message keeps its age when it moves here
  sqs_managed_sse_enabled   = true
  policy                    = module.policy["dead_letter"].json
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.values.jobs_queue_arn]
  })
}

resource "aws_sqs_queue" "jobs" {
  name                       = "${var.name}-jobs"
  message_retention_seconds  = 604800
  visibility_timeout_seconds = var.visibility_seconds
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  policy                     = module.policy["jobs"].json
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = var.attempts
  })
}
