#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy 19 (.clang-tidy, with clang's thread-safety analysis) over every source of a build.
# Usage: tools/check_tidy.sh BUILD_DIR [REGEX]     REGEX: only sources whose path matches
set -eu
build=${1:?usage: tools/check_tidy.sh BUILD_DIR [REGEX]}
cd "$(dirname "$0")/.."
exec run-clang-tidy-19 -quiet -extra-arg=-Wno-unknown-warning-option -p "$build" "${2:-$PWD/(src|tests|fuzz|bench)/}"
