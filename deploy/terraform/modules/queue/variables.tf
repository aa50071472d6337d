# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "values" {
  description = "What goes into the holes of the policies."
  type        = map(string)
}

variable "visibility_seconds" {
  description = "How long a message stays hidden while it is in work; visibility_s of the enclave's configuration."
  type        = number
}

variable "attempts" {
  description = "How often a job is tried before it goes to the dead-letter queue."
  type        = number
}

variable "lists" {
  description = "Holes with several values: vpc_endpoint."
  type        = map(list(string))
}
