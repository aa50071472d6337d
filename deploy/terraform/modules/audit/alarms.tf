# SPDX-License-Identifier: Apache-2.0
# What somebody is woken for. Each filter reads the trail's log group and counts into the deployment's name space; one event is
# enough where the threshold is 1.
locals {
  kms     = "($.eventSource = \"kms.amazonaws.com\")"
  s3      = "($.eventSource = \"s3.amazonaws.com\")"
  iam     = "($.eventSource = \"iam.amazonaws.com\")"
  sqs     = "($.eventSource = \"sqs.amazonaws.com\")"
  issuer  = "$.userIdentity.sessionContext.sessionIssuer.arn"
  our_key = "(${join(" || ", [for arn in values(var.key_arns) : "($.resources[0].ARN = \"${arn}\")"])})"

  events = {
    # C-11: the key policy is the whole protection, so whoever changes it is watched.
    key-policy-changed = { threshold = 1, pattern = "{ ${local.kms} && ($.eventName = \"PutKeyPolicy\") }" }
    grant-created      = { threshold = 1, pattern = "{ ${local.kms} && ($.eventName = \"CreateGrant\") && ${local.our_key} }" }
    key-going          = { threshold = 1, pattern = "{ ${local.kms} && (($.eventName = \"ScheduleKeyDeletion\") || ($.eventName = \"DisableKey\") || ($.eventName = \"DeleteImportedKeyMaterial\") || ($.eventName = \"DisableKeyRotation\")) }" }
    alias-moved        = { threshold = 1, pattern = "{ ${local.kms} && (($.eventName = \"UpdateAlias\") || ($.eventName = \"CreateAlias\") || ($.eventName = \"DeleteAlias\")) }" }
    bucket-changed     = { threshold = 1, pattern = "{ ${local.s3} && (($.eventName = \"PutBucket*\") || ($.eventName = \"DeleteBucket*\")) && ($.requestParameters.bucketName = \"${var.values.bucket}*\") }" }
    role-changed       = { threshold = 1, pattern = "{ ${local.iam} && (((($.eventName = \"PutRolePolicy\") || ($.eventName = \"AttachRolePolicy\") || ($.eventName = \"DeleteRolePermissionsBoundary\") || ($.eventName = \"PutRolePermissionsBoundary\") || ($.eventName = \"UpdateAssumeRolePolicy\")) && ($.requestParameters.roleName = \"${var.name}-*\")) || ((($.eventName = \"CreatePolicyVersion\") || ($.eventName = \"SetDefaultPolicyVersion\")) && ($.requestParameters.policyArn = \"*:policy/${var.name}-boundary\"))) }" }
    # Admin and deployer roles ask for a second factor at their door alone (docs/decisions/0013), so whoever can give somebody a factor
    # can open it. A device made is not yet anybody's, and one synchronised anew stays whose it was; but the first comes before every new
    # factor, and the second tells whether codes were right, to who guesses them. All five are rare.
    factor-changed = { threshold = 1, pattern = "{ ${local.iam} && (($.eventName = \"EnableMFADevice\") || ($.eventName = \"DeactivateMFADevice\") || ($.eventName = \"CreateVirtualMFADevice\") || ($.eventName = \"DeleteVirtualMFADevice\") || ($.eventName = \"ResyncMFADevice\")) }" }
    # C-33: who may put jobs in, and whether there are any.
    queue-changed        = { threshold = 1, pattern = "{ ${local.sqs} && (($.eventName = \"SetQueueAttributes\") || ($.eventName = \"AddPermission\") || ($.eventName = \"PurgeQueue\") || ($.eventName = \"DeleteQueue\")) && ($.requestParameters.queueUrl = \"*/${var.name}-jobs*\") }" }
    admin-role-assumed   = { threshold = 1, pattern = "{ ($.eventSource = \"sts.amazonaws.com\") && ($.eventName = \"AssumeRole\") && ($.requestParameters.roleArn = \"${var.values.admin_role_arn}\") }" }
    root-used            = { threshold = 1, pattern = "{ ($.userIdentity.type = \"Root\") && ($.userIdentity.invokedBy NOT EXISTS) && ($.eventType != \"AwsServiceEvent\") }" }
    trail-touched        = { threshold = 1, pattern = "{ ($.eventSource = \"cloudtrail.amazonaws.com\") && (($.eventName = \"StopLogging\") || ($.eventName = \"DeleteTrail\") || ($.eventName = \"UpdateTrail\") || ($.eventName = \"PutEventSelectors\")) }" }
    watch-switched-off   = { threshold = 1, pattern = "{ (($.eventSource = \"monitoring.amazonaws.com\") || ($.eventSource = \"logs.amazonaws.com\") || ($.eventSource = \"sns.amazonaws.com\")) && (($.eventName = \"DeleteAlarms\") || ($.eventName = \"DisableAlarmActions\") || ($.eventName = \"DeleteMetricFilter\") || ($.eventName = \"DeleteLogGroup\") || ($.eventName = \"DeleteTopic\") || ($.eventName = \"Unsubscribe\") || ($.eventName = \"SetTopicAttributes\")) }" }
    login-without-factor = { threshold = 1, pattern = "{ ($.eventName = \"ConsoleLogin\") && ($.additionalEventData.MFAUsed != \"Yes\") && ($.responseElements.ConsoleLogin = \"Success\") }" }

    # A call that succeeded on the data or the models key, was no attested one, and opened something; on the results key, one that
    # drew a data key. Policies forbid all of it, so the first one means that they were changed.
    opened-unattested = { threshold = 1, pattern = "{ ${local.kms} && ($.eventName = \"Decrypt\") && ($.errorCode NOT EXISTS) && ($.additionalEventData.recipient.attestationDocumentModuleId NOT EXISTS) && (($.resources[0].ARN = \"${var.key_arns.data}\") || ($.resources[0].ARN = \"${var.key_arns.models}\")) }" }
    sealed-unattested = { threshold = 1, pattern = "{ ${local.kms} && ($.eventName = \"GenerateDataKey*\") && ($.errorCode NOT EXISTS) && ($.additionalEventData.recipient.attestationDocumentModuleId NOT EXISTS) && ($.resources[0].ARN = \"${var.key_arns.results}\") }" }

    # Somebody tries doors. The gateway asks for outcomes that are not there yet, and whoever may not list is told AccessDenied then.
    decrypt-refused = { threshold = var.refusals_per_5_minutes, pattern = "{ ${local.kms} && ($.eventName = \"Decrypt\") && ($.errorCode = \"AccessDenied*\") }" }
    objects-refused = { threshold = var.refusals_per_5_minutes, pattern = "{ ${local.s3} && ($.errorCode = \"AccessDenied\") && ($.requestParameters.bucketName = \"${var.values.bucket}\") && ((${local.issuer} NOT EXISTS) || (${local.issuer} != \"${var.values.producer_role_arn}\") || ($.readOnly IS FALSE) || ($.requestParameters.key = \"jobs/*\")) }" }
  }

  # Counted for anomaly detection: far more than usual is as telling as the forbidden.
  rates = {
    results-opened = "{ ${local.kms} && ($.eventName = \"Decrypt\") && ($.errorCode NOT EXISTS) && ($.resources[0].ARN = \"${var.key_arns.results}\") }"
    jobs-opened    = "{ ${local.kms} && ($.eventName = \"Decrypt\") && ($.errorCode NOT EXISTS) && ($.resources[0].ARN = \"${var.key_arns.data}\") }"
    jobs-sealed    = "{ ${local.kms} && ($.eventName = \"GenerateDataKey\") && ($.errorCode NOT EXISTS) && ($.resources[0].ARN = \"${var.key_arns.data}\") }"
  }
}

module "policy_topic" {
  source = "../policy"
  file   = "terraform/policies/topic"
  values = { topic_arn = aws_sns_topic.alarms.arn, account = var.values.account }
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.audit.arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = module.policy_topic.json
}

resource "aws_sns_topic_subscription" "mail" {
  for_each  = toset(var.alarm_mail)
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each       = merge({ for name, event in local.events : name => event.pattern }, local.rates)
  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.this["trail"].name
  pattern        = each.value

  metric_transformation {
    namespace     = var.name
    name          = each.key
    value         = "1"
    default_value = contains(keys(local.rates), each.key) ? "0" : null
  }
}

resource "aws_cloudwatch_metric_alarm" "event" {
  for_each            = local.events
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "Trail events ${each.key}; see docs/OPERATIONS.md"
  namespace           = var.name
  metric_name         = each.key
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  depends_on          = [aws_cloudwatch_log_metric_filter.this]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "A job failed as often as it may: it is poison, or the enclave is broken"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.dead_letter_queue_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "oldest_job" {
  alarm_name          = "${var.name}-oldest-job"
  alarm_description   = "Jobs wait longer than they should: too few enclaves, or none that KMS releases keys to"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = var.jobs_queue_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = var.oldest_job_seconds
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# Every machine tells each minute that its program is active; silence is what is alarmed.
resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  for_each            = var.heartbeats
  alarm_name          = "${var.name}-no-${each.key}"
  alarm_description   = "Fewer than ${each.value} heartbeats of ${each.key} a minute"
  namespace           = var.name
  metric_name         = "Heartbeat"
  dimensions          = { Unit = "${each.key}.service" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  threshold           = each.value
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "unusual" {
  for_each            = var.anomalies ? local.rates : {}
  alarm_name          = "${var.name}-unusual-${each.key}"
  alarm_description   = "Far more ${each.key} than this hour usually has: theft of results, or somebody copies the model by asking it"
  comparison_operator = "GreaterThanUpperThreshold"
  evaluation_periods  = 3
  threshold_metric_id = "band"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "band"
    expression  = "ANOMALY_DETECTION_BAND(rate, 3)"
    label       = "usual"
    return_data = true
  }

  metric_query {
    id          = "rate"
    return_data = true
    metric {
      namespace   = var.name
      metric_name = each.key
      stat        = "Sum"
      period      = 300
    }
  }

  depends_on = [aws_cloudwatch_log_metric_filter.this]
}
