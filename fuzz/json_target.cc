// SPDX-License-Identifier: Apache-2.0
#include "fuzz/targets.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::fuzz {

void fuzz_json(std::string_view bytes) {
  const auto value = json::parse(bytes);
  if (!value) return;
  const std::string canonical = json::write_canonical(*value);
  for (const std::string& text : {json::write(*value), json::write_pretty(*value), canonical}) {
    // Numbers may grow (1e5 is written 100000), so the text may be longer than what was read.
    const auto again = json::parse(text, {.bytes_max = text.size()});
    CHECK(again);
    CHECK(*again == *value);
    CHECK(json::write_canonical(*again) == canonical);
  }
}

}  // namespace avow::fuzz
