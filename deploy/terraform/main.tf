# SPDX-License-Identifier: Apache-2.0
# A deployment of Coffer in one region of one account. README.md has the picture and the order of steps.
data "aws_caller_identity" "this" {
  lifecycle {
    postcondition {
      condition     = self.account_id == var.account
      error_message = "The provider aws works in account ${self.account_id}, and account says ${var.account}."
    }
  }
}

data "aws_caller_identity" "keeper" {
  provider = aws.keeper
  lifecycle {
    postcondition {
      condition     = self.account_id == var.account
      error_message = "The provider aws.keeper works in account ${self.account_id}, and account says ${var.account}."
    }
  }
}

data "aws_region" "this" {}

locals {
  region = data.aws_region.this.name
  bucket = coalesce(var.bucket, "${var.name}-${var.account}-${local.region}")
  # Before there is an image the keys open for none: no image measures all ones.
  closed = [{ pcr0 = join("", [for i in range(96) : "f"]), pcr1 = join("", [for i in range(96) : "f"]), pcr2 = join("", [for i in range(96) : "f"]) }]
  images = length(var.images) > 0 ? [for image in var.images : { pcr0 = image.pcr0, pcr1 = image.pcr1, pcr2 = image.pcr2 }] : local.closed

  # What fills the holes of the policies, under `values` of the modules. iam and network take account, region and bucket also by
  # themselves: keys name the roles and the endpoints, so these must not wait for the keys that are among their values.
  place = { account = var.account, region = local.region, bucket = local.bucket }
  names = merge(local.place, { artifacts = module.storage.artifacts })
  roles = module.iam.role_arns
  keys  = { for name, arn in module.kms.arns : "${name}_key_arn" => arn }
  queues = {
    jobs_queue_arn        = module.queue.jobs.arn
    dead_letter_queue_arn = module.queue.dead_letter.arn
  }
  # What has several values in the policies, as in the manifest of `coffer policy generate`.
  lists = {
    pcr0           = distinct(local.images[*].pcr0)
    pcr1           = distinct(local.images[*].pcr1)
    pcr2           = distinct(local.images[*].pcr2)
    pcr16          = var.models
    vpc_endpoint   = var.endpoints_only ? [module.network.endpoints.s3, module.network.endpoints.kms, module.network.endpoints.sqs] : []
    source_account = var.source_accounts
  }
}

module "network" {
  source              = "./modules/network"
  name                = var.name
  region              = local.region
  cidr                = var.cidr
  zones               = var.zones
  internal            = var.internal
  client_cidrs        = var.client_cidrs
  issuer_cidrs        = var.issuer_cidrs
  issuer_cidrs_by_nat = var.issuer_cidrs_by_nat
  values              = merge(local.names, local.roles, local.keys, local.queues)
  flow_logs           = var.flow_logs
  flow_log_group_arn  = module.audit.log_groups.flow.arn
  flow_log_role_arn   = module.audit.flow_role_arn
}

module "iam" {
  source            = "./modules/iam"
  name              = var.name
  account           = var.account
  region            = local.region
  bucket            = local.bucket
  machine_log_group = "/${var.name}/machines"
  admin_role_arn    = var.admin_role_arn
  values            = merge(local.names, local.keys, local.queues)
  lists             = { pcr0 = local.lists.pcr0, pcr1 = local.lists.pcr1, pcr2 = local.lists.pcr2, pcr16 = local.lists.pcr16 }
  owner_oidc        = var.owner_oidc
}

module "kms" {
  source        = "./modules/kms"
  providers     = { aws = aws.keeper }
  name          = var.name
  values        = merge(local.place, local.roles)
  lists         = local.lists
  rotation_days = var.key_rotation_days
}

module "storage" {
  source          = "./modules/storage"
  providers       = { aws = aws.keeper }
  values          = merge(local.place, local.roles, local.keys)
  lists           = local.lists
  lock_days       = var.lock_days
  lock_mode       = var.lock_mode
  submission_days = var.submission_days
  keep_days       = var.keep_days
  noncurrent_days = max(var.noncurrent_days, var.lock_days)
  force_destroy   = var.force_destroy
}

module "queue" {
  source             = "./modules/queue"
  providers          = { aws = aws.keeper }
  name               = var.name
  values             = merge(local.place, local.roles)
  lists              = local.lists
  visibility_seconds = var.visibility_seconds
  attempts           = var.attempts
}

module "audit" {
  source                 = "./modules/audit"
  providers              = { aws = aws, aws.keeper = aws.keeper }
  name                   = var.name
  key_arns               = module.kms.arns
  jobs_queue_name        = module.queue.jobs.name
  dead_letter_queue_name = module.queue.dead_letter.name
  values                 = merge(local.place, local.roles)
  lock_days              = var.trail_lock_days
  lock_mode              = var.lock_mode
  log_days               = var.log_days
  alarm_mail             = var.alarm_mail
  refusals_per_5_minutes = var.refusals_per_5_minutes
  oldest_job_seconds     = var.oldest_job_seconds
  heartbeats = merge(var.enclave_hosts.min > 0 ? { coffer-host = var.enclave_hosts.min } : {},
  var.producers.min > 0 ? { coffer-producer = var.producers.min } : {})
  anomalies     = var.anomalies
  force_destroy = var.force_destroy
}

module "models" {
  source          = "./modules/models"
  providers       = { aws = aws, aws.keeper = aws.keeper }
  name            = var.name
  values          = merge(local.place, local.roles)
  lists           = local.lists
  trail_log_group = module.audit.log_groups.trail.name
  topic_arn       = module.audit.topic_arn
}

module "producer" {
  source               = "./modules/producer"
  name                 = var.name
  account              = var.account
  region               = local.region
  ami                  = var.ami
  root_device          = var.root_device
  instance_type        = var.producer_type
  size                 = var.producers
  vpc_id               = module.network.vpc_id
  subnets              = module.network.subnets
  security_groups      = module.network.security_groups
  instance_profile     = module.iam.instance_profiles.producer
  internal             = var.internal
  passthrough          = var.passthrough
  certificate_arn      = var.certificate_arn
  requests_per_address = var.requests_per_address
  deletion_protection  = var.deletion_protection
  issuer               = var.issuer
  bucket               = module.storage.bucket
  queue_url            = module.queue.jobs.url
  data_key_arn         = module.kms.arns.data
  artifacts            = module.storage.artifacts
  packages             = var.producer_packages
  more_options         = var.producer_options
  log_days             = var.log_days
  force_destroy        = var.force_destroy
}

module "enclave_host" {
  source             = "./modules/enclave-host"
  name               = var.name
  region             = local.region
  ami                = var.ami
  root_device        = var.root_device
  instance_type      = var.enclave_host_type
  enclave_cpus       = var.enclave_cpus
  enclave_memory_mib = var.enclave_memory_mib
  size               = var.enclave_hosts
  jobs_per_host      = var.jobs_per_host
  scaling            = var.metric_math
  subnets            = module.network.subnets.enclave
  security_group     = module.network.security_groups.enclave
  instance_profile   = module.iam.instance_profiles.consumer
  bucket             = module.storage.bucket
  queue_name         = module.queue.jobs.name
  artifacts          = module.storage.artifacts
  packages           = var.enclave_host_packages
  image              = var.enclave_image
  more_options       = var.enclave_host_options
}
