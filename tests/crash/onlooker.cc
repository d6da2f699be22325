// SPDX-License-Identifier: Apache-2.0
#include "onlooker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/id.h"
#include "cli/command.h"
#include "cli/log_audit.h"
#include "json/parse.h"
#include "json/write.h"
#include "merkle/compact_range.h"
#include "merkle/tile.h"
#include "server/deployment_log.h"

namespace avow {
namespace {

using testing::value_at;

constexpr const char* kPure = R"([
  {"name": "a", "type": "transform", "config": {"output": "${{ input.n }}"}},
  {"name": "b", "type": "transform", "depends_on": ["a"], "config": {"output": {"n": 1}}},
  {"name": "end", "type": "transform", "depends_on": ["b"], "config": {"output": {"n": 2}}}])";
constexpr const char* kResting = R"([
  {"name": "rest", "type": "wait", "config": {"seconds": 1}},
  {"name": "end", "type": "transform", "depends_on": ["rest"], "config": {"output": {"n": 2}}}])";

/// One in so many runs is under way when its start is answered.
constexpr std::size_t kRestingEvery = 8;

}  // namespace

testing::HttpReply Onlooker::get(std::uint16_t port, const std::string& target) const {
  return testing::exchange({.port = port},
                           {"GET", target, {{"X-API-Key", deployment_.api_key}}, {}});
}

std::string Onlooker::make_workflow(std::uint16_t port, const std::string& name,
                                    const std::string& steps) {
  const net::Headers headers = {{"X-API-Key", deployment_.api_key},
                                {"Content-Type", "application/json"}};
  const json::Value body = json::Object{
      {"name", name}, {"output", "${{ steps.end.result }}"}, {"steps", *json::parse(steps)}};
  const auto made =
      testing::exchange({.port = port}, {"POST", "/v1/workflows", headers, json::write(body)});
  const std::string id = made.json().string_or("id");
  const auto published = testing::exchange(
      {.port = port}, {"POST", "/v1/workflows/" + id + "/publish", headers, "{}"});
  EXPECT_EQ(published.status, 200) << made.body << published.body;
  return id;
}

void Onlooker::prepare(std::uint16_t port) {
  pure_ = make_workflow(port, "pure", kPure);
  resting_ = make_workflow(port, "resting", kResting);
  log_key_ = value_at(get(port, "/log/keys").json(), "/log_keys/0").as_string();
  const auto key = merkle::VerifierKey::parse(log_key_);
  ASSERT_TRUE(key.has_value()) << log_key_;
  trust_.log_keys = {*key};
}

testing::HttpReply Onlooker::start(std::uint16_t port, const std::string& workflow,
                                   bool waits) const {
  net::Headers headers = {{"X-API-Key", deployment_.api_key}, {"Content-Type", "application/json"}};
  if (waits) headers.add("Prefer", "wait=30");
  return testing::exchange({.port = port}, {"POST", "/v1/workflows/" + workflow + "/execute",
                                            std::move(headers), R"({"input": {"n": 1}})"});
}

testing::HttpReply Onlooker::execute(std::uint16_t port) const { return start(port, pure_, true); }

testing::HttpReply Onlooker::execute_resting(std::uint16_t port) const {
  return start(port, resting_, false);
}

void Onlooker::use(std::uint16_t port, std::size_t callers, std::size_t runs) {
  std::atomic<std::size_t> asked = 0;
  std::vector<std::jthread> threads;
  threads.reserve(callers);
  for (std::size_t i = 0; i < callers; ++i) {
    threads.emplace_back([&] {
      for (std::size_t n = 0; (n = asked++) < runs;) {
        if (!use_once(port, n % kRestingEvery == kRestingEvery - 1)) return;
      }
    });
  }
}

/// False if the server is gone.
bool Onlooker::use_once(std::uint16_t port, bool rests) {
  const auto reply = rests ? execute_resting(port) : execute(port);
  if (reply.status == 0) return false;
  EXPECT_EQ(reply.status, rests ? 202 : 200) << reply.body;
  const std::string run = reply.json().string_or("orchestration_id");
  remember(run);
  if (see_checkpoint(port) == 0) return false;
  return rests || see_receipt(port, run) != 0;
}

void Onlooker::remember(const std::string& run) {
  const std::lock_guard lock(mutex_);
  runs_.emplace(run, false);
}

int Onlooker::see_checkpoint(std::uint16_t port) {
  const auto reply = get(port, "/log/checkpoint");
  if (reply.status == 200) remember_checkpoint(reply.body);
  return reply.status;
}

void Onlooker::remember_checkpoint(const std::string& note) {
  const auto checkpoint = cli::read_checkpoint(note, trust_);
  ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message << "\n" << note;
  const std::lock_guard lock(mutex_);
  notes_.emplace(checkpoint->size, note);
  const auto [at, is_new] = checkpoints_.emplace(checkpoint->size, *checkpoint);
  EXPECT_EQ(at->second, *checkpoint) << "two trees of " << checkpoint->size << " were signed";
}

int Onlooker::see_receipt(std::uint16_t port, const std::string& run) {
  const auto id = parse_id(run);
  EXPECT_TRUE(id.has_value()) << run;
  if (!id) return 0;
  const auto reply = get(port, "/v1/receipts/rcpt_" + id->ulid());
  if (reply.status == 0) return 0;
  EXPECT_EQ(reply.status, 200) << "a finished run has no receipt: " << reply.body;
  const auto verified = provenance::verify(reply.body, trust_);
  EXPECT_EQ(provenance::verdict_name(verified.verdict), "VALID") << reply.body;
  const auto receipt = provenance::decode_receipt(reply.body);
  if (!receipt || !verified.statement) return reply.status;
  EXPECT_EQ(verified.statement->type, provenance::StatementType::kRunFinished);
  remember_checkpoint(receipt->checkpoint);
  return reply.status;
}

void Onlooker::check_watermark() const {
  std::ifstream file(server::watermark_path(deployment_.folder()));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto watermark = merkle::Checkpoint::parse(text);
  ASSERT_TRUE(watermark.has_value()) << "\"" << text << "\"";
  EXPECT_GE(watermark->size, seen_size()) << "a checkpoint left before the watermark was on disk";
}

void Onlooker::check(std::uint16_t port) {
  const auto ready = get(port, "/health/ready");
  EXPECT_EQ(ready.status, 200) << ready.body;
  check_log(port);
  check_runs(port);
}

/// The leaf hashes of a log of `size`, as the server has them now.
Result<std::vector<merkle::Hash>> Onlooker::read_leaves(std::uint16_t port,
                                                        std::uint64_t size) const {
  std::vector<merkle::Hash> out;
  while (out.size() < size) {
    const std::uint64_t index = out.size() / merkle::kTileWidth;
    const merkle::Tile tile{0, index, merkle::tile_width(0, index, size)};
    const auto reply = get(port, "/log/" + tile.path());
    if (reply.status != 200) {
      return failure(Code::kUnavailable, "{}: {}", tile.path(), reply.status);
    }
    ASSIGN_OR_RETURN(const auto hashes, merkle::parse_tile(reply.body, tile.width));
    out.insert(out.end(), hashes.begin(), hashes.end());
  }
  return out;
}

/// The oracle is the definition: the first n leaves have the root that was signed at n.
void Onlooker::check_log(std::uint16_t port) {
  ASSERT_EQ(see_checkpoint(port), 200);
  // Receipts may have newer ones than the checkpoint, which moves every 100 ms. Of a log that is
  // shorter there are no such tiles.
  const std::uint64_t size = seen_size();
  const auto leaves = read_leaves(port, size);
  ASSERT_TRUE(leaves.has_value()) << leaves.error().message;
  const std::lock_guard lock(mutex_);
  merkle::CompactRange tree;
  for (const merkle::Hash& leaf : *leaves) {
    tree.append(leaf);
    const auto served = checkpoints_.find(tree.size());
    if (served == checkpoints_.end()) continue;
    EXPECT_EQ(tree.root(), served->second.root)
        << "the log of " << size << " does not continue what was served at " << tree.size();
  }
}

void Onlooker::check_runs(std::uint16_t port) {
  // Those whose answer was lost are there or not; if they are, they count as well.
  const json::Value listed = get(port, "/v1/orchestrations?limit=200").json();
  for (const json::Value& item : value_at(listed, "/items").as_array()) {
    remember(item.string_or("orchestration_id"));
  }
  std::vector<std::string> unproved;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [run, is_proved] : runs_) {
      if (!is_proved) unproved.push_back(run);
    }
  }
  for (const std::string& run : unproved) {
    const auto reply = get(port, "/v1/orchestrations/" + run);
    ASSERT_EQ(reply.status, 200) << "a run that was there is not: " << run << reply.body;
    const std::string status = reply.json().string_or("status");
    if (status == "running") continue;
    EXPECT_EQ(status, "completed") << reply.body;
    ASSERT_EQ(see_receipt(port, run), 200);
    const std::lock_guard lock(mutex_);
    runs_[run] = true;
  }
}

void Onlooker::audit(std::uint16_t port) {
  std::vector<std::string> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [run, is_proved] : runs_) all.push_back(run);
  }
  for (const std::string& run : all) {
    const auto reply = get(port, "/v1/orchestrations/" + run + "?wait=30");
    EXPECT_EQ(reply.json().string_or("status"), "completed") << reply.body;
  }
  check(port);
  const std::filesystem::path old = deployment_.beside() / "old-checkpoint";
  std::ofstream(old) << notes_.begin()->second;
  const std::string url = fmt::format("http://127.0.0.1:{}", port);
  expect_command({"log", "audit", url, "--key", log_key_, "--old", old.string()});
  expect_command(
      {"audit", "tenant", "--url", url, "--key", deployment_.api_key, "--log-key", log_key_});
}

void Onlooker::expect_command(const std::vector<std::string>& arguments) const {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  cli::Terminal terminal{in, out, err};
  const std::string name = arguments[0] + " " + arguments[1];
  EXPECT_EQ(cli::run(arguments, terminal), 0) << name << "\n" << out.str() << err.str();
}

std::size_t Onlooker::run_count() const {
  const std::lock_guard lock(mutex_);
  return runs_.size();
}

std::size_t Onlooker::checkpoint_count() const {
  const std::lock_guard lock(mutex_);
  return checkpoints_.size();
}

std::uint64_t Onlooker::seen_size() const {
  const std::lock_guard lock(mutex_);
  return checkpoints_.empty() ? 0 : checkpoints_.rbegin()->first;
}

}  // namespace avow
