// SPDX-License-Identifier: Apache-2.0
// connectors/echo.h: `avow/echo`, a double of a model for trials and tests (docs/models.md).
// No intelligence and no network: the same call gives the same answer. Pure; any thread.
#pragma once
#include "connectors/model_answer.h"

namespace avow::connectors {

/// Answers `call` (the kModel form of engine/effect_runner.h), by the first rule that fits:
/// 1. tool results stand behind the last user message: their texts, a line each;
/// 2. the last user message is {"call_tools": [{"name", "arguments"?}...]}: these tool calls;
/// 3. the last user message.
/// With a response_schema "json" is that text where it is JSON, else the smallest value that
/// sample_of() makes. Usage counts words.
ModelAnswer echo_answer(const json::Value& call);

/// A value made from `schema` by itself: const, default, the first of enum or examples, or of
/// anyOf/oneOf/allOf; else by type: objects with their required members, arrays with minItems
/// elements, strings of minLength "x", the minimum or 0, false, null. It honours no other keyword,
/// so it can be invalid; at most 8 levels deep.
json::Value sample_of(const json::Value& schema);

}  // namespace avow::connectors
