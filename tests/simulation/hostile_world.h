// SPDX-License-Identifier: Apache-2.0
// The outside of a simulation: peers and a disk that do by chance what peers and disks do, until
// they are calm.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "testing/engine_world.h"

namespace avow::engine {

class HostileWorld {
 public:
  explicit HostileWorld(std::uint64_t seed) : chance_(seed) {}

  /// A peer fails, is slow, answers twice; or it acts and its answer is lost. One that acted before
  /// under the same key may know it and say the same again.
  testing::ScriptedRunner::Answer answer(const Call& call) {
    const Duration delay(is_calm ? 5 : static_cast<std::int64_t>(1 + chance_.below(20'000)));
    if (!is_calm && one_in(4)) {
      static const std::pair<const char*, const char*> kErrors[] = {
          {"HTTP_503", "5xx"},
          {"HTTP_400", ""},
          {"TRANSPORT_ERROR", "transport"},
          {"HTTP_429", "429"}};
      const auto& [code, retry_class] = kErrors[chance_.below(4)];
      return testing::fail(code, retry_class, delay);
    }
    std::vector<json::Value>& given = given_[call.id.run][call.id.key()];
    if (given.empty() || one_in(2)) given.push_back(fresh_answer(call));
    if (!is_calm && one_in(8)) return testing::fail("TRANSPORT_ERROR", "transport", delay);
    auto answer = testing::succeed(given.back(), delay);
    if (call.kind == CallKind::kModel) std::get<CallResult>(answer.outcome).usage = {10, 20};
    answer.is_told_twice = !is_calm && one_in(8);
    return answer;
  }

  testing::CommitFault commit() {
    using testing::CommitFault;
    if (is_calm || chance_.below(12) > 0) return CommitFault::kNone;
    static constexpr CommitFault kFaults[] = {CommitFault::kRefused, CommitFault::kFull,
                                              CommitFault::kLost, CommitFault::kLostButDone};
    return kFaults[chance_.below(4)];
  }

  /// At most twice a process: then an engine that starts still waits for every run.
  bool refuses_read() {
    if (is_calm || reads_refused_ == 2 || !one_in(5)) return false;
    ++reads_refused_;
    return true;
  }
  void begin_process() { reads_refused_ = 0; }

  /// What was answered with success to the calls of `run`, by effect key, whether or not it
  /// arrived.
  [[nodiscard]] const std::map<std::string, std::vector<json::Value>>& given(RunId run) {
    return given_[run];
  }

  bool is_calm = false;

 private:
  bool one_in(std::uint64_t n) { return chance_.below(n) == 0; }

  /// No two are alike.
  json::Value fresh_answer(const Call& call) {
    const std::int64_t number = ++answers_;
    if (call.kind != CallKind::kModel)
      return json::Object{{"status", 200}, {"body", call.id.key()}, {"number", number}};
    json::Value value =
        json::Object{{"text", fmt::format("words {}", number)}, {"finish_reason", "stop"}};
    if (one_in(3)) value.set("tool_calls", asked_tools());
    if (one_in(2)) {
      value.set("json", json::Object{{"decision", one_in(2) ? "high" : "odd"}, {"reason", "so"}});
    }
    return value;
  }

  json::Array asked_tools() {
    json::Array asked;
    const std::uint64_t count = 1 + chance_.below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
      asked.emplace_back(json::Object{{"id", std::to_string(i)},
                                      {"name", one_in(4) ? "nothing" : "look"},
                                      {"arguments", json::Object()}});
    }
    return asked;
  }

  SeededRng chance_;
  std::int64_t answers_ = 0;
  int reads_refused_ = 0;
  std::map<RunId, std::map<std::string, std::vector<json::Value>>> given_;
};

}  // namespace avow::engine
