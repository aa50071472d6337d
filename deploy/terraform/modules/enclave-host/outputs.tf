# SPDX-License-Identifier: Apache-2.0
output "group" {
  description = "The auto-scaling group's name."
  value       = aws_autoscaling_group.this.name
}

output "launch_template" {
  description = "The launch template's id."
  value       = aws_launch_template.this.id
}
