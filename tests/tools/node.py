# SPDX-License-Identifier: Apache-2.0
"""Judges that come from npm: their packages, as the lock file beside their driver pins them, are installed into the build folder."""
import hashlib, os, shutil, subprocess, sys
from pathlib import Path


class Absent(Exception):
    """No npm here, or no way to its packages; the text says which."""


def packages(folder, name):
    """folder: has package.json and package-lock.json -> the folder that holds node_modules"""
    if not shutil.which('npm') or not shutil.which('node'):
        raise Absent('no npm here')
    place = Path(os.environ['COFFER_BUILD']) / f'node-{name}-{hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()[:12]}'
    if (place / 'complete').exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for file in ('package.json', 'package-lock.json'):
        shutil.copy(folder / file, place)
    try:
        p = subprocess.run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], cwd=place, capture_output=True, timeout=150)
    except subprocess.TimeoutExpired:
        raise Absent('npm gives no packages in time') from None
    if p.returncode != 0:
        raise Absent('npm gives no packages: ' + p.stderr.decode(errors='replace').strip().splitlines()[-1][:100])
    (place / 'complete').touch()
    return place


def packages_or_skip(folder, name):
    """The same for a test that is nothing without them."""
    try:
        return packages(folder, name)
    except Absent as why:
        print(f'1..0 # SKIP {why}')
        sys.exit(0)
