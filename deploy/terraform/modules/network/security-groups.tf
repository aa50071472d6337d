# SPDX-License-Identifier: Apache-2.0
# Who may speak to whom: each rule names the other side, and none lets anything out to everywhere.
#
#   clients -443-> load balancer -8443-> producer -443-> endpoints, S3, token issuer
#                                        enclave host -443-> endpoints, S3
resource "aws_security_group" "this" {
  for_each    = toset(["balancer", "producer", "enclave"])
  name        = "${var.name}-${each.key}"
  description = "Coffer ${each.key}"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Coffer endpoints of AWS services"
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-endpoints" }
}

locals {
  # from -> to, port
  flows = {
    "balancer-producer"  = { from = aws_security_group.this["balancer"].id, to = aws_security_group.this["producer"].id, port = 8443 }
    "producer-endpoints" = { from = aws_security_group.this["producer"].id, to = aws_security_group.endpoints.id, port = 443 }
    "enclave-endpoints"  = { from = aws_security_group.this["enclave"].id, to = aws_security_group.endpoints.id, port = 443 }
  }
}

resource "aws_vpc_security_group_egress_rule" "flow" {
  for_each                     = local.flows
  security_group_id            = each.value.from
  referenced_security_group_id = each.value.to
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.key
}

resource "aws_vpc_security_group_ingress_rule" "flow" {
  for_each                     = local.flows
  security_group_id            = each.value.to
  referenced_security_group_id = each.value.from
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.key
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each          = toset(var.client_cidrs)
  security_group_id = aws_security_group.this["balancer"].id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "clients"
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each          = toset(["producer", "enclave"])
  security_group_id = aws_security_group.this[each.key].id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "S3 by its gateway endpoint"
}

resource "aws_vpc_security_group_egress_rule" "issuer" {
  for_each          = toset(concat(var.issuer_cidrs, var.issuer_cidrs_by_nat))
  security_group_id = aws_security_group.this["producer"].id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "the token issuer"
}
