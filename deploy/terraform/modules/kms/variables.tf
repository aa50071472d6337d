# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name."
  type        = string
}

variable "values" {
  description = "What goes into the holes of the policies: account, region, role ARNs, endpoint."
  type        = map(string)
}

variable "lists" {
  description = "Holes with several values: pcr0, pcr1, pcr2, pcr16, vpc_endpoint."
  type        = map(list(string))
}

variable "rotation_days" {
  description = "Days between two rotations of key material."
  type        = number
}
