#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The floors: an include may only point down. And what else must be true of the tree as text.
set -u
src=${WATCH_SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$src" || exit 1
faults=$(mktemp)
trap 'rm -f "$faults"' EXIT

# files NAME...: our C files of these folders (not of folders below them).
files() {
    for folder in "$@"; do
        find "$folder" -maxdepth 1 -name '*.[ch]'
    done
}

# forbid WHAT PATTERN FILE...: no include of these files matches the pattern.
forbid() {
    what=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" "$@" |
        sed "s|^|$what: |" >> "$faults"
}

# only WHAT PATTERN FILE...: every quoted include of these files matches the pattern.
only() {
    what=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$@" |
        grep -vE "\"($pattern)[^\"/]*\"" | sed "s|^|$what: |" >> "$faults"
}

# Each floor and what it may stand on.
only "base stands on nothing" 'store/base/' $(files store/base)
only "model stands on base" 'store/(base|model)/' $(files store/model)
only "store stands on base and model" 'store/((base|model)/)?' $(files store)
only "wire stands on base and model" 'store/(base|model)/|proto/|([a-z0-9_]+/)+[a-z_0-9]+\.pb-c\.h' $(files proto)
only "the client library stands on wire, model and base" 'store/(base|model)/|proto/|cli/client/' \
    $(files cli/client)
only "watchctl stands on its library, model and base" 'store/(base|model)/|cli/client/|cli/' $(files cli)
only "watchd stands on store, wire, model and base" 'store/((base|model)/)?|proto/|server/' $(files server)

# The one place that knows each library.
forbid "only proto/ knows protobuf" '.*\.pb-c\.h|protobuf-c' \
    $(files store store/base store/model server cli cli/client)
forbid "only proto/*.c know the generated messages' innards" 'protobuf-c/protobuf-c-rpc' $(files proto)
forbid "only the SQLite engine knows SQL" 'sqlite3' \
    $(files store/base store/model proto server cli cli/client) \
    $(files store | grep -v '^store/engine_')
forbid "only server/ and cli/client know gRPC" 'grpc/(support/|impl/)?[a-z_]+\.h' $(files store store/base store/model proto cli)
forbid "base does without jansson and SQLite" 'jansson|sqlite3|xxhash' $(files store/base)
forbid "C has its own headers" 'iostream|string>|vector>|memory>' \
    $(files store store/base store/model proto server cli cli/client)

# What belongs into the tree.
list() {
    find . \( -path ./.git -o -path ./build -o -name __pycache__ -o -name node_modules \) -prune -o \
        -type f -print | sed 's|^\./||'
}
for name in $(ls -A); do
    case $name in
    CMakeLists.txt | CMakePresets.json | proto | server | store | cli | tests | examples | README.md | \
        LICENSE | .*) ;;
    build | watchd.db*) ;;
    *) echo "no such thing on top of the tree: $name" >> "$faults" ;;
    esac
done
list | grep -E '\.(cc|cpp|cxx|hpp|hh|C)$' | sed 's|^|no C++: |' >> "$faults"
list | grep -E '\.(c|h|S|py|sh|js|proto|yaml|cmake)$|CMakeLists\.txt$' | while read -r file; do
    head -n 5 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
        echo "no licence line: $file"
    lines=$(wc -l < "$file")
    [ "$lines" -le 700 ] || echo "over 700 lines, more than one noun: $file ($lines)"
done >> "$faults"
# Folders of one machine. The pattern is put together so that this file does not match itself.
slash=/
list | xargs grep -nHIE "(${slash}(work|farm|root|home)${slash}[a-z.]+|${slash}tmp${slash}[a-z_]+)" |
    grep -vE 'tests/integration/node/package-lock.json|XXXXXX' | sed 's|^|a path of one machine: |' >> "$faults"

if [ -s "$faults" ]; then
    cat "$faults"
    exit 1
fi
echo "floors: nothing to say"
