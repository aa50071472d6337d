# SPDX-License-Identifier: Apache-2.0
# Who there is: producer and consumer (machines), owner, deployer, auditor (people or their programs). The admin role is there
# already (examples/admin) and gets its rights over what was made here.
#
# A role's ARN is known before its policies are: key policies name the roles, and the roles' policies name the keys.
locals {
  machines = ["producer", "consumer"]
  roles    = concat(local.machines, ["owner", "deployer", "auditor"])
  # Objects lie under the storage key, whose policy lets only those of the account use it whom IAM lets, through S3.
  through_s3 = { producer = "both", consumer = "both", deployer = "both", owner = "read", auditor = "read" }
}

module "trust" {
  source   = "../policy"
  for_each = toset(local.roles)
  file     = each.key == "owner" && var.owner_oidc != null ? "terraform/policies/trust-oidc" : "iam/trust-${each.key}"
  values = merge({ account = var.account }, var.owner_oidc == null ? {} : {
    provider_arn = aws_iam_openid_connect_provider.owner[0].arn
    issuer       = trimprefix(var.owner_oidc.issuer, "https://")
    audience     = var.owner_oidc.audience
    subject      = var.owner_oidc.subject
  })
}

# The most that a role of this deployment can ever have, whatever is attached to it later.
module "boundary" {
  source = "../policy"
  file   = "terraform/policies/boundary"
  values = { account = var.account, region = var.region, bucket = var.bucket, name = var.name }
}

resource "aws_iam_policy" "boundary" {
  name        = "${var.name}-boundary"
  description = "The most that a role of ${var.name} can have"
  policy      = module.boundary.json
}

resource "aws_iam_role" "this" {
  for_each             = toset(local.roles)
  name                 = "${var.name}-${each.key}"
  description          = "Coffer ${each.key}"
  assume_role_policy   = module.trust[each.key].json
  permissions_boundary = aws_iam_policy.boundary.arn
  max_session_duration = 3600
}

module "policy" {
  source   = "../policy"
  for_each = toset(concat(local.roles, ["admin"]))
  file     = "iam/${each.key}"
  values   = var.values
  lists    = var.lists
}

resource "aws_iam_role_policy" "this" {
  for_each = module.policy
  name     = each.key
  role     = each.key == "admin" ? split("/", var.admin_role_arn)[1] : aws_iam_role.this[each.key].name
  policy   = each.value.json
}

module "through_s3" {
  source   = "../policy"
  for_each = toset(["both", "read"])
  file     = "terraform/policies/through-s3-${each.key}"
  values   = var.values
}

resource "aws_iam_role_policy" "through_s3" {
  for_each = local.through_s3
  name     = "through-s3"
  role     = aws_iam_role.this[each.key].name
  policy   = module.through_s3[each.value].json
}

# What an EC2 instance needs to start and to be looked after: its packages, Session Manager in place of SSH, logs, metrics.
module "machine" {
  source = "../policy"
  file   = "terraform/policies/machine"
  values = { account = var.account, region = var.region, artifacts = var.values.artifacts, log_group = var.machine_log_group, name = var.name }
}

resource "aws_iam_role_policy" "machine" {
  for_each = toset(local.machines)
  name     = "machine"
  role     = aws_iam_role.this[each.key].name
  policy   = module.machine.json
}

resource "aws_iam_instance_profile" "this" {
  for_each = toset(local.machines)
  name     = "${var.name}-${each.key}"
  role     = aws_iam_role.this[each.key].name
}

# An owner that is a program elsewhere (a pipeline, a clinic's server) comes with a token of its own issuer instead of keys.
resource "aws_iam_openid_connect_provider" "owner" {
  count           = var.owner_oidc == null ? 0 : 1
  url             = var.owner_oidc.issuer
  client_id_list  = [var.owner_oidc.audience]
  thumbprint_list = var.owner_oidc.thumbprints
}
