# SPDX-License-Identifier: Apache-2.0
output "key_arns" {
  description = "Keys: data, results, models, storage."
  value       = module.kms.arns
}

output "signing_key_arn" {
  description = "The key that signs models."
  value       = module.models.signing_key_arn
}

output "role_arns" {
  description = "Roles under the names that the policies' holes have."
  value       = module.iam.role_arns
}

output "bucket" {
  description = "The bucket of jobs, results, receipts and models."
  value       = module.storage.bucket
}

output "artifacts" {
  description = "The bucket of packages and images."
  value       = module.storage.artifacts
}

output "queues" {
  description = "The queues' URLs."
  value       = { jobs = module.queue.jobs.url, dead_letter = module.queue.dead_letter.url }
}

output "gateway" {
  description = "Name of the load balancer; let the certificate's name be an alias of it."
  value       = module.producer.host
}

output "alarm_topic" {
  description = "Where alarms go."
  value       = module.audit.topic_arn
}

output "alarm_patterns" {
  description = "The metric filters' patterns by name."
  value       = module.audit.patterns
}

# What goes into the enclave image, and with it into the measurement; ca_pem is yours to add (docs/enclave-config.md).
output "enclave_config" {
  description = "The enclave's configuration without ca_pem, model and processor."
  value = {
    version         = 1
    region          = local.region
    account         = var.account
    bucket          = module.storage.bucket
    queue_url       = module.queue.jobs.url
    data_key_arn    = module.kms.arns.data
    results_key_arn = module.kms.arns.results
    endpoints       = { for service in ["s3", "kms", "sqs", "sts"] : service => "https://${service}.${local.region}.amazonaws.com" }
    host            = "vsock:3:5005"
    telemetry       = "vsock:3:5006"
    heartbeat       = "vsock:3:9000"
    visibility_s    = var.visibility_seconds
  }
}

# `coffer policy generate` makes the same policies of this as are deployed, and `coffer policy lint` and `simulate` judge them.
output "policy_manifest" {
  description = "The deployment as `coffer policy generate` takes it."
  value = merge({
    account = var.account
    region  = local.region
    bucket  = module.storage.bucket
    keys    = module.kms.arns
    queues  = { jobs = module.queue.jobs.arn, dead_letter = module.queue.dead_letter.arn }
    roles   = { for hole, arn in module.iam.role_arns : trimsuffix(hole, "_role_arn") => arn }
    images  = [for image in local.images : { PCR0 = image.pcr0, PCR1 = image.pcr1, PCR2 = image.pcr2 }]
    },
    length(var.models) == 0 ? {} : { models = var.models },
    length(local.lists.vpc_endpoint) == 0 ? {} : { vpc_endpoints = local.lists.vpc_endpoint },
  length(var.source_accounts) == 0 ? {} : { source_accounts = var.source_accounts })
}
