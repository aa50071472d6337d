# SPDX-License-Identifier: Apache-2.0
# Models: the key that signs them, and a word to somebody whenever one is stored. They are sealed under the models key (module kms)
# and lie in the bucket below models/; only deployers with a second factor can do either, and only the measured enclave opens them.
module "policy" {
  source = "../policy"
  file   = "iam/key-models"
  values = var.values
  lists  = var.lists
}

# The same policy as the symmetric models key. KMS cannot rotate asymmetric keys: a new signer is a new key, and receipts and
# models name theirs.
resource "aws_kms_key" "signing" {
  provider                           = aws.keeper
  description                        = "Coffer models, signatures"
  customer_master_key_spec           = "ECC_NIST_P384"
  key_usage                          = "SIGN_VERIFY"
  policy                             = module.policy.json
  enable_key_rotation                = false
  deletion_window_in_days            = 30
  multi_region                       = false
  bypass_policy_lockout_safety_check = false
  tags                               = { Name = "${var.name}-models-signing" }
}

resource "aws_cloudwatch_log_metric_filter" "stored" {
  name           = "${var.name}-model-stored"
  log_group_name = var.trail_log_group
  pattern        = "{ ($.eventSource = \"s3.amazonaws.com\") && (($.eventName = \"PutObject\") || ($.eventName = \"CompleteMultipartUpload\")) && ($.requestParameters.key = \"models/*\") && ($.errorCode NOT EXISTS) }"

  metric_transformation {
    namespace = var.name
    name      = "model-stored"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "stored" {
  alarm_name          = "${var.name}-model-stored"
  alarm_description   = "A model was stored: was it one of yours?"
  namespace           = var.name
  metric_name         = "model-stored"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  depends_on          = [aws_cloudwatch_log_metric_filter.stored]
}
