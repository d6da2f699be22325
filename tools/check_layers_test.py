#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_layers.py over small trees, good and bad. What is expected is written out, pair by pair, and not
taken from its tables, so that a slip in them shows."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the source tree stays as it is
sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_layers  # noqa: E402


class CheckLayers(unittest.TestCase):
    def breaches(self, **files):
        """What is found in a tree of these files; `__` in a name stands for `/`, `_h` and `_cc` end it."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "src").mkdir()
            for name, text in files.items():
                stem, suffix = name.replace("__", "/").rsplit("_", 1)
                path = root / "src" / f"{stem}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return list(check_layers.breaches(root))

    def test_an_include_that_goes_down_is_fine(self):
        text = '#include "base/id.h"\n#include "engine/state.h"\n#include <vector>\n'
        self.assertEqual(self.breaches(engine__lane_cc=text), [])

    def test_an_include_that_goes_up_is_named_with_its_line(self):
        found = self.breaches(merkle__hash_h='#pragma once\n#include "engine/state.h"\n')
        self.assertEqual(found, ["src/merkle/hash.h:2: merkle must not include engine"])

    def test_an_include_that_goes_sideways_is_refused(self):
        for one, other in [("json", "net"), ("store", "cel"), ("auth", "workflow"), ("guard", "provenance")]:
            found = self.breaches(**{f"{one}__a_cc": f'#include "{other}/b.h"\n'})
            self.assertEqual(found, [f"src/{one}/a.cc:1: {one} must not include {other}"])

    def test_only_tests_include_testing(self):
        text = '#include "testing/conformance.h"\n'
        self.assertEqual(self.breaches(json__parse_test_cc=text), [])
        self.assertEqual(len(self.breaches(json__parse_cc=text)), 1)

    def test_a_library_stays_behind_its_wall(self):
        for header, owner in [
            ("boost/asio/ip/tcp.hpp", "net"),
            ("boost/json/basic_parser.hpp", "json"),
            ("curl/curl.h", "net"),
            ("openssl/ssl.h", "net"),
            ("openssl/evp.h", "crypto"),
            ("sqlite3.h", "store"),
            ("rhonabwy.h", "auth"),
        ]:
            text = f"#include <{header}>\n"
            self.assertEqual(self.breaches(**{f"{owner}__a_cc": text}), [], header)
            self.assertEqual(len(self.breaches(api__a_cc=text)), 1, header)
            self.assertEqual(len(self.breaches(base__a_h=text)), 1, header)

    def test_coroutines_stay_in_net(self):
        text = "task f() { co_await g(); }\n"
        self.assertEqual(self.breaches(net__session_cc=text), [])
        self.assertEqual(self.breaches(engine__lane_cc=text), ["src/engine/lane.cc:1: coroutines belong to net"])
        self.assertEqual(self.breaches(engine__lane_cc="// as if by co_await\n"), [])

    def test_a_folder_without_a_rank_is_refused(self):
        self.assertEqual(len(self.breaches(utils__misc_cc="int x;\n")), 1)


if __name__ == "__main__":
    unittest.main()
