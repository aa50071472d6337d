# SPDX-License-Identifier: Apache-2.0
# One VPC, three kinds of subnets in each availability zone:
#   public    the load balancer's, if it faces the internet; nothing else is here
#   gateway   coffer-producer: no route to the internet but, if asked, to the token issuer's addresses
#   enclave   coffer-host: no route out of the VPC at all
# AWS is reached through the endpoints of endpoints.tf.
locals {
  n_zones = length(var.zones)
  public  = !var.internal || length(var.issuer_cidrs_by_nat) > 0
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # private names of the interface endpoints
  tags                 = { Name = var.name }
}

# What forgets to name a security group gets this one, and may nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-nothing" }
}

resource "aws_subnet" "public" {
  count                   = local.public ? local.n_zones : 0
  vpc_id                  = aws_vpc.this.id
  availability_zone       = var.zones[count.index]
  cidr_block              = cidrsubnet(var.cidr, 4, count.index)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-public-${var.zones[count.index]}" }
}

resource "aws_subnet" "gateway" {
  count                   = local.n_zones
  vpc_id                  = aws_vpc.this.id
  availability_zone       = var.zones[count.index]
  cidr_block              = cidrsubnet(var.cidr, 4, 4 + count.index)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-gateway-${var.zones[count.index]}" }
}

resource "aws_subnet" "enclave" {
  count                   = local.n_zones
  vpc_id                  = aws_vpc.this.id
  availability_zone       = var.zones[count.index]
  cidr_block              = cidrsubnet(var.cidr, 4, 8 + count.index)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-enclave-${var.zones[count.index]}" }
}

resource "aws_internet_gateway" "this" {
  count  = local.public ? 1 : 0
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_route_table" "public" {
  count  = local.public ? 1 : 0
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  count                  = local.public ? 1 : 0
  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  count          = local.public ? local.n_zones : 0
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route_table" "gateway" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-gateway" }
}

resource "aws_route_table_association" "gateway" {
  count          = local.n_zones
  subnet_id      = aws_subnet.gateway[count.index].id
  route_table_id = aws_route_table.gateway.id
}

resource "aws_route_table" "enclave" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-enclave" }
}

resource "aws_route_table_association" "enclave" {
  count          = local.n_zones
  subnet_id      = aws_subnet.enclave[count.index].id
  route_table_id = aws_route_table.enclave.id
}

# A token issuer on the internet: the gateway fetches its key set, over routes to its addresses and no others.
resource "aws_eip" "nat" {
  count  = length(var.issuer_cidrs_by_nat) > 0 ? 1 : 0
  domain = "vpc"
  tags   = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "this" {
  count         = length(var.issuer_cidrs_by_nat) > 0 ? 1 : 0
  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }
}

resource "aws_route" "issuer" {
  for_each               = toset(var.issuer_cidrs_by_nat)
  route_table_id         = aws_route_table.gateway.id
  destination_cidr_block = each.value
  nat_gateway_id         = aws_nat_gateway.this[0].id
}

resource "aws_flow_log" "this" {
  count                = var.flow_logs ? 1 : 0
  vpc_id               = aws_vpc.this.id
  traffic_type         = "ALL"
  log_destination_type = "cloud-watch-logs"
  log_destination      = var.flow_log_group_arn
  iam_role_arn         = var.flow_log_role_arn
}
