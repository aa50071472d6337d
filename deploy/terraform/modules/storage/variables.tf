# SPDX-License-Identifier: Apache-2.0
variable "values" {
  description = "What goes into the holes of the policies, storage_key_arn among them, and bucket, the bucket's name; the artifacts' is the same with -artifacts."
  type        = map(string)
}

variable "lists" {
  description = "Holes with several values: vpc_endpoint."
  type        = map(list(string))
}

variable "lock_days" {
  description = "Object Lock: days for which a stored version cannot be erased; 0: only what asks for it itself."
  type        = number
}

variable "lock_mode" {
  description = "GOVERNANCE, or COMPLIANCE: not even the account's root ends a lock early."
  type        = string
}

variable "submission_days" {
  description = "Days after which submissions/ expires."
  type        = number
}

variable "keep_days" {
  description = "Days after which a prefix expires: { jobs = 30 }. What is not named stays."
  type        = map(number)
}

variable "noncurrent_days" {
  description = "Days that a replaced or hidden version is kept, at least as long as its lock."
  type        = number
}

variable "force_destroy" {
  description = "Whether destroying takes what is in the buckets along (tests only)."
  type        = bool
}
