# SPDX-License-Identifier: Apache-2.0
"""Writes the policies of deploy/iam as a C table (iam_templates.h), sorted by name: FOLDER FILE..."""
import sys
from pathlib import Path

folder = Path(sys.argv[1])
files = sorted((str(Path(p).relative_to(folder).with_suffix('')), Path(p)) for p in sys.argv[2:])
print('/* Made from deploy/iam. Bytes, because a string may be 4095 long at most. */\n#include "prog/coffer/iam_templates.h"\n')
for i, (_, path) in enumerate(files):
    data = path.read_bytes() + b'\0'
    rows = [','.join(map(str, data[at:at + 32])) for at in range(0, len(data), 32)]
    print(f'static const char text_{i}[] = {{\n    ' + ',\n    '.join(rows) + '};')
print('\nconst struct iam_template iam_templates[] = {')
for i, (name, _) in enumerate(files):
    print(f'    {{"{name}", text_{i}}},')
print('    {0, 0},\n};')
