# SPDX-License-Identifier: Apache-2.0
output "arns" {
  description = "Key ARNs by name: data, results, models, storage."
  value       = { for name, key in aws_kms_key.this : name => key.arn }
}
