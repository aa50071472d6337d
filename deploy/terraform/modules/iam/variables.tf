# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name."
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

variable "bucket" {
  description = "The bucket's name."
  type        = string
}

variable "machine_log_group" {
  description = "The log group that machines write to."
  type        = string
}

variable "admin_role_arn" {
  description = "The admin role, made by examples/admin."
  type        = string
}

variable "values" {
  description = "What goes into the holes of the policies."
  type        = map(string)
}

variable "lists" {
  description = "Holes with several values: pcr0, pcr1, pcr2."
  type        = map(list(string))
}

variable "owner_oidc" {
  description = "An issuer of tokens that the owner role trusts in place of people of the account."
  type = object({
    issuer      = string
    audience    = string
    subject     = string
    thumbprints = optional(list(string), [])
  })
}
