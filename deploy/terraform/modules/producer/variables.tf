# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name, and the namespace of the metrics."
  type        = string
}

variable "account" {
  description = "The account's number."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "ami" {
  description = "A Debian 12 image."
  type        = string
}

variable "root_device" {
  description = "The image's root device."
  type        = string
}

variable "instance_type" {
  description = "The machines' type."
  type        = string
}

variable "size" {
  description = "Fewest and most machines."
  type        = object({ min = number, max = number })
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnets" {
  description = "Subnets: public (the load balancer's) and gateway (the machines')."
  type        = object({ public = list(string), gateway = list(string), enclave = list(string) })
}

variable "security_groups" {
  description = "Security groups: balancer, producer."
  type        = map(string)
}

variable "instance_profile" {
  description = "ARN of the producer's instance profile."
  type        = string
}

variable "internal" {
  description = "Whether the load balancer is reached from inside only."
  type        = bool
}

variable "passthrough" {
  description = "Whether TLS ends in the producer alone, behind a network load balancer."
  type        = bool
}

variable "certificate_arn" {
  description = "ACM certificate of the load balancer; null with passthrough."
  type        = string
}

variable "requests_per_address" {
  description = "Requests in five minutes that WAF lets through from one address; 0: no WAF."
  type        = number
}

variable "deletion_protection" {
  description = "Whether the load balancer can be deleted only after this is taken off."
  type        = bool
}

variable "issuer" {
  description = "URL of who issues tokens."
  type        = string
}

variable "bucket" {
  description = "The bucket's name."
  type        = string
}

variable "queue_url" {
  description = "URL of the queue of jobs."
  type        = string
}

variable "data_key_arn" {
  description = "ARN of the data key."
  type        = string
}

variable "artifacts" {
  description = "The bucket of packages."
  type        = string
}

variable "packages" {
  description = "Packages to install, of packages/ in the artifacts bucket: { file = SHA-256 }."
  type        = map(string)
}

variable "more_options" {
  description = "More options of coffer-producer."
  type        = list(string)
}

variable "log_days" {
  description = "Days that access logs are kept."
  type        = number
}

variable "force_destroy" {
  description = "Whether destroying takes the logs along (tests only)."
  type        = bool
}
