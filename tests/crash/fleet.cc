// SPDX-License-Identifier: Apache-2.0
#include "fleet.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/id.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow {
namespace {

using testing::value_at;

/// The members of every workflow are known to the checks by these names only: a step whose name
/// begins with "hook" calls out once, one named "task" is the agent's.
constexpr const char* kPure = R"([
  {"name": "a", "type": "transform", "config": {"output": "${{ input.n }}"}},
  {"name": "b", "type": "transform", "depends_on": ["a"],
   "config": {"output": "${{ steps.a.result + 1 }}"}},
  {"name": "end", "type": "transform", "depends_on": ["b"],
   "config": {"output": {"n": "${{ steps.b.result - 1 }}"}}}])";
constexpr const char* kHooks = R"([
  {"name": "a", "type": "transform", "config": {"output": "${{ input.n }}"}},
  {"name": "hook_1", "type": "webhook", "depends_on": ["a"],
   "config": {"url": "URL", "body": {"n": "${{ steps.a.result }}"}}},
  {"name": "hook_2", "type": "webhook", "depends_on": ["hook_1"],
   "config": {"url": "URL", "body": {"n": "${{ steps.hook_1.result.body.n }}"}}},
  {"name": "end", "type": "transform", "depends_on": ["hook_2"],
   "config": {"output": {"n": "${{ steps.hook_2.result.body.n }}"}}}])";
constexpr const char* kFan = R"([
  {"name": "hook_1", "type": "webhook", "config": {"url": "URL", "body": {"n": "${{ input.n }}"}}},
  {"name": "hook_2", "type": "webhook", "config": {"url": "URL", "body": {"n": 1}}},
  {"name": "hook_3", "type": "webhook", "config": {"url": "URL", "body": {"n": 2}}},
  {"name": "end", "type": "transform", "depends_on": ["hook_1", "hook_2", "hook_3"],
   "config": {"output": {"n": "${{ steps.hook_1.result.body.n }}"}}}])";
constexpr const char* kRest = R"([
  {"name": "rest", "type": "wait", "config": {"seconds": 2}},
  {"name": "hook_1", "type": "webhook", "depends_on": ["rest"],
   "config": {"url": "URL", "body": {"n": "${{ input.n }}"}}},
  {"name": "end", "type": "transform", "depends_on": ["hook_1"],
   "config": {"output": {"n": "${{ steps.hook_1.result.body.n }}"}}}])";
/// A claim whose answer was lost holds the task until its time is over: hence the short one.
constexpr const char* kTask = R"([
  {"name": "task", "type": "agent", "timeout_seconds": 5,
   "retry": {"max_attempts": 50, "initial_delay_ms": 1, "max_delay_ms": 1, "retry_on": ["timeout"]},
   "config": {"action": "work", "parameters": {"n": "${{ input.n }}"}}},
  {"name": "hook_1", "type": "webhook", "depends_on": ["task"],
   "config": {"url": "URL", "body": {"n": "${{ steps.task.result.n }}"}}},
  {"name": "end", "type": "transform", "depends_on": ["hook_1"],
   "config": {"output": {"n": "${{ steps.hook_1.result.body.n }}"}}}])";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t i = text.find(what); i != std::string::npos; i = text.find(what, i)) {
    text.replace(i, what.size(), with);
  }
  return text;
}

std::string ulid_of(const std::string& run) {
  const auto id = parse_id(run);
  CHECK(id.has_value());
  return id->ulid();
}

}  // namespace

void Instants::tick() {
  const std::lock_guard lock(mutex_);
  ++count_;
  changed_.notify_all();
}

bool Instants::wait(std::size_t count) {
  std::unique_lock lock(mutex_);
  const std::size_t target = count_ + count;
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return count_ >= target; });
}

Fleet::Fleet(std::size_t size, testing::StubServer::Answering answering)
    : stub_([this, answering = std::move(answering)](const testing::StubCall& call) {
        instants_.tick();
        return answering(call);
      }),
      members_(size) {}

std::string Fleet::config() {
  return "outbound: {allow: [127.0.0.0/8]}\nlog_level: warning\n"
         "limits: {header_timeout_seconds: 60}\n";
}

json::Value Fleet::get(std::uint16_t port, const std::string& target) const {
  const auto reply =
      testing::exchange({.port = port}, {"GET", target, {{"X-API-Key", deployment_.api_key}}, {}});
  EXPECT_EQ(reply.status, 200) << target << " " << reply.body;
  return reply.json();
}

testing::HttpReply Fleet::post(std::uint16_t port, const std::string& target,
                               const json::Value& body, const std::string& key) const {
  net::Headers headers = {{"X-API-Key", deployment_.api_key}, {"Content-Type", "application/json"}};
  if (!key.empty()) headers.add("Idempotency-Key", key);
  return testing::exchange({.port = port}, {"POST", target, std::move(headers), json::write(body)});
}

std::string Fleet::make_workflow(std::uint16_t port, const std::string& name,
                                 const std::string& steps) {
  const auto parsed = json::parse(replaced(steps, "URL", stub_.url("/hook")));
  CHECK(parsed.has_value());
  const auto made = post(port, "/v1/workflows",
                         json::Object{{"name", name},
                                      {"agent_id", agent_},
                                      {"output", "${{ steps.end.result }}"},
                                      {"steps", *parsed}});
  const std::string id = made.json().string_or("id");
  const auto published = post(port, "/v1/workflows/" + id + "/publish", json::Object());
  EXPECT_EQ(published.status, 200) << made.body << published.body;
  return id;
}

void Fleet::prepare(std::uint16_t port) {
  agent_ = post(port, "/v1/agents", json::Object()).json().string_or("id");
  std::vector<std::string> workflows;
  for (const char* const steps : {kPure, kHooks, kFan, kRest, kTask}) {
    workflows.push_back(make_workflow(port, fmt::format("kind {}", workflows.size()), steps));
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i].workflow = workflows[i % workflows.size()];
  }
}

void Fleet::start_runs(std::uint16_t port) {
  while (true) {
    std::size_t index = 0;
    std::string workflow;
    {
      const std::lock_guard lock(mutex_);
      if (!lost_.empty()) {
        index = lost_.back();
        lost_.pop_back();
      } else if (next_ < members_.size()) {
        index = next_++;
      } else {
        return;
      }
      workflow = members_[index].workflow;
    }
    const json::Value body =
        json::Object{{"input", json::Object{{"n", static_cast<std::int64_t>(index)}}}};
    const auto reply =
        post(port, "/v1/workflows/" + workflow + "/execute", body, fmt::format("run-{}", index));
    const std::lock_guard lock(mutex_);
    if (reply.status != 202) {
      EXPECT_TRUE(reply.status == 0 || reply.status == 503) << reply.body;
      lost_.push_back(index);
      return;
    }
    members_[index].acknowledged = reply.json().string_or("orchestration_id");
    instants_.tick();
  }
}

std::size_t Fleet::started() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(members_.begin(), members_.end(),
                    [](const Member& member) { return !member.acknowledged.empty(); }));
}

std::size_t Fleet::running(std::uint16_t port) const {
  return value_at(get(port, "/v1/orchestrations?limit=200&status=running"), "/items")
      .as_array()
      .size();
}

bool Fleet::finish(std::uint16_t port, const Task& task) {
  const auto reply = post(port, "/v1/tasks/" + task.id + "/complete",
                          json::Object{{"lease_token", task.lease}, {"result", task.result}});
  const std::lock_guard lock(mutex_);
  if (reply.status == 0 || reply.status == 503) {
    unfinished_.push_back(task);
    return false;
  }
  // 409: it was done already, the answer was lost; or another attempt has begun.
  EXPECT_TRUE(reply.status == 200 || reply.status == 409) << reply.body;
  if (reply.status == 200) {
    const bool is_first = finished_.emplace(task.run, task.result).second;
    EXPECT_TRUE(is_first) << "two completions of " << task.run << " were acknowledged";
  }
  instants_.tick();
  return true;
}

void Fleet::work(std::uint16_t port) {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(unfinished_);
  }
  while (true) {
    bool is_up = true;
    for (const Task& task : tasks) {
      if (!finish(port, task)) is_up = false;
    }
    tasks.clear();
    {
      const std::lock_guard lock(mutex_);
      if (!is_up || !is_working_) return;
    }
    const auto reply =
        post(port, "/v1/agents/" + agent_ + "/tasks/poll", json::Object{{"wait", 1}, {"max", 2}});
    if (reply.status != 200) return;
    const json::Value given = value_at(reply.json(), "/tasks");
    for (const json::Value& task : given.as_array()) {
      instants_.tick();
      const std::lock_guard lock(mutex_);
      EXPECT_FALSE(finished_.contains(task.string_or("run_id")))
          << "a task was given out again after its completion was acknowledged";
      const json::Value n = value_at(task, "/parameters/n");
      tasks.push_back({task.string_or("task_id"), task.string_or("lease_token"),
                       task.string_or("run_id"),
                       json::Object{{"n", n}, {"result", static_cast<std::int64_t>(++results_)}}});
    }
  }
}

void Fleet::stop_work() {
  const std::lock_guard lock(mutex_);
  is_working_ = false;
}

void Fleet::await_ends(std::uint16_t port) {
  for (const Member& member : members_) {
    const json::Value run = get(port, "/v1/orchestrations/" + member.acknowledged + "?wait=30");
    ASSERT_EQ(run.string_or("status"), "completed") << json::write(run);
  }
}

void Fleet::check(std::uint16_t port) {
  for (const testing::StubCall& call : stub_.calls()) calls_by_key_[call.key].push_back(call);
  std::set<std::string> listed;
  std::string target = "/v1/orchestrations?limit=200";
  for (bool has_more = true; has_more;) {
    const json::Value page = get(port, target);
    for (const json::Value& item : value_at(page, "/items").as_array()) {
      EXPECT_TRUE(listed.insert(item.string_or("orchestration_id")).second);
    }
    has_more = value_at(page, "/next_cursor").is_string();
    target = "/v1/orchestrations?limit=200&cursor=" + page.string_or("next_cursor");
  }
  // A start whose answer was lost was sent again under its key: there is one run for each.
  EXPECT_EQ(listed.size(), members_.size());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    EXPECT_TRUE(listed.contains(members_[i].acknowledged)) << "run " << i << " is missing";
    check_run(port, i);
  }
}

void Fleet::check_run(std::uint16_t port, std::size_t index) {
  const std::string& id = members_[index].acknowledged;
  SCOPED_TRACE(fmt::format("run {}, {}", index, id));
  const json::Value run = get(port, "/v1/orchestrations/" + id);
  ASSERT_EQ(run.string_or("status"), "completed") << json::write(run);
  EXPECT_EQ(value_at(run, "/output/n"), json::Value(static_cast<std::int64_t>(index)));
  if (const auto told = finished_.find(run.string_or("run_id")); told != finished_.end()) {
    EXPECT_EQ(value_at(run, "/results/task"), told->second)
        << "not the result that was acknowledged";
  }
  const json::Value journal =
      value_at(get(port, "/v1/orchestrations/" + id + "/events?limit=200"), "/items");
  std::map<std::string, std::vector<json::Value>> by_step;
  std::int64_t seq = 0;
  for (const json::Value& event : journal.as_array()) {
    EXPECT_EQ(event.int_or("seq", 0), ++seq);
    if (event.find("step") != nullptr) by_step[event.string_or("step")].push_back(event);
  }
  EXPECT_EQ(journal.as_array().front().string_or("type"), "run.started");
  EXPECT_EQ(journal.as_array().back().string_or("type"), "run.completed");
  EXPECT_EQ(by_step.size(), value_at(run, "/steps").as_array().size());
  for (const auto& [step, events] : by_step) check_step(ulid_of(id), step, events);
}

void Fleet::check_step(const std::string& run, const std::string& step,
                       const std::vector<json::Value>& events) {
  SCOPED_TRACE(step);
  std::size_t completed = 0;
  std::size_t doubts = 0;
  for (const json::Value& event : events) {
    completed += event.string_or("type") == "step.completed" ? 1 : 0;
    doubts += event.string_or("type") == "effect.in_doubt" ? 1 : 0;
  }
  EXPECT_EQ(completed, 1U);
  EXPECT_EQ(events.back().string_or("type"), "step.completed") << "something came after the end";
  in_doubt_ += doubts;
  const auto calls = calls_by_key_.find(run + "/" + step);
  if (!step.starts_with("hook")) {
    EXPECT_EQ(calls, calls_by_key_.end());
    return;
  }
  ASSERT_NE(calls, calls_by_key_.end()) << "completed without a call";
  EXPECT_LE(calls->second.size(), 1 + doubts) << "called more often than the journal admits";
  const auto end = parse_time(events.back().string_or("time"));
  ASSERT_TRUE(end.has_value());
  for (const testing::StubCall& call : calls->second) {
    EXPECT_EQ(call.body, calls->second.front().body) << "another request under the same key";
    // The two clocks are the same but for the server's slewing after a step of the wall time.
    EXPECT_LE(call.at, *end + std::chrono::milliseconds(20)) << "called after its completion";
  }
}

}  // namespace avow
