#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources to the architecture: which module may include what.

Usage: tools/check_layers.py [ROOT]      prints `file:line: reason` for each breach; exit 1 if any.

An include goes to a module of a lower rank or stays in its folder: never sideways, never up. Some
libraries, and coroutines, belong to one module alone. testing/ is for tests only.
"""
import re
import sys
from pathlib import Path

RANKS = {
    "base": 0,
    "json": 1, "crypto": 1, "net": 1,
    "cel": 2, "merkle": 2, "store": 2,
    "provenance": 3, "guard": 3,
    "auth": 4, "workflow": 4, "tlog": 4,
    "engine": 5,
    "connectors": 6,
    "api": 7,
    "server": 8,
    "cli": 9,
}  # fmt: skip

# A header outside the tree, by how its name begins, and the modules that may see it. The first match
# counts.
WALLS = [
    ("boost/json", {"json"}),
    ("boost/asio", {"net"}),
    ("boost/beast", {"net"}),
    ("boost/", {"json", "net"}),
    ("curl/", {"net"}),
    ("openssl/", {"crypto", "net"}),
    ("sqlite3", {"store"}),
    ("libpq", {"store"}),
    ("zstd", {"store"}),
    ("rhonabwy", {"auth"}),
    ("jansson", {"auth"}),
    ("re2/", {"json", "cel", "guard"}),
    ("yaml-cpp/", {"server"}),
    ("CLI/", {"cli"}),
    ("prometheus/", {"api", "server"}),
    ("spdlog/", {"base"}),
]

INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')
COROUTINE = re.compile(r"\bco_(await|return|yield)\b")


def code_of(line):
    """The line without what follows `//`; good enough, as no include stands in a string."""
    return line.split("//", 1)[0]


def breaches_of_include(module, is_test, quote, header):
    first = header.split("/", 1)[0]
    if quote == '"' and first == "testing":
        return [] if is_test else ["only tests may include testing/"]
    if quote == '"' and first in RANKS:
        if first == module or RANKS[first] < RANKS[module]:
            return []
        return [f"{module} must not include {first}"]
    for prefix, allowed in WALLS:
        if header.startswith(prefix):
            if module in allowed:
                return []
            return [f"{module} must not include <{header}>: it belongs to {', '.join(sorted(allowed))}"]
    if quote == '"':
        return [f'"{header}" is in no known module']
    return []


def breaches_of_file(path, module):
    is_test = path.name.endswith(("_test.cc", "_for_tests.h"))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        include = INCLUDE.match(line)
        if include:
            for reason in breaches_of_include(module, is_test, *include.groups()):
                yield number, reason
        elif module != "net" and COROUTINE.search(code_of(line)):
            yield number, "coroutines belong to net"


def breaches(root):
    for folder in sorted((root / "src").iterdir()):
        if not folder.is_dir():
            continue
        if folder.name not in RANKS:
            yield f"src/{folder.name}: a module without a rank (tools/check_layers.py)"
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".h", ".cc"):
                for number, reason in breaches_of_file(path, folder.name):
                    yield f"{path.relative_to(root)}:{number}: {reason}"


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    found = list(breaches(root))
    for breach in found:
        print(breach)
    if not found:
        print("check_layers: every include goes down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
