# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name, and the namespace of the metrics."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "ami" {
  description = "A Debian 12 image: its kernel has nitro_enclaves, its first boot runs cloud-init with python3."
  type        = string
}

variable "root_device" {
  description = "The image's root device."
  type        = string
}

variable "instance_type" {
  description = "A Nitro instance of four or more vCPUs; the parent keeps two."
  type        = string
}

variable "enclave_cpus" {
  description = "vCPUs of the enclave: whole cores."
  type        = number
}

variable "enclave_memory_mib" {
  description = "Memory of the enclave."
  type        = number
}

variable "size" {
  description = "Fewest and most machines."
  type        = object({ min = number, max = number })
}

variable "jobs_per_host" {
  description = "Waiting jobs for each machine that the group aims at: what a machine does within the waiting time that is acceptable."
  type        = number
}

variable "scaling" {
  description = "Whether the group follows the queue (an emulator may not know metric math)."
  type        = bool
}

variable "subnets" {
  description = "Subnets without a way out."
  type        = list(string)
}

variable "security_group" {
  description = "The enclave hosts' security group."
  type        = string
}

variable "instance_profile" {
  description = "ARN of the consumer's instance profile."
  type        = string
}

variable "bucket" {
  description = "The bucket's name."
  type        = string
}

variable "queue_name" {
  description = "The queue's name."
  type        = string
}

variable "artifacts" {
  description = "The bucket of packages and images."
  type        = string
}

variable "packages" {
  description = "Packages to install, of packages/ in the artifacts bucket: { \"coffer-host_1.0_amd64.deb\" = SHA-256 }. Empty: the image has them."
  type        = map(string)
}

variable "image" {
  description = "The enclave image: its key in the artifacts bucket and its SHA-256; null: the machine's image has it."
  type        = object({ key = string, sha256 = string })
}

variable "more_options" {
  description = "More options of coffer-host."
  type        = list(string)
}
