# SPDX-License-Identifier: Apache-2.0
output "role_arns" {
  description = "The role ARNs under the names that the policies' holes have."
  value       = merge({ for name, role in aws_iam_role.this : "${name}_role_arn" => role.arn }, { admin_role_arn = var.admin_role_arn })
}

output "instance_profiles" {
  description = "Instance profile ARNs: producer, consumer."
  value       = { for name, profile in aws_iam_instance_profile.this : name => profile.arn }
}
