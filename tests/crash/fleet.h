// SPDX-License-Identifier: Apache-2.0
// tests/crash/fleet.h: 200 runs of every kind, their callers, their worker and the other side of
// their webhooks; all of it outlives the server, and remembers what the server told it.
#pragma once
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "json/value.h"
#include "testing/http_exchange.h"
#include "testing/server_process.h"
#include "testing/stub_server.h"

namespace avow {

/// Counts what can be seen of the server from outside: each tick is an instant to kill it at.
class Instants {
 public:
  void tick();
  /// Waits for `count` more ticks; false if there are not so many within 10 s.
  bool wait(std::size_t count);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

/// What one run is and what is known of it.
struct Member {
  std::string workflow;
  std::string acknowledged;  ///< The run's id, once a 202 has said so.
};

class Fleet {
 public:
  /// `delay` is what the other side of the webhooks takes for a call.
  Fleet(std::size_t size, testing::StubServer::Answering answering);

  /// The settings that the server needs to reach the webhooks.
  static std::string config();
  [[nodiscard]] const testing::Deployment& deployment() const { return deployment_; }
  Instants& instants() { return instants_; }
  [[nodiscard]] std::vector<testing::StubCall> calls() const { return stub_.calls(); }

  /// Makes the agent and the workflows.
  void prepare(std::uint16_t port);
  /// Starts what no 202 has been seen for, under a key of its own; returns when all are started or
  /// the server is gone or refuses (503). Several threads may call it.
  void start_runs(std::uint16_t port);
  /// Does the agent's tasks until the server is gone or stop_work().
  void work(std::uint16_t port);
  void stop_work();
  /// Waits until every run has ended.
  void await_ends(std::uint16_t port);
  [[nodiscard]] std::size_t started() const;
  [[nodiscard]] std::size_t running(std::uint16_t port) const;

  /// Holds what the server has now against what it said and did before.
  void check(std::uint16_t port);
  [[nodiscard]] std::size_t in_doubt() const { return in_doubt_; }

 private:
  struct Task {
    std::string id;
    std::string lease;
    std::string run;
    json::Value result;
  };

  json::Value get(std::uint16_t port, const std::string& target) const;
  /// Status 0: the server is gone.
  testing::HttpReply post(std::uint16_t port, const std::string& target, const json::Value& body,
                          const std::string& key = {}) const;
  std::string make_workflow(std::uint16_t port, const std::string& name, const std::string& steps);
  /// False if the server is gone.
  bool finish(std::uint16_t port, const Task& task);
  void check_run(std::uint16_t port, std::size_t index);
  void check_step(const std::string& run, const std::string& step,
                  const std::vector<json::Value>& events);

  const testing::Deployment deployment_{AVOW_PROGRAM};
  Instants instants_;
  testing::StubServer stub_;
  std::string agent_;

  mutable std::mutex mutex_;
  std::vector<Member> members_;
  std::size_t next_ = 0;                         ///< Of members_, to be started.
  std::vector<std::size_t> lost_;                ///< Asked for, and never answered.
  std::vector<Task> unfinished_;                 ///< Whose completion was never answered.
  std::map<std::string, json::Value> finished_;  ///< By run: the result that was acknowledged.
  std::size_t results_ = 0;
  bool is_working_ = true;

  std::map<std::string, std::vector<testing::StubCall>> calls_by_key_;
  std::size_t in_doubt_ = 0;
};

}  // namespace avow
