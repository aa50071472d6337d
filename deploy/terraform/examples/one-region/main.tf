# SPDX-License-Identifier: Apache-2.0
# One deployment. Copy this folder, fill in terraform.tfvars, add a backend for the state.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]
  default_tags {
    tags = { deployment = var.name }
  }
}

# The admin role's session, with its second factor: a profile with credential_process, or one that your login tool has filled.
provider "aws" {
  alias               = "keeper"
  region              = var.region
  profile             = var.admin_profile
  allowed_account_ids = [var.account]
  default_tags {
    tags = { deployment = var.name }
  }
}

module "coffer" {
  source                = "../.."
  providers             = { aws = aws, aws.keeper = aws.keeper }
  account               = var.account
  name                  = var.name
  admin_role_arn        = var.admin_role_arn
  images                = var.images
  models                = var.models
  zones                 = var.zones
  client_cidrs          = var.client_cidrs
  issuer                = var.issuer
  issuer_cidrs_by_nat   = var.issuer_cidrs_by_nat
  certificate_arn       = var.certificate_arn
  ami                   = var.ami
  producers             = var.producers
  enclave_hosts         = var.enclave_hosts
  enclave_image         = var.enclave_image
  producer_packages     = var.producer_packages
  enclave_host_packages = var.enclave_host_packages
  alarm_mail            = var.alarm_mail
}
