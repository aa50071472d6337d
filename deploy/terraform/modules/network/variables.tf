# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "cidr" {
  description = "Addresses of the VPC, at most /20: each subnet gets a sixteenth."
  type        = string
}

variable "zones" {
  description = "One to four availability zones."
  type        = list(string)
}

variable "internal" {
  description = "Whether the load balancer is reached from inside (peering, VPN) only."
  type        = bool
}

variable "client_cidrs" {
  description = "Who may open a connection to the load balancer."
  type        = list(string)
}

variable "issuer_cidrs" {
  description = "Addresses of a token issuer that is reached inside the VPC or by a route of yours."
  type        = list(string)
}

variable "issuer_cidrs_by_nat" {
  description = "Addresses of a token issuer on the internet; brings a NAT gateway with routes to just these."
  type        = list(string)
}

variable "values" {
  description = "What goes into the holes of the endpoints' policies."
  type        = map(string)
}

variable "flow_logs" {
  description = "Whether there are flow logs."
  type        = bool
}

variable "flow_log_group_arn" {
  description = "Log group of the flow logs."
  type        = string
}

variable "flow_log_role_arn" {
  description = "Role that writes them."
  type        = string
}
