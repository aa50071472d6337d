# SPDX-License-Identifier: Apache-2.0
# coffer-producer: stateless machines behind a load balancer, added by number.
#
# The load balancer ends the clients' TLS (1.3 only) and opens its own to the producer, so it is trusted with plaintext as the
# producer is. With var.passthrough a network load balancer forwards the bytes instead, and TLS ends in the producer alone; then
# the certificate is the machine's (cert and key in the machine's image, named in more_options), and there is no WAF.
locals {
  options = join(" ", concat(["--listen tcp:0.0.0.0:8443", "--bucket ${var.bucket}", "--queue-url ${var.queue_url}",
    "--data-key-arn ${var.data_key_arn}", "--issuer ${var.issuer}"],
  var.passthrough ? [] : ["--tls-dir /var/lib/coffer-producer/tls"], var.more_options))
  user_data = templatefile("${path.module}/../../boot/common.sh.tftpl", {
    region = var.region, name = var.name, unit = "coffer-producer.service", artifacts = var.artifacts, packages = var.packages
    aws_py = file("${path.module}/../../boot/aws.py")
    more   = templatefile("${path.module}/../../boot/producer.sh.tftpl", { region = var.region, options = local.options })
  })
}

resource "aws_lb" "this" {
  name                       = "${var.name}-producer"
  load_balancer_type         = var.passthrough ? "network" : "application"
  internal                   = var.internal
  subnets                    = var.internal ? var.subnets.gateway : var.subnets.public
  security_groups            = [var.security_groups.balancer]
  enable_deletion_protection = var.deletion_protection
  drop_invalid_header_fields = var.passthrough ? null : true
  desync_mitigation_mode     = var.passthrough ? null : "strictest"
  idle_timeout               = var.passthrough ? null : 120

  # A network load balancer logs connections only where it ends their TLS; then the flow logs have to do.
  dynamic "access_logs" {
    for_each = var.passthrough ? [] : [aws_s3_bucket.logs.bucket]
    content {
      bucket  = access_logs.value
      prefix  = "producer"
      enabled = true
    }
  }

  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_lb_target_group" "this" {
  name                 = "${var.name}-producer"
  vpc_id               = var.vpc_id
  port                 = 8443
  protocol             = var.passthrough ? "TCP" : "HTTPS"
  deregistration_delay = 120 # uploads that are under way

  health_check {
    protocol            = "HTTPS"
    port                = "8443"
    path                = "/healthz" # 200 once the issuer's keys are there
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "this" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = var.passthrough ? "TCP" : "HTTPS"
  ssl_policy        = var.passthrough ? null : "ELBSecurityPolicy-TLS13-1-3-2021-06"
  certificate_arn   = var.passthrough ? null : var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

resource "aws_launch_template" "this" {
  name                   = "${var.name}-producer"
  description            = "Coffer producer"
  update_default_version = true
  image_id               = var.ami
  instance_type          = var.instance_type
  ebs_optimized          = true
  vpc_security_group_ids = [var.security_groups.producer]
  user_data              = base64gzip(local.user_data)

  iam_instance_profile {
    arn = var.instance_profile
  }

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
      volume_size           = 8
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-producer" }
  }
}

resource "aws_autoscaling_group" "this" {
  name                      = "${var.name}-producer"
  min_size                  = var.size.min
  max_size                  = var.size.max
  vpc_zone_identifier       = var.subnets.gateway
  target_group_arns         = [aws_lb_target_group.this.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 180
  default_instance_warmup   = 120
  enabled_metrics           = ["GroupInServiceInstances", "GroupDesiredCapacity"]
  max_instance_lifetime     = 604800
  wait_for_capacity_timeout = "0" # packages may come after the first apply

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
    }
  }

  tag {
    key                 = "Name"
    value               = "${var.name}-producer"
    propagate_at_launch = true
  }
}

resource "aws_autoscaling_policy" "cpu" {
  name                   = "${var.name}-producer-cpu"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = 50
    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}
