#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The protos keep the rules of `buf lint`, third-party ones excepted.
set -eu
src=${WATCH_SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
modules=$("$src/tests/lib/node_modules.sh")
cd "$src/proto"
"$modules/node_modules/.bin/buf" lint
echo "buf lint: nothing to say"
