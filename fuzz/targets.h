// SPDX-License-Identifier: Apache-2.0
// fuzz/targets.h: what hostile text is fed to, one function a parser. Each takes any bytes, returns
// whatever they are, and aborts (CHECK) where a promise of the parser is broken. They are the
// bodies of the libFuzzer programs and of the corpus test alike. Any thread.
#pragma once
#include <string_view>

namespace avow::fuzz {

/// json::parse, and what it accepts written (compact, pretty, canonical) and read again.
void fuzz_json(std::string_view bytes);
/// cel::Expression: parse, references, check, and evaluation over a small world with small fuel.
void fuzz_cel(std::string_view bytes);
/// workflow::normalise of a JSON body, and of what it accepts: normalised again, and its plan
/// compiled from the plan's own text. The bytes are given to Plan::compile directly as well.
void fuzz_definition(std::string_view bytes);

}  // namespace avow::fuzz
