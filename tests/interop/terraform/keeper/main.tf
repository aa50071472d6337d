# SPDX-License-Identifier: Apache-2.0
# What the admin role makes, for coffer-local: keys and buckets as a deployment has them, roles that are there already.
variable "images" {
  type = list(string) # one letter each, of which its PCRs consist
}

provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
}

locals {
  roles  = { for role in ["producer", "consumer", "owner", "deployer", "auditor", "admin"] : "${role}_role_arn" => "arn:aws:iam::111122223333:role/coffer-${role}" }
  values = merge(local.roles, { account = "111122223333", region = "us-east-1" })
  pcrs   = [for letter in var.images : join("", [for i in range(96) : letter])]
  lists  = { pcr0 = local.pcrs, pcr1 = local.pcrs, pcr2 = local.pcrs, vpc_endpoint = ["vpce-0a1b2c3d"] }
}

module "kms" {
  source        = "./deploy/terraform/modules/kms"
  name          = "coffer"
  values        = local.values
  lists         = local.lists
  rotation_days = 365
}

module "storage" {
  source          = "./deploy/terraform/modules/storage"
  values          = merge(local.values, { bucket = "vault", storage_key_arn = module.kms.arns.storage })
  lists           = local.lists
  lock_days       = 30
  lock_mode       = "GOVERNANCE"
  submission_days = 30
  keep_days       = {}
  noncurrent_days = 90
  force_destroy   = false
}

output "keys" {
  value = module.kms.arns
}
