#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing. Usage: packages.sh build | packages.sh test
# Without a missing package it needs neither root nor a network.
set -eu
build="build-essential cmake ninja-build pkg-config libgrpc-dev libprotobuf-c-dev protobuf-c-compiler
    libprotobuf-dev protobuf-compiler libsqlite3-dev libjansson-dev uthash-dev libbsd-dev libxxhash-dev
    libyaml-dev libssl-dev libmimalloc-dev libcmocka-dev"
test="python3 python3-grpcio python3-protobuf xz-utils util-linux mandoc"
case ${1-} in
build) wanted=$build ;;
test) wanted="$build $test" ;;
*) echo "usage: $0 build|test" >&2 && exit 2 ;;
esac

missing() {
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2> /dev/null | grep -q '^install ok installed' ||
            echo "$package"
    done
}

install() {
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo > /dev/null || { echo "as root or with sudo, please: apt-get install $*" >&2; return 1; }
        sudo=sudo
    fi
    echo "installing: $*"
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

packages=$(missing $wanted)
if [ -n "$packages" ]; then
    install $packages
fi
if [ "$1" = test ] && ! { command -v node && command -v npm; } > /dev/null 2>&1; then
    # Only the tests with clients written in JavaScript need it; they are skipped without.
    install nodejs npm || echo "going on without Node" >&2
fi
