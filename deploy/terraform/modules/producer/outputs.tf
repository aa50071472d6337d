# SPDX-License-Identifier: Apache-2.0
output "host" {
  description = "Name of the load balancer; let the certificate's name be an alias of it."
  value       = aws_lb.this.dns_name
}

output "group" {
  description = "The auto-scaling group's name."
  value       = aws_autoscaling_group.this.name
}

output "balancer" {
  description = "What CloudWatch calls the load balancer."
  value       = aws_lb.this.arn_suffix
}
