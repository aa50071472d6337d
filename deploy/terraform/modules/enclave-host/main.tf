# SPDX-License-Identifier: Apache-2.0
# The enclaves' parents: untrusted, without a way out of the VPC, without SSH, added and removed by the length of the queue.
locals {
  aws   = "amazonaws.com"
  allow = concat([for service in ["kms", "sqs", "sts", "s3"] : "${service}.${var.region}.${local.aws}:443"], ["${var.bucket}.s3.${var.region}.${local.aws}:443"])
  # 4294967295 is any context: the parent's own is 3, the enclave's 16.
  options = join(" ", concat(["--listen vsock:4294967295:5005", "--telemetry vsock:4294967295:5006"], [for host in local.allow : "--allow ${host}"],
    ["--nitro-cli /usr/bin/nitro-cli", "--image /etc/coffer/enclave.eif", "--cpus ${var.enclave_cpus}", "--memory-mib ${var.enclave_memory_mib}", "--cid 16"],
  var.more_options))
  user_data = templatefile("${path.module}/../../boot/common.sh.tftpl", {
    region = var.region, name = var.name, unit = "coffer-host.service", artifacts = var.artifacts, packages = var.packages
    aws_py = file("${path.module}/../../boot/aws.py")
    more = templatefile("${path.module}/../../boot/enclave-host.sh.tftpl", {
      region       = var.region, cpus = var.enclave_cpus, memory_mib = var.enclave_memory_mib, options = local.options
      image_key    = var.image == null ? "" : var.image.key
      image_sha256 = var.image == null ? "" : var.image.sha256
    })
  })
}

resource "aws_launch_template" "this" {
  name                   = "${var.name}-enclave-host"
  description            = "Parent of a Coffer enclave"
  update_default_version = true
  image_id               = var.ami
  instance_type          = var.instance_type
  ebs_optimized          = true
  vpc_security_group_ids = [var.security_group]
  user_data              = base64gzip(local.user_data)

  enclave_options {
    enabled = true
  }

  iam_instance_profile {
    arn = var.instance_profile
  }

  # Version 2 only, and no further than the machine itself: what asks from a container or through a proxy gets no credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  block_device_mappings {
    device_name = var.root_device
    ebs {
      volume_type           = "gp3"
      volume_size           = 16
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-enclave-host" }
  }
}

resource "aws_autoscaling_group" "this" {
  name                      = "${var.name}-enclave-host"
  min_size                  = var.size.min
  max_size                  = var.size.max
  vpc_zone_identifier       = var.subnets
  health_check_type         = "EC2"
  health_check_grace_period = 300
  default_instance_warmup   = 180
  enabled_metrics           = ["GroupInServiceInstances", "GroupDesiredCapacity"]
  max_instance_lifetime     = 604800 # a week: machines are replaced, not patched

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 90
    }
  }

  tag {
    key                 = "Name"
    value               = "${var.name}-enclave-host"
    propagate_at_launch = true
  }
}

# Waiting jobs for each machine that works; with none at work, the jobs themselves.
resource "aws_autoscaling_policy" "queue" {
  count                  = var.scaling ? 1 : 0
  name                   = "${var.name}-jobs-per-host"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.jobs_per_host
    customized_metric_specification {
      metrics {
        id          = "jobs"
        return_data = false
        metric_stat {
          stat = "Average"
          metric {
            namespace   = "AWS/SQS"
            metric_name = "ApproximateNumberOfMessagesVisible"
            dimensions {
              name  = "QueueName"
              value = var.queue_name
            }
          }
        }
      }
      metrics {
        id          = "hosts"
        return_data = false
        metric_stat {
          stat = "Average"
          metric {
            namespace   = "AWS/AutoScaling"
            metric_name = "GroupInServiceInstances"
            dimensions {
              name  = "AutoScalingGroupName"
              value = aws_autoscaling_group.this.name
            }
          }
        }
      }
      metrics {
        id          = "jobs_per_host"
        label       = "Waiting jobs for each machine"
        expression  = "IF(FILL(hosts, 0) > 0, jobs / hosts, jobs)"
        return_data = true
      }
    }
  }
}
