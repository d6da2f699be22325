// SPDX-License-Identifier: Apache-2.0
// provenance/event.h: one record of a run's journal (DESIGN.md section 4, docs/formats/event.md).
// An event is one RFC 8785 object whose bytes are kept exactly; in clear stand only values from
// closed lists, digests, counts, times, costs, names of models, tools and steps, error codes and
// opaque ids. Pure; safe from any thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/id.h"
#include "json/value.h"

namespace avow::provenance {

inline constexpr std::int64_t kEventVersion = 1;

struct Event {
  RunId run;
  std::uint32_t seq = 0;  ///< From 1, no gaps; 20 bits.
  Time time;
  std::string type;           ///< "run.started", "step.completed", ...
  std::string step;           ///< Empty: the whole run's.
  std::uint32_t attempt = 0;  ///< From 1; 0: absent.
  std::optional<AgentId> agent;
  std::string actor;  ///< Who asked for it, an opaque principal; empty: the engine.
  json::Value data = json::Object();
};

/// The canonical bytes. CHECKs that seq, type and data are as an event has them.
///
/// {"actor"?,"agent"?,"attempt"?,"data","run","seq","step"?,"time","type","v"}.
std::string encode(const Event& event);

/// Takes only the bytes that encode() would give. `bytes` are untrusted.
/// Errors: kCorruption   not an event, or not in its canonical spelling
///         kUnavailable  a newer version: this program must not guess
Result<Event> decode(std::string_view bytes);

/// Packs events (their exact bytes) into the bytes of a journal segment
/// (docs/formats/journal-segment.md), and back.
std::string encode_journal(std::span<const std::string> events);
/// Errors: kCorruption
Result<std::vector<std::string>> decode_journal(std::string_view segment);

}  // namespace avow::provenance
