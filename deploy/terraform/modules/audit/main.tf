# SPDX-License-Identifier: Apache-2.0
# What happened, kept where nobody of the deployment can change it: a trail of all regions with the bucket's data events (KMS is in
# the management events), its files in a locked bucket of their own with signed digests, and in a log group that alarms read.
locals {
  trail = "${var.name}-trail"
  values = merge(var.values, {
    name = var.name, trail = local.trail, bucket = "${var.values.bucket}-trail"
  })
}

module "policy_key" {
  source = "../policy"
  file   = "terraform/policies/key-audit"
  values = local.values
}

# For trail, log groups and topic. The service that writes has to be able to use it, so it is none of the three.
resource "aws_kms_key" "audit" {
  provider                           = aws.keeper
  description                        = "Coffer audit"
  policy                             = module.policy_key.json
  enable_key_rotation                = true
  deletion_window_in_days            = 30
  multi_region                       = false
  bypass_policy_lockout_safety_check = false
  tags                               = { Name = "${var.name}-audit" }
}

resource "aws_s3_bucket" "trail" {
  provider            = aws.keeper
  bucket              = local.values.bucket
  object_lock_enabled = true
  force_destroy       = var.force_destroy
}

resource "aws_s3_bucket_versioning" "trail" {
  provider = aws.keeper
  bucket   = aws_s3_bucket.trail.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "trail" {
  provider = aws.keeper
  count    = var.lock_days > 0 ? 1 : 0
  bucket   = aws_s3_bucket.trail.id
  rule {
    default_retention {
      mode = var.lock_mode
      days = var.lock_days
    }
  }
  depends_on = [aws_s3_bucket_versioning.trail]
}

resource "aws_s3_bucket_ownership_controls" "trail" {
  provider = aws.keeper
  bucket   = aws_s3_bucket.trail.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "trail" {
  provider                = aws.keeper
  bucket                  = aws_s3_bucket.trail.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "trail" {
  provider = aws.keeper
  bucket   = aws_s3_bucket.trail.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.audit.arn
    }
  }
}

module "policy_bucket" {
  source = "../policy"
  file   = "terraform/policies/trail-bucket"
  values = local.values
}

resource "aws_s3_bucket_policy" "trail" {
  provider   = aws.keeper
  bucket     = aws_s3_bucket.trail.id
  policy     = module.policy_bucket.json
  depends_on = [aws_s3_bucket_public_access_block.trail]
}

resource "aws_cloudwatch_log_group" "this" {
  for_each          = toset(["trail", "flow", "machines"])
  name              = "/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.audit.arn
}

module "policy_trust_trail" {
  source = "../policy"
  file   = "terraform/policies/trust-trail"
  values = local.values
}

module "policy_trail_logs" {
  source = "../policy"
  file   = "terraform/policies/trail-logs"
  values = { log_group_arn = aws_cloudwatch_log_group.this["trail"].arn }
}

resource "aws_iam_role" "trail" {
  name               = "${var.name}-trail"
  assume_role_policy = module.policy_trust_trail.json
}

resource "aws_iam_role_policy" "trail" {
  name   = "logs"
  role   = aws_iam_role.trail.name
  policy = module.policy_trail_logs.json
}

module "policy_trust_flow" {
  source = "../policy"
  file   = "terraform/policies/trust-flow-logs"
  values = local.values
}

module "policy_flow_logs" {
  source = "../policy"
  file   = "terraform/policies/flow-logs"
  values = { log_group_arn = aws_cloudwatch_log_group.this["flow"].arn }
}

resource "aws_iam_role" "flow" {
  name               = "${var.name}-flow-logs"
  assume_role_policy = module.policy_trust_flow.json
}

resource "aws_iam_role_policy" "flow" {
  name   = "logs"
  role   = aws_iam_role.flow.name
  policy = module.policy_flow_logs.json
}

resource "aws_cloudtrail" "this" {
  name                          = local.trail
  s3_bucket_name                = aws_s3_bucket.trail.bucket
  kms_key_id                    = aws_kms_key.audit.arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.this["trail"].arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.trail.arn

  advanced_event_selector {
    name = "All management events, those of KMS among them"
    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  advanced_event_selector {
    name = "Objects of the bucket"
    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }
    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }
    field_selector {
      field       = "resources.ARN"
      starts_with = ["arn:aws:s3:::${var.values.bucket}/"]
    }
  }

  depends_on = [aws_s3_bucket_policy.trail, aws_iam_role_policy.trail]
}
