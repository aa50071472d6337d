# SPDX-License-Identifier: Apache-2.0
# The first step, once for each deployment, by an administrator of the account: the admin role. Keys, bucket and queues are made by
# this role itself (examples/one-region, provider aws.keeper), with a second factor, and obey nobody else afterwards.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

variable "region" {
  description = "The deployment's region."
  type        = string
}

variable "account" {
  description = "The account's number."
  type        = string
}

variable "name" {
  description = "Beginning of every name."
  type        = string
  default     = "coffer"
}

variable "bucket" {
  description = "The bucket's name; null: NAME-ACCOUNT-REGION."
  type        = string
  default     = null
}

variable "setup" {
  description = "Whether the role may make and unmake keys, buckets and queues. Take it away once the deployment stands."
  type        = bool
  default     = true
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]
}

module "trust" {
  source = "../../modules/policy"
  file   = "iam/trust-admin"
  values = { account = var.account }
}

module "setup" {
  source = "../../modules/policy"
  file   = "terraform/policies/admin-setup"
  values = { account = var.account, name = var.name, bucket = coalesce(var.bucket, "${var.name}-${var.account}-${var.region}") }
}

resource "aws_iam_role" "admin" {
  name                 = "${var.name}-admin"
  description          = "Coffer admin: settings of keys, bucket and queues, with a second factor; no data"
  assume_role_policy   = module.trust.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "setup" {
  count  = var.setup ? 1 : 0
  name   = "setup"
  role   = aws_iam_role.admin.name
  policy = module.setup.json
}

output "admin_role_arn" {
  description = "For admin_role_arn of the deployment, and the profile of its provider aws.keeper."
  value       = aws_iam_role.admin.arn
}
