// SPDX-License-Identifier: Apache-2.0
#include "cli/follow.h"

#include <ostream>

#include "cli/table.h"

namespace avow::cli {
namespace {

/// What one event says to somebody who watches; "" for what is of no interest.
std::string told(const Terminal& terminal, const json::Value& event) {
  const std::string type = cell(event, "type");
  const std::string step = cell(event, "step");
  const std::size_t dot = type.find('.');
  const std::string what = dot == std::string::npos ? type : type.substr(dot + 1);
  const std::string time = cell(event, "time");
  const std::string clock = time.size() > 11 ? time.substr(11, 12) : time;
  const bool is_step = type.starts_with("step.");
  return fmt::format("{}  {:<24}  {}\n", clock, step.empty() ? "run" : step,
                     is_step || step.empty() ? coloured(terminal, what) : type);
}

/// Prints the events after `seq`, and moves it on. False if the server did not answer.
bool print_events(Session& session, const std::string& path, std::int64_t& seq) {
  for (;;) {
    const auto page = session.call("GET", fmt::format("{}/events?limit=200&cursor={}", path, seq));
    if (!page) return false;
    const json::Value* items = page->body.find("items");
    if (items == nullptr || !items->is_array()) return true;
    for (const json::Value& event : items->as_array()) {
      seq = std::max(seq, event.int_or("seq", seq));
      session.terminal().out << told(session.terminal(), event);
    }
    session.terminal().out << std::flush;
    const json::Value* next = page->body.find("next_cursor");
    if (next == nullptr || next->is_null() || items->as_array().empty()) return true;
  }
}

}  // namespace

int follow_run(Session& session, const std::string& run_id) {
  const std::string path = path_to("orchestrations", run_id);
  std::int64_t seq = 0;
  for (;;) {
    // State first, events then: those that led to the state are among them.
    const auto run = session.call("GET", path + "?wait=1");
    if (!run) return session.exit_code();
    if (!session.is_json() && !print_events(session, path, seq)) return session.exit_code();
    const std::string status = run->body.string_or("status");
    if (status == "running" || status == "pending") continue;
    if (!session.print_json(*run)) {
      session.terminal().out << '\n';
      print_run(session.terminal(), run->body);
    }
    return status == "completed" ? kOk : kRefused;
  }
}

}  // namespace avow::cli
