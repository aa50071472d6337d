# SPDX-License-Identifier: Apache-2.0
# The three customer master keys (data, results, models) and the one below S3 (storage).
#
# Their policies are those of deploy/iam: named roles, attestation on every operation that can be attested, Deny for the rest, no
# delegation to the account. The provider is the admin role itself: KMS refuses to make a key that its maker could not manage,
# and so nobody can lock himself out. There are no aliases: Coffer pins full key ARNs and refuses aliases, which can be moved.
module "policy" {
  source   = "../policy"
  for_each = toset(["data", "results", "models", "storage"])
  file     = "iam/key-${each.key}"
  values   = var.values
  lists    = var.lists
}

resource "aws_kms_key" "this" {
  for_each                           = module.policy
  description                        = "Coffer ${each.key}"
  policy                             = each.value.json
  enable_key_rotation                = true
  rotation_period_in_days            = var.rotation_days
  deletion_window_in_days            = 30
  multi_region                       = false # a replica has a key policy of its own: one more to get wrong
  bypass_policy_lockout_safety_check = false
  tags                               = { Name = "${var.name}-${each.key}" }
}
