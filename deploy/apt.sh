# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts that take Debian packages of another release, without installing them and without touching the machine's apt.
# Who sources it defines `later WORDS`, which ends the script: what is asked for cannot be had here.
#
#   own_apt WORK SUITE...   an apt in the folder WORK that knows these suites alone, checked against Debian's keys, and its lists.
#                           Exports APT_CONFIG; WORK/preferences, where it is there, pins.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

debian_mirror() { # PATH: the machine's own mirror of /debian or /debian-security
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep "$1/*\$" | sort -u | head -n 1
}

own_apt() {
    work=$1
    shift
    [ -e "$keyring" ] || later "no $keyring"
    mirror=$(debian_mirror /debian)
    security=$(debian_mirror /debian-security)
    [ -n "$mirror" ] || later "apt knows no Debian mirror here (apt-get update?)"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    : >"$work/status"
    for suite in "$@"; do
        case $suite in
        *-security) [ -n "$security" ] || later "apt knows no mirror of Debian's security updates here"
            echo "deb [signed-by=$keyring] $security $suite main" ;;
        *) echo "deb [signed-by=$keyring] $mirror $suite main" ;;
        esac
    done >"$work/sources.list"
    [ -e "$work/preferences" ] || : >"$work/preferences"
    cat >"$work/apt.conf" <<END
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
Debug::NoLocking "true";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "$work/preferences";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
END
    export APT_CONFIG="$work/apt.conf"
    apt-get -q update >"$work/log" 2>&1 || later "the package lists cannot be had: $(grep -m1 -E '^(E|Err)' "$work/log")"
}
