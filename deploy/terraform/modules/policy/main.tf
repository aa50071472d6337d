# SPDX-License-Identifier: Apache-2.0
# A policy of deploy/iam (or of ../../policies: what only AWS has a use for) with its holes filled in. It makes nothing.
#
# It fills as `coffer policy generate` does: a hole with several values stands in a list, ["${pcr0}"]; and where a deployment has VPC
# endpoints, or demands models, the statements of iam/when-endpoints or iam/when-models are added, or take the place of those with
# their Sid.
variable "file" {
  description = "The template below deploy/, without .json: iam/key-data."
  type        = string
}

variable "values" {
  description = "What goes into the holes that have one value."
  type        = map(string)
}

variable "lists" {
  description = "What goes into the holes that may have several: pcr0, pcr1, pcr2, pcr16, vpc_endpoint, source_account."
  type        = map(list(string))
  default     = {}
}

locals {
  folder = "${path.module}/../../.."
  lists  = { for hole in ["pcr0", "pcr1", "pcr2", "pcr16", "vpc_endpoint", "source_account"] : hole => try(var.lists[hole], []) }
  kinds  = [{ folder = "models", hole = "pcr16" }, { folder = "source-accounts", hole = "source_account" }, { folder = "endpoints", hole = "vpc_endpoint" }]
  supplements = [for kind in local.kinds : "iam/when-${kind.folder}/${basename(var.file)}" if length(local.lists[kind.hole]) > 0 &&
  startswith(var.file, "iam/") && fileexists("${local.folder}/iam/when-${kind.folder}/${basename(var.file)}.json")]

  # "${pcr0}" becomes "@pcr0@" first, and then, with its quotes, the values one after the other.
  marked = merge(var.values, { for hole, values in local.lists : hole => "@${hole}@" if length(values) > 0 })
  joined = { for hole, values in local.lists : hole => join(",", [for value in values : jsonencode(value)]) }
  documents = [for file in concat([var.file], local.supplements) : jsondecode(
    replace(replace(replace(replace(replace(replace(templatefile("${local.folder}/${file}.json", local.marked),
      "\"@pcr0@\"", local.joined.pcr0), "\"@pcr1@\"", local.joined.pcr1), "\"@pcr2@\"", local.joined.pcr2),
  "\"@pcr16@\"", local.joined.pcr16), "\"@vpc_endpoint@\"", local.joined.vpc_endpoint), "\"@source_account@\"", local.joined.source_account))]

  # As texts, because Terraform has no list of objects of different shapes.
  own        = [for statement in local.documents[0].Statement : { sid = statement.Sid, text = jsonencode(statement) }]
  more       = flatten([for document in slice(local.documents, 1, length(local.documents)) : [for statement in document.Statement : { sid = statement.Sid, text = jsonencode(statement) }]])
  replaced   = { for statement in local.more : statement.sid => statement.text }
  own_sids   = [for statement in local.own : statement.sid]
  statements = concat([for s in local.own : lookup(local.replaced, s.sid, s.text)], [for s in local.more : s.text if !contains(local.own_sids, s.sid)])
}

# Without its white space: keys, queues and roles limit the length of a policy.
output "json" {
  description = "The policy."
  value       = "{\"Version\":${jsonencode(local.documents[0].Version)},\"Id\":${jsonencode(local.documents[0].Id)},\"Statement\":[${join(",", local.statements)}]}"
}
