# SPDX-License-Identifier: Apache-2.0
variable "name" {
  description = "Beginning of every name, and the namespace of the metrics."
  type        = string
}

variable "key_arns" {
  description = "ARNs of the keys: data, results, models, storage."
  type        = map(string)
}

variable "jobs_queue_name" {
  description = "Name of the queue of jobs."
  type        = string
}

variable "dead_letter_queue_name" {
  description = "Name of the dead-letter queue."
  type        = string
}

variable "values" {
  description = "What goes into the holes of the policies: account, region, roles, and the bucket whose objects are watched; the trail's is the same with -trail."
  type        = map(string)
}

variable "lock_days" {
  description = "Object Lock of the trail's files, in days; 0: none."
  type        = number
}

variable "lock_mode" {
  description = "GOVERNANCE or COMPLIANCE."
  type        = string
}

variable "log_days" {
  description = "Days that log groups keep."
  type        = number
}

variable "alarm_mail" {
  description = "Who gets alarms by mail; each must confirm."
  type        = list(string)
}

variable "refusals_per_5_minutes" {
  description = "Refused calls in five minutes that are an alarm."
  type        = number
}

variable "oldest_job_seconds" {
  description = "How long a job may wait."
  type        = number
}

variable "heartbeats" {
  description = "Fewest heartbeats a minute: { coffer-host = 1 }."
  type        = map(number)
}

variable "anomalies" {
  description = "Whether anomaly detection is made (an emulator may not know it)."
  type        = bool
}

variable "force_destroy" {
  description = "Whether destroying takes the trail's files along (tests only)."
  type        = bool
}
