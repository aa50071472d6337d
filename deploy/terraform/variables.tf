# SPDX-License-Identifier: Apache-2.0
# Who and where ------------------------------------------------------------------------------------------------------------------
variable "account" {
  description = "The account's number; providers that work elsewhere are refused."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "An account has twelve digits."
  }
}

variable "name" {
  description = "Beginning of every name, so that an account can hold several deployments."
  type        = string
  default     = "coffer"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "Three to sixteen lower-case letters, digits and dashes."
  }
}

variable "bucket" {
  description = "The bucket's name; null: NAME-ACCOUNT-REGION."
  type        = string
  default     = null
}

variable "admin_role_arn" {
  description = "The admin role, made by examples/admin; the provider aws.keeper is its session."
  type        = string
}

variable "source_accounts" {
  description = "Other accounts whose devices keep objects below edge/."
  type        = list(string)
  default     = []
}

variable "owner_oidc" {
  description = "An issuer of tokens that the owner role trusts in place of people of the account."
  type = object({
    issuer      = string
    audience    = string
    subject     = string
    thumbprints = optional(list(string), [])
  })
  default = null
}

# What may open the data ---------------------------------------------------------------------------------------------------------
variable "images" {
  description = "The enclave images that KMS releases keys to, from `coffer eif describe`. Two while a new one is rolled out; none: nothing can be opened yet."
  type        = list(object({ pcr0 = string, pcr1 = string, pcr2 = string }))
  default     = []
  validation {
    condition     = alltrue([for pcr in flatten([for image in var.images : values(image)]) : can(regex("^[0-9a-f]{96}$", pcr))])
    error_message = "A PCR is 96 lower-case hex digits."
  }
  validation {
    condition     = alltrue([for pcr in flatten([for image in var.images : values(image)]) : !can(regex("^0+$", pcr))])
    error_message = "PCRs of zeros are those of a debug enclave, whose host reads its memory."
  }
}

variable "models" {
  description = "PCR16 values of the models, one of which must be loaded, from `coffer model measure`; none: any model or none."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for pcr in var.models : can(regex("^[0-9a-f]{96}$", pcr)) && !can(regex("^0+$", pcr))])
    error_message = "A PCR16 is 96 lower-case hex digits, not all zero: zeros say that no model was loaded."
  }
}

variable "endpoints_only" {
  description = "Producer's and enclave host's roles are refused unless they come through this VPC's endpoints: stolen credentials are of no use elsewhere."
  type        = bool
  default     = true
}

variable "key_rotation_days" {
  description = "Days between two rotations of key material."
  type        = number
  default     = 365
}

# Storage and queue --------------------------------------------------------------------------------------------------------------
variable "lock_days" {
  description = "Days for which no stored version can be erased (Object Lock); 0: no default lock."
  type        = number
  default     = 30
}

variable "lock_mode" {
  description = "GOVERNANCE, or COMPLIANCE: nobody at all ends a lock early, and a mistake stays and is paid for."
  type        = string
  default     = "GOVERNANCE"
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock_mode)
    error_message = "GOVERNANCE or COMPLIANCE."
  }
}

variable "submission_days" {
  description = "Days for which a repeated submission is recognised."
  type        = number
  default     = 30
}

variable "keep_days" {
  description = "Days after which a prefix expires, for example { jobs = 30, results = 365 }."
  type        = map(number)
  default     = {}
}

variable "noncurrent_days" {
  description = "Days that a replaced version is kept; at least lock_days."
  type        = number
  default     = 90
}

variable "visibility_seconds" {
  description = "How long a message stays hidden while it is in work."
  type        = number
  default     = 60
}

variable "attempts" {
  description = "How often a job is tried before it goes to the dead-letter queue."
  type        = number
  default     = 5
}

# Network ------------------------------------------------------------------------------------------------------------------------
variable "cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.64.0.0/20"
}

variable "zones" {
  description = "One to four availability zones; a load balancer wants two."
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 1 && length(var.zones) <= 4
    error_message = "One to four zones."
  }
}

variable "internal" {
  description = "The load balancer is reached from inside (peering, VPN) only."
  type        = bool
  default     = false
}

variable "client_cidrs" {
  description = "Who may open a connection to the load balancer. Devices anywhere: [\"0.0.0.0/0\"], on that port alone."
  type        = list(string)
}

variable "issuer_cidrs" {
  description = "Addresses of the token issuer, where it is reached inside the VPC or by a route of yours."
  type        = list(string)
  default     = []
}

variable "issuer_cidrs_by_nat" {
  description = "Addresses of a token issuer on the internet: a NAT gateway with routes to just these."
  type        = list(string)
  default     = []
}

variable "flow_logs" {
  description = "Whether the VPC has flow logs."
  type        = bool
  default     = true
}

# Machines -----------------------------------------------------------------------------------------------------------------------
variable "ami" {
  description = "A Debian 12 image, or one of yours made from it with the packages in."
  type        = string
}

variable "root_device" {
  description = "Root device of the image."
  type        = string
  default     = "/dev/xvda"
}

variable "producer_type" {
  description = "Instance type of the producers."
  type        = string
  default     = "c7i.large"
}

variable "producers" {
  description = "Fewest and most producers."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 10 }
}

variable "producer_packages" {
  description = "Packages of packages/ in the artifacts bucket that a producer installs: { file = SHA-256 }. A file that is not these bytes is not installed."
  type        = map(string)
  default     = {}
}

variable "producer_options" {
  description = "More options of coffer-producer."
  type        = list(string)
  default     = []
}

variable "enclave_host_type" {
  description = "Instance type of the enclave hosts: Nitro, four or more vCPUs."
  type        = string
  default     = "c7i.xlarge"
}

variable "enclave_hosts" {
  description = "Fewest and most enclave hosts."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 10 }
}

variable "enclave_cpus" {
  description = "vCPUs of each enclave, whole cores; the host keeps at least one core."
  type        = number
  default     = 2
  validation {
    condition     = var.enclave_cpus >= 2 && var.enclave_cpus % 2 == 0
    error_message = "Whole cores: an even number of vCPUs."
  }
}

variable "enclave_memory_mib" {
  description = "Memory of each enclave, at least four times its image."
  type        = number
  default     = 2048
}

variable "enclave_host_packages" {
  description = "Packages of packages/ in the artifacts bucket that an enclave host installs: { file = SHA-256 }."
  type        = map(string)
  default     = {}
}

variable "enclave_host_options" {
  description = "More options of coffer-host."
  type        = list(string)
  default     = []
}

variable "enclave_image" {
  description = "The image that new enclave hosts start: its key in the artifacts bucket, its SHA-256."
  type        = object({ key = string, sha256 = string })
  default     = null
}

variable "jobs_per_host" {
  description = "Waiting jobs for each enclave host that the group aims at."
  type        = number
  default     = 100
}

# Gateway ------------------------------------------------------------------------------------------------------------------------
variable "issuer" {
  description = "URL of who issues the devices' tokens."
  type        = string
  validation {
    condition     = startswith(var.issuer, "https://")
    error_message = "https."
  }
}

variable "passthrough" {
  description = "TLS ends in the producer alone, behind a network load balancer: nothing of AWS's sees plaintext. The certificate is then the machine's."
  type        = bool
  default     = false
}

variable "certificate_arn" {
  description = "ACM certificate of the load balancer; null with passthrough."
  type        = string
  default     = null
}

variable "requests_per_address" {
  description = "Requests in five minutes that WAF lets through from one address; 0: no WAF."
  type        = number
  default     = 0
}

variable "deletion_protection" {
  description = "The load balancer can be deleted only after this is taken off."
  type        = bool
  default     = true
}

# Audit --------------------------------------------------------------------------------------------------------------------------
variable "trail_lock_days" {
  description = "Days for which the trail's files cannot be erased."
  type        = number
  default     = 365
}

variable "log_days" {
  description = "Days that log groups and access logs are kept; one of CloudWatch's numbers."
  type        = number
  default     = 365
}

variable "alarm_mail" {
  description = "Who gets alarms by mail."
  type        = list(string)
  default     = []
}

variable "refusals_per_5_minutes" {
  description = "Refused calls in five minutes that are an alarm."
  type        = number
  default     = 10
}

variable "oldest_job_seconds" {
  description = "How long a job may wait."
  type        = number
  default     = 900
}

# For emulators and tests --------------------------------------------------------------------------------------------------------
variable "metric_math" {
  description = "The hosts follow the queue by metric math."
  type        = bool
  default     = true
}

variable "anomalies" {
  description = "Anomaly detection."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "Destroying takes along what is in the buckets. Locked versions stay anyway."
  type        = bool
  default     = false
}
