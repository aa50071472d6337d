# SPDX-License-Identifier: Apache-2.0
# The settings that most deployments need; all others, with what they are set to, are in ../../variables.tf.
variable "region" {
  description = "The region."
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

variable "admin_role_arn" {
  description = "What examples/admin printed."
  type        = string
}

variable "admin_profile" {
  description = "AWS profile whose credentials are a session of the admin role; null: those of the environment."
  type        = string
  default     = null
}

variable "images" {
  description = "PCRs of the images that may open data."
  type        = list(object({ pcr0 = string, pcr1 = string, pcr2 = string }))
  default     = []
}

variable "models" {
  description = "PCR16 of the models, one of which must be loaded; none: any model or none."
  type        = list(string)
  default     = []
}

variable "zones" {
  description = "Availability zones."
  type        = list(string)
}

variable "client_cidrs" {
  description = "Who may open a connection to the gateway."
  type        = list(string)
}

variable "issuer" {
  description = "URL of who issues tokens."
  type        = string
}

variable "issuer_cidrs_by_nat" {
  description = "Its addresses, if it is on the internet."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "ACM certificate of the gateway."
  type        = string
}

variable "ami" {
  description = "A Debian 12 image."
  type        = string
}

variable "producers" {
  description = "Fewest and most producers; zeros until there are packages."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 10 }
}

variable "enclave_hosts" {
  description = "Fewest and most enclave hosts; zeros until there is an image."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 10 }
}

variable "enclave_image" {
  description = "The image that enclave hosts start: key in the artifacts bucket and SHA-256."
  type        = object({ key = string, sha256 = string })
  default     = null
}

variable "producer_packages" {
  description = "What producers install: { file = SHA-256 }."
  type        = map(string)
  default     = {}
}

variable "enclave_host_packages" {
  description = "What enclave hosts install: { file = SHA-256 }."
  type        = map(string)
  default     = {}
}

variable "alarm_mail" {
  description = "Who gets alarms."
  type        = list(string)
  default     = []
}
