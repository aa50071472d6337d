# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name, and the namespace of the metrics."
  type        = string
}

variable "values" {
  description = "What goes into the holes of the key's policy."
  type        = map(string)
}

variable "lists" {
  description = "Holes with several values: pcr0, pcr1, pcr2, vpc_endpoint."
  type        = map(list(string))
}

variable "trail_log_group" {
  description = "Name of the trail's log group."
  type        = string
}

variable "topic_arn" {
  description = "Where alarms go."
  type        = string
}
