# SPDX-License-Identifier: Apache-2.0
output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "subnets" {
  description = "Subnet ids: public, gateway, enclave."
  value       = { public = aws_subnet.public[*].id, gateway = aws_subnet.gateway[*].id, enclave = aws_subnet.enclave[*].id }
}

output "security_groups" {
  description = "Security group ids: balancer, producer, enclave."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "endpoints" {
  description = "Endpoint ids: s3, kms, sqs."
  value = {
    s3  = aws_vpc_endpoint.s3.id
    kms = aws_vpc_endpoint.interface["kms"].id
    sqs = aws_vpc_endpoint.interface["sqs"].id
  }
}
