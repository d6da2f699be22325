// SPDX-License-Identifier: Apache-2.0
#include "cli/follow.h"

#include <ostream>

#include "cli/table.h"
#include "json/parse.h"

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

/// A model's text without what would steer a terminal.
std::string printable(std::string text) {
  std::erase_if(
      text, [](char c) { return (c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == '\x7F'; });
  return text;
}

/// Tells what comes live, and remembers how far it came.
class Onlooker {
 public:
  explicit Onlooker(Session& session) : session_(session) {}

  void take(const std::string& data) {
    const auto message = json::parse(data);
    if (!message) return;
    const std::int64_t seq = message->int_or("seq", 0);
    if (seq > 0) {
      seq_ = seq;
      type_ = cell(*message, "type");
    }
    std::ostream& out = session_.terminal().out;
    if (session_.is_json()) {
      out << data << '\n' << std::flush;
    } else if (seq > 0) {
      out << (is_speaking_ ? "\n" : "") << told(session_.terminal(), *message) << std::flush;
      is_speaking_ = false;
    } else {
      out << printable(message->string_or("text")) << std::flush;
      is_speaking_ = true;
    }
  }

  [[nodiscard]] std::string last_id() const { return seq_ == 0 ? "" : std::to_string(seq_); }
  [[nodiscard]] bool has_seen_the_end() const {
    return type_ == "run.completed" || type_ == "run.failed" || type_ == "run.cancelled";
  }
  [[nodiscard]] bool has_completed() const { return type_ == "run.completed"; }

 private:
  Session& session_;
  std::int64_t seq_ = 0;
  std::string type_;  ///< Of the last event.
  bool is_speaking_ = false;
};

}  // namespace

int watch_run(Session& session, const std::string& run_id) {
  const std::string path = path_to("orchestrations", run_id) + "/events";
  Onlooker onlooker(session);
  const auto take = [&onlooker](const std::string& data) { onlooker.take(data); };
  while (!onlooker.has_seen_the_end()) {
    const std::string before = onlooker.last_id();
    const auto has_ended = session.listen(path, before, take);
    if (!has_ended) return session.exit_code();
    if (*has_ended && onlooker.last_id() == before && !onlooker.has_seen_the_end())
      return session.fail(kUnreachable, "the server ends the stream before the run has ended");
  }
  return onlooker.has_completed() ? kOk : kRefused;
}

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
