// SPDX-License-Identifier: Apache-2.0
// engine/run_statement.h: what the log is asked to witness of a run, and when (DESIGN.md section 4;
// the members: docs/formats/statement.md). Pure; safe from any thread.
#pragma once
#include <optional>
#include <string_view>

#include "engine/machine.h"
#include "json/value.h"
#include "provenance/statement.h"
#include "store/store.h"

namespace avow::engine {

/// The newest statement of a run. Kept in the summary of the run's row, so that a restart neither
/// forgets nor repeats it.
struct Stated {
  std::uint32_t seq = 0;  ///< The last event that it covers; 0: there is no statement yet.
  Time at{};              ///< When it was made.

  /// Of a row's summary; a summary that says nothing of it has none.
  static Stated in(std::string_view summary);
  [[nodiscard]] json::Value to_json() const;
};

/// From when on a run that stands like this must not be without a newer statement; none: the newest
/// covers every event; Time::min(): at once. A commit that ends a run, or with which it leaves
/// memory, states it at once. Of a time that is still to come (the clock was set back over a
/// restart) nothing can be said but that its age is unknown: at once.
std::optional<Time> statement_due(const RunState& state, Time created_at, const Stated& newest,
                                  Time now);

/// The statement that covers every event of `machine`: run.finished when it has ended, else
/// run.open as its first, run.progress as a later one.
provenance::Statement run_statement(const Machine& machine, const store::RunRow& row,
                                    const Stated& newest, const Bytes32& nonce);

}  // namespace avow::engine
