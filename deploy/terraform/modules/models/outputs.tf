# SPDX-License-Identifier: Apache-2.0
output "signing_key_arn" {
  description = "The key that signs models."
  value       = aws_kms_key.signing.arn
}
