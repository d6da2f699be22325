// SPDX-License-Identifier: Apache-2.0
// A disk that is full, and one that cannot sync: what is refused, what goes on, what ends the
// server, and that nothing was served which the log does not hold.
#ifdef AVOW_FAULT_INJECTION
#include <gtest/gtest.h>

#include <csignal>

#include "faults.h"
#include "onlooker.h"

namespace avow {
namespace {

using testing::value_at;

/// A server that obeys orders, and one who looks at it.
class LogOnABadDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    start();
    onlooker_.prepare(port());
    onlooker_.use(port(), 4, 8);
  }

  void start() {
    auto server = testing::ServerProcess::start(deployment_, "log_level: warning\n");
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }

  /// The id of a run that is finished.
  std::string finish_run() {
    const auto reply = onlooker_.execute(port());
    EXPECT_EQ(reply.status, 200) << reply.body;
    std::string run = reply.json().string_or("orchestration_id");
    onlooker_.remember(run);
    return run;
  }
  void expect_refused(const testing::HttpReply& reply) {
    EXPECT_EQ(reply.status, 503) << reply.body;
    EXPECT_EQ(reply.json().string_or("code"), "UNAVAILABLE");
    EXPECT_NE(reply.headers.find("Retry-After"), nullptr);
  }
  /// Asking makes the store try; false if it does not succeed soon.
  bool becomes_ready() {
    for (int i = 0; i < 1000; ++i) {
      if (onlooker_.get(port(), "/health/ready").status == 200) return true;
    }
    return false;
  }

  testing::Deployment deployment_{AVOW_PROGRAM};
  Onlooker onlooker_{deployment_};
  Faults faults_{deployment_};
  std::unique_ptr<testing::ServerProcess> server_;
};

TEST_F(LogOnABadDisk, RefusesWritesWhileItIsFullAndGoesOnByItself) {
  const std::string proved = finish_run();
  ASSERT_EQ(onlooker_.see_receipt(port(), proved), 200);
  const std::string finished = finish_run();  // nobody has seen a checkpoint that covers it
  const auto resting = onlooker_.execute_resting(port());
  ASSERT_EQ(resting.status, 202) << resting.body;
  const std::string under_way = resting.json().string_or("orchestration_id");
  onlooker_.remember(under_way);
  const std::size_t runs = onlooker_.run_count();

  faults_.fill_disk();
  expect_refused(onlooker_.execute(port()));
  expect_refused(onlooker_.execute_resting(port()));
  const auto ready = onlooker_.get(port(), "/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(value_at(ready.json(), "/details/part"), json::Value("store")) << ready.body;

  const std::string run = "/v1/orchestrations/" + finished;
  for (const std::string& target :
       {run, run + "/events", std::string("/v1/orchestrations"), std::string("/v1/audit?type=all"),
        std::string("/log/keys"), std::string("/log/tile/0/000.p/1"),
        std::string("/log/tile/entries/000.p/1"), std::string("/health/live")}) {
    const auto reply = onlooker_.get(port(), target);
    EXPECT_EQ(reply.status, 200) << target << " " << reply.body;
  }
  EXPECT_EQ(onlooker_.see_receipt(port(), proved), 200);
  // The watermark cannot be raised, so what it does not cover stays inside.
  const auto unproved = onlooker_.get(port(), "/v1/receipts/" + finished);
  EXPECT_EQ(unproved.status, 409) << unproved.body;
  EXPECT_NE(unproved.headers.find("Retry-After"), nullptr);
  EXPECT_EQ(unproved.body.find(deployment_.folder()), std::string::npos) << unproved.body;
  EXPECT_EQ(onlooker_.see_checkpoint(port()), 200) << "what left before may be seen again";
  onlooker_.check_watermark();
  // Its second passes, and its end cannot be written.
  const auto waited = onlooker_.get(port(), "/v1/orchestrations/" + under_way + "?wait=2");
  EXPECT_EQ(waited.json().string_or("status"), "running") << waited.body;

  faults_.lift();
  EXPECT_TRUE(becomes_ready());
  const auto ended = onlooker_.get(port(), "/v1/orchestrations/" + under_way + "?wait=20");
  EXPECT_EQ(ended.json().string_or("status"), "completed") << ended.body;
  EXPECT_EQ(onlooker_.see_receipt(port(), finished), 200);
  onlooker_.check(port());
  EXPECT_EQ(onlooker_.run_count(), runs) << "a start that was refused has happened";
  onlooker_.use(port(), 4, 8);
  onlooker_.audit(port());
  EXPECT_EQ(server_->terminate(), 0) << server_->log_end();
}

TEST_F(LogOnABadDisk, LosesNothingWhereverInATransactionItIsFull) {
  for (std::uint64_t room = 0; room < 40; ++room) {
    SCOPED_TRACE(fmt::format("room for {} writes", room));
    faults_.fill_disk(room);
    // Each run writes, so that some are refused at last.
    testing::HttpReply reply;
    for (std::uint64_t i = 0; i <= room && reply.status != 503; ++i) {
      reply = onlooker_.execute(port());
      if (reply.status != 503) {
        ASSERT_EQ(reply.status, 200) << reply.body;
        onlooker_.remember(reply.json().string_or("orchestration_id"));
      }
    }
    expect_refused(reply);
    faults_.lift();
    ASSERT_TRUE(becomes_ready());
    onlooker_.check(port());
    if (HasFailure()) FAIL() << server_->log_end();
  }
  onlooker_.audit(port());
  EXPECT_EQ(server_->terminate(), 0) << server_->log_end();
  onlooker_.check_watermark();
}

TEST_F(LogOnABadDisk, LosesNothingWhereItIsFullAtAStartAfterACrash) {
  server_->kill();
  faults_.fill_disk();
  if (auto server = testing::ServerProcess::start(deployment_, "log_level: warning\n")) {
    expect_refused(onlooker_.execute((*server)->port()));
  }
  faults_.lift();
  start();
  onlooker_.check(port());
  onlooker_.audit(port());
}

/// The sync that fails, and what is answered who asks for a receipt of a run
/// that was finished before.
struct BrokenSync {
  const char* call;
  int receipt_status;
};

TEST_F(LogOnABadDisk, StopsTheServerWhereASyncFailsAndNothingLeavesAfterIt) {
  for (const BrokenSync& broken :
       {BrokenSync{"fdatasync:/data/avow.db-wal", 200},
        BrokenSync{"fsync:/data/log.watermark.next", 0}, BrokenSync{"fsync:/data", 0}}) {
    SCOPED_TRACE(broken.call);
    const std::uint64_t seen = onlooker_.seen_size();
    const std::string run = finish_run();  // no checkpoint that covers it has left
    faults_.break_sync(broken.call);
    EXPECT_EQ(onlooker_.get(port(), "/v1/receipts/" + run).status, broken.receipt_status);
    onlooker_.use(port(), 4, 40);
    EXPECT_EQ(server_->terminate(), -SIGABRT) << server_->log_end();
    EXPECT_EQ(faults_.met(), broken.call);
    onlooker_.check_watermark();
    faults_.lift();
    start();
    onlooker_.check(port());
    EXPECT_GT(onlooker_.seen_size(), seen);
  }
  onlooker_.audit(port());
  EXPECT_EQ(server_->terminate(), 0) << server_->log_end();
}

}  // namespace
}  // namespace avow
#endif
