# SPDX-License-Identifier: Apache-2.0
# Packages and enclave images. Machines without a way to the internet install from here, through the VPC's S3 endpoint; each file
# is held against a digest that the launch template names, so this bucket is trusted with availability alone.
resource "aws_s3_bucket" "artifacts" {
  bucket        = "${var.values.bucket}-artifacts"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "artifacts" {
  bucket                  = aws_s3_bucket.artifacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "artifacts" {
  bucket = aws_s3_bucket.artifacts.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

module "policy_artifacts" {
  source = "../policy"
  file   = "terraform/policies/artifacts-bucket"
  values = { account = var.values.account, bucket = aws_s3_bucket.artifacts.bucket, admin_role_arn = var.values.admin_role_arn }
}

resource "aws_s3_bucket_policy" "artifacts" {
  bucket     = aws_s3_bucket.artifacts.id
  policy     = module.policy_artifacts.json
  depends_on = [aws_s3_bucket_public_access_block.artifacts]
}
