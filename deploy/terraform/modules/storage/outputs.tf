# SPDX-License-Identifier: Apache-2.0
output "bucket" {
  description = "The bucket's name."
  value       = aws_s3_bucket.this.bucket
}

output "artifacts" {
  description = "The name of the bucket of packages and images."
  value       = aws_s3_bucket.artifacts.bucket
}
