# SPDX-License-Identifier: Apache-2.0
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
      # aws: whoever builds networks, machines and roles. aws.keeper: the admin role with its second factor; keys, bucket and
      # queues obey nobody else, from the first moment on.
      configuration_aliases = [aws.keeper]
    }
  }
}
