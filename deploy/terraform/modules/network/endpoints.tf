# SPDX-License-Identifier: Apache-2.0
# The ways to AWS that do not leave the VPC. Each endpoint's policy lets the roles of this deployment reach its own resources, so a
# machine that was taken over cannot carry data to a bucket, queue or key of somebody else's, with whatever credentials.
locals {
  interfaces = toset(["kms", "sqs", "sts", "logs", "monitoring", "ssm", "ssmmessages", "ec2messages"])
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.gateway.id, aws_route_table.enclave.id]
  tags              = { Name = "${var.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = local.interfaces
  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.enclave[*].id
  security_group_ids  = [aws_security_group.endpoints.id]
  tags                = { Name = "${var.name}-${each.key}" }
}

# Apart from the endpoints, because the keys' policies name the endpoints and these name the keys.
module "policy" {
  source   = "../policy"
  for_each = setunion(local.interfaces, ["s3"])
  file     = contains(["s3", "kms", "sqs", "sts"], each.key) ? "terraform/policies/endpoint-${each.key}" : "terraform/policies/endpoint-machine"
  values   = var.values
}

resource "aws_vpc_endpoint_policy" "this" {
  for_each        = module.policy
  vpc_endpoint_id = each.key == "s3" ? aws_vpc_endpoint.s3.id : aws_vpc_endpoint.interface[each.key].id
  policy          = each.value.json
}
