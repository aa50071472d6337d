# SPDX-License-Identifier: Apache-2.0
output "coffer" {
  description = "Everything the deployment says of itself; enclave_config goes into the image, policy_manifest to `coffer policy`."
  value       = module.coffer
}
