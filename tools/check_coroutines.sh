#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Looks in src/net for the co_await expressions that g++ 12.2 miscompiles (coroutine_hazards.query).
# Usage: tools/check_coroutines.sh BUILD_DIR     (it needs BUILD_DIR/compile_commands.json)
# Exit: 0 none found, 1 some found or a file could not be read, 2 wrong usage.
set -u
build=${1:-}
root=$(cd "$(dirname "$0")/.." && pwd)
if [ ! -f "$build/compile_commands.json" ]; then
  echo "usage: tools/check_coroutines.sh BUILD_DIR (with compile_commands.json)" >&2
  exit 2
fi
queries=$(grep -c '^match ' "$root/tools/coroutine_hazards.query")
# The queries look at main files only, so a header with co_await is handed over as one; clang-query takes
# the flags of the source nearest to it.
files=$(grep -rl co_await "$root/src/net" --include='*.cc' --include='*.h')
status=0
for file in $files; do
  # The flags are g++'s, of which clang need not know every warning.
  out=$(clang-query-19 -p "$build" --extra-arg=-Wno-unknown-warning-option -f "$root/tools/coroutine_hazards.query" "$file" 2>&1)
  clean=$(printf '%s\n' "$out" | grep -c '^0 matches')
  if [ "$clean" -ne "$queries" ] || printf '%s\n' "$out" | grep -q 'error:'; then
    printf '%s\n' "$out" >&2
    echo "check_coroutines: ${file#"$root"/}: $clean of $queries queries are clean" >&2
    status=1
  fi
done
[ "$status" -eq 0 ] && echo "check_coroutines: $(echo "$files" | wc -w) files are clean"
exit $status
