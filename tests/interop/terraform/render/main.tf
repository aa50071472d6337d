# SPDX-License-Identifier: Apache-2.0
# Every policy of deploy/iam through the module that deployments use, without any provider.
variable "folder" { type = string }
variable "values" { type = map(string) }
variable "lists" { type = map(list(string)) }

module "policy" {
  source   = "./deploy/terraform/modules/policy"
  for_each = toset([for file in fileset("${path.module}/deploy/iam", "*.json") : trimsuffix(file, ".json")])
  file     = "iam/${each.key}"
  values   = var.values
  lists    = var.lists
}

output "policies" {
  value = { for name, policy in module.policy : name => policy.json }
}
