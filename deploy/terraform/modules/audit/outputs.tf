# SPDX-License-Identifier: Apache-2.0
output "log_groups" {
  description = "Log groups: trail, flow, machines, each with name and arn."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => { name = group.name, arn = group.arn } }
}

output "flow_role_arn" {
  description = "The role of the flow logs."
  value       = aws_iam_role.flow.arn
}

output "topic_arn" {
  description = "Where alarms go."
  value       = aws_sns_topic.alarms.arn
}

output "patterns" {
  description = "The metric filters' patterns by name."
  value       = merge({ for name, event in local.events : name => event.pattern }, local.rates)
}
