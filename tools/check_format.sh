#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks, or with --fix makes, the layout of every C++ source (.clang-format), and that each source
# begins with its licence. Exit: 0 all well, 1 not.
set -eu
cd "$(dirname "$0")/.."
folders=
for folder in src testing tests fuzz bench; do
  [ -d "$folder" ] && folders="$folders $folder"
done
# shellcheck disable=SC2086  # a list of folders
sources=$(find $folders -name '*.h' -o -name '*.cc')
if [ "${1:-}" = --fix ]; then
  # shellcheck disable=SC2086  # no source has a space in its name
  clang-format-19 -i $sources
  exit
fi
status=0
for source in $sources; do
  if ! head -n 2 "$source" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
    echo "$source:1: the line \"SPDX-License-Identifier: Apache-2.0\" is missing"
    status=1
  fi
done
# shellcheck disable=SC2086
clang-format-19 --dry-run -Werror $sources || status=1
[ "$status" -eq 0 ] && echo "check_format: $(echo "$sources" | wc -w) sources are in form"
exit "$status"
