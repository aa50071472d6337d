# SPDX-License-Identifier: Apache-2.0
output "host" {
  description = "Name of the load balancer; let the certificate's name be an alias of it."
  value       = aws_lb.this.dns_name
}
