#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The one entry to everything: ./do help
set -eu
cd "$(dirname "$0")"
ROOT=$(pwd)
BUILD=${COFFER_BUILD:-$ROOT/build}
ENCLAVE=$ROOT/build-enclave

# PACKAGE[:ARCH]:REASON. What each need is met by, with the reason that is shown when something must be installed.
PACKAGES_BUILD='gcc:the_C_compiler libc6-dev:C_headers meson:the_build_system ninja-build:the_build_system
pkg-config:finds_libraries libssl-dev:TLS_and_cryptography libjansson-dev:JSON libexpat1-dev:XML_of_S3
libsqlite3-dev:the_store_of_coffer-local libseccomp-dev:sandboxes libpng-dev:the_demo_decodes_PNG
libjpeg62-turbo-dev:the_demo_decodes_JPEG zlib1g-dev:used_by_libpng
libxxhash-dev:checksums_of_S3'
PACKAGES_TEST='libcmocka-dev:unit_tests python3:end-to-end_tests openssl:end-to-end_tests curl:end-to-end_tests
libc-ares-dev:resolver_of_the_static_program dpkg-dev:packages'
PACKAGES_PACKAGE='libc-ares-dev:resolver_of_the_static_program dpkg-dev:finds_what_a_program_depends_on
python3:lists_what_the_packages_are_made_of'
PACKAGES_KERNEL='make:builds_the_kernel flex:reads_its_configuration bison:reads_its_configuration bc:its_constants
libelf-dev:reads_its_objects perl-base:its_scripts xz-utils:unpacks_its_source'
PACKAGES_ARM64='gcc-aarch64-linux-gnu:cross_compiler libc6-dev:arm64:C_headers libssl-dev:arm64:TLS_and_cryptography
libjansson-dev:arm64:JSON libexpat1-dev:arm64:XML_of_S3 libsqlite3-dev:arm64:headers libseccomp-dev:arm64:headers
libc-ares-dev:arm64:resolver libpng-dev:arm64:pictures libjpeg62-turbo-dev:arm64:pictures zlib1g-dev:arm64:pictures
libxxhash-dev:arm64:checksums_of_S3 qemu-user-static:runs_it_in_tests'
PACKAGES_CHECK='clang:second_compiler libclang-rt-14-dev:sanitizers_and_fuzzers'

say() { printf '%s\n' "$*" >&2; }
die() { say "do: error: $*"; exit 1; }

missing_of() { # sets missing
    missing=
    for pair in "$@"; do
        package=${pair%:*}
        case $package in *:*) arch=${package#*:} ;; *) arch="$(dpkg --print-architecture)" ;; esac
        dpkg-query -W -f='${Architecture} ${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qxE "($arch|all) installed" || missing="$missing $pair"
    done
}

need() {
    missing_of "$@"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || die "these Debian packages are missing and there is no apt-get:$missing"
    names=
    say "do: installing Debian packages that are not here yet:"
    for pair in $missing; do
        say "      ${pair%:*} ($(printf '%s' "${pair##*:}" | tr _ ' '))"
        names="$names ${pair%:*}"
    done
    sudo=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "not root and no sudo; as root run: apt-get install$names"
        sudo=sudo
    fi
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
           $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $names; } >"$log" 2>&1
    then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install:$names"
    fi
    rm -f "$log"
}

# The compiled tests belong to `test` alone, so that the demo needs neither cmocka nor their build time.
build() { # build TESTS
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD
    log=$(mktemp)
    if [ ! -f "$BUILD/build.ninja" ]; then
        meson setup "$BUILD" "$ROOT" --werror -Dtests="$1" >"$log" 2>&1 || { cat "$log" >&2; die "meson setup failed"; }
    elif "$1"; then # who asks for the programs alone keeps the tests that are there
        meson configure "$BUILD" -Dtests=true >"$log" 2>&1 || { cat "$log" >&2; die "meson configure failed"; }
    fi
    ninja -C "$BUILD" >"$log" 2>&1 || { grep -vE '^\[[0-9]+/[0-9]+\]' "$log" >&2; die "the build failed"; }
    rm -f "$log"
}

# What runs an image in a virtual machine; kept in the build folder.
parts() {
    [ -e "$BUILD/vm/complete" ] || say "do: fetching QEMU, a kernel and a vsock back-end (some 85 MB, nothing is installed)"
    "$ROOT/deploy/vm/parts" "$BUILD/vm" || die "the parts of the virtual machine cannot be had here"
}

# What of the image to ship is the same for every configuration: kernel and boot ramdisk.
enclave_parts() {
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_PACKAGE $PACKAGES_KERNEL
    "$ROOT/deploy/enclave/build" --parts --dir "$ENCLAVE"
}

usage() {
    cat <<EOF
usage: ./do VERB [ARGUMENTS]

  demo [--keep] [--vm [--shippable]] [FILE]
                         send a picture (yours, or two generated ones) through the whole system on this machine;
                         --vm: the enclave is an image in a virtual machine; --shippable: on the kernel of enclave-image
  enclave [--shippable]  build an enclave image and boot it in a virtual machine, with QEMU, a kernel and a vsock back-end
                         that are fetched into build/vm
  enclave-image [--config FILE] [--processor FILE] [-o FILE] [--help]
                         build the image to ship, on a kernel from Debian's source (minutes, the first time), into build-enclave/
  build                  build the programs into build/
  test [--only TEXT]     build and run every test; ends in 'N passed, N failed, N skipped'
  threats [--only ID] [--json FILE] [--html FILE]
                         run the tests that the threat matrix names, and print the matrix with what they have shown
  check                  a second build with clang, and a sanitizer run of the unit, torture and attack tests
  bench [message|transfer|local|host|attest|jobs|scaling] [--help]
                         measure sealing and opening, transfers to S3, coffer-local, coffer-host or attestation, beside their peers; what
                         a job costs each program; simulate many gateways and enclaves
  fuzz [SECONDS]         run every fuzz target for some seconds (10)
  package                a static coffer, Debian packages of all programs and what they are made of (SPDX), for amd64 and arm64,
                         into build-package/
  reproduce              build the packages twice in other folders, and compare their bytes
  clean                  remove build directories

Missing Debian packages are installed with apt-get, and said before.
EOF
}

verb=${1:-help}
[ $# -gt 0 ] && shift
case $verb in
build)
    build false
    say "do: programs are in $BUILD/src/prog"
    ;;
demo)
    vm= shippable=
    for word in "$@"; do
        shift
        case $word in
        --vm) vm=yes ;;
        --shippable) shippable=yes ;;
        *) set -- "$@" "$word" ;;
        esac
    done
    [ -z "$shippable" ] || [ -n "$vm" ] || die "--shippable goes with --vm"
    build false
    if [ -n "$vm" ]; then
        parts
        [ -z "$shippable" ] || enclave_parts
        set -- --vm "$BUILD/vm" ${shippable:+--enclave "$ENCLAVE"} "$@"
    fi
    exec "$ROOT/deploy/local/demo" "$BUILD" "$@"
    ;;
enclave)
    case $* in
    '' | --shippable) ;;
    *) die "unknown option '$*'" ;;
    esac
    build false
    [ -z "$*" ] || enclave_parts
    parts
    exec "$ROOT/deploy/local/demo" "$BUILD" --vm "$BUILD/vm" ${1:+--enclave "$ENCLAVE"} --boot
    ;;
enclave-image)
    case " $* " in *' --help '* | *' -h '*) exec "$ROOT/deploy/enclave/build" --help ;; esac
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_PACKAGE $PACKAGES_KERNEL
    exec "$ROOT/deploy/enclave/build" "$@"
    ;;
test)
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_TEST
    build true
    exec python3 "$ROOT/tests/tools/run.py" "$BUILD" "$@"
    ;;
threats)
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_TEST
    build true
    exec python3 "$ROOT/tests/tools/threats.py" "$BUILD" --json "$BUILD/threats.json" --html "$BUILD/threats.html" "$@"
    ;;
check)
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_TEST $PACKAGES_CHECK
    [ -f build-clang/build.ninja ] || CC=clang meson setup build-clang --werror --buildtype=debug -Dtests=true >/dev/null
    say "do: building with clang, warnings are errors"
    ninja -C build-clang >build-clang/log 2>&1 || { grep -vE '^\[[0-9]+/[0-9]+\]' build-clang/log >&2; exit 1; }
    [ -f build-asan/build.ninja ] || meson setup build-asan --werror -Dtests=true -Db_sanitize=address,undefined \
        -Dstatic_programs=false --buildtype=debugoptimized -Doptimization=1 >/dev/null
    say "do: building with address and undefined-behaviour sanitizers"
    ninja -C build-asan >build-asan/log 2>&1 || { grep -vE '^\[[0-9]+/[0-9]+\]' build-asan/log >&2; exit 1; }
    exec python3 tests/tools/run.py build-asan --only unit_ --only torture_ --only attacks_ --only _fuzz "$@"
    ;;
bench)
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_TEST
    [ -f "$BUILD/build.ninja" ] && meson configure "$BUILD" -Dbench=true >/dev/null
    [ -f "$BUILD/build.ninja" ] || meson setup "$BUILD" "$ROOT" --werror -Dbench=true >/dev/null
    build true
    what=message
    case ${1:-} in message | transfer | local | host | attest | jobs | scaling) what=$1 && shift ;; esac
    exec python3 "$ROOT/bench/$what.py" "$BUILD" "$@"
    ;;
fuzz)
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_CHECK
    [ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dtests=false -Dfuzz=true -Db_lundef=false \
        -Db_sanitize=address,undefined -Dstatic_programs=false --buildtype=debugoptimized >/dev/null
    ninja -C build-fuzz >build-fuzz/log 2>&1 || { tail -n 40 build-fuzz/log >&2; exit 1; }
    for target in build-fuzz/fuzz/*_fuzz; do
        name=$(basename "$target")
        mkdir -p "build-fuzz/corpus/$name"
        corpus=
        [ -d "fuzz/corpus/${name%_fuzz}" ] && corpus="fuzz/corpus/${name%_fuzz}"
        say "do: $name"
        # shellcheck disable=SC2086
        "$target" -max_total_time="${1:-10}" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
            -artifact_prefix=build-fuzz/ "build-fuzz/corpus/$name" $corpus || die "$name found something: see build-fuzz/"
    done
    ;;
package)
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_PACKAGE
    arches=$(dpkg --print-architecture)
    if [ "$arches" = amd64 ]; then
        # shellcheck disable=SC2086
        missing_of $PACKAGES_ARM64
        if [ -z "$missing" ]; then
            arches='amd64 arm64'
        elif [ "$(id -u)" = 0 ]; then # a second architecture is an administrator's decision
            say "do: arm64 becomes an architecture that packages of this machine may have"
            dpkg --add-architecture arm64
            # shellcheck disable=SC2086
            need $PACKAGES_ARM64
            arches='amd64 arm64'
        else
            say "do: arm64 is left out: its packages are not here; './do package' as root installs them"
        fi
    fi
    # shellcheck disable=SC2086
    "$ROOT/packaging/package" "$ROOT/build-package" $arches
    say "do: programs and packages are in $ROOT/build-package"
    ;;
reproduce)
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD $PACKAGES_PACKAGE
    exec "$ROOT/packaging/reproduce" "$ROOT/build-reproduce"
    ;;
clean)
    rm -rf build build-clang build-asan build-fuzz build-package build-reproduce build-enclave
    ;;
help | -h | --help)
    usage
    ;;
*)
    usage >&2
    die "unknown verb '$verb'"
    ;;
esac
