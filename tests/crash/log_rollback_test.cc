// SPDX-License-Identifier: Apache-2.0
// A crash, and then a database that lost its newest transactions, because its write-ahead log is an
// older one, cut, or damaged. What was served stands outside, in the watermark: the log is refused,
// not continued. (tests/cli has the whole database put back, and the recovery.)
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "onlooker.h"
#include "server/deployment_log.h"

namespace avow {
namespace {

namespace fs = std::filesystem;
using testing::value_at;

class LogWithoutItsEnd : public ::testing::Test {
 protected:
  /// Some runs, a copy, more runs whose receipts and checkpoints were served, and kill -9: what is
  /// newest lies in the write-ahead log alone.
  LogWithoutItsEnd() {
    auto server = start();
    onlooker_.prepare(server->port());
    onlooker_.use(server->port(), 2, 4);
    fs::copy(wal(), kept("older"));
    onlooker_.use(server->port(), 2, 4);
    EXPECT_EQ(onlooker_.see_receipt(server->port(), finish_run(server->port())), 200);
    server->kill();
    fs::copy(wal(), kept("newest"));
    watermark_ = text_of(server::watermark_path(deployment_.folder()));
  }

  std::unique_ptr<testing::ServerProcess> start() {
    auto server = testing::ServerProcess::start(deployment_, "log_level: warning\n");
    CHECK(server.has_value());
    return std::move(*server);
  }
  std::string finish_run(std::uint16_t port) {
    const auto reply = onlooker_.execute(port);
    EXPECT_EQ(reply.status, 200) << reply.body;
    std::string run = reply.json().string_or("orchestration_id");
    onlooker_.remember(run);
    return run;
  }
  [[nodiscard]] fs::path wal() const { return fs::path(deployment_.folder()) / "avow.db-wal"; }
  [[nodiscard]] fs::path kept(const std::string& name) const { return deployment_.beside() / name; }
  static std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  void expect_read_only() {
    const auto server = start();
    const std::uint16_t port = server->port();
    const auto ready = onlooker_.get(port, "/health/ready");
    EXPECT_EQ(ready.status, 503);
    EXPECT_EQ(value_at(ready.json(), "/details/part"), json::Value("log")) << ready.body;
    EXPECT_EQ(onlooker_.execute(port).status, 503);
    EXPECT_EQ(onlooker_.see_checkpoint(port), 503);
    EXPECT_EQ(onlooker_.get(port, "/v1/orchestrations").status, 200);
    EXPECT_EQ(onlooker_.get(port, "/v1/workflows").status, 200);
    EXPECT_EQ(text_of(server::watermark_path(deployment_.folder())), watermark_)
        << "what was seen was forgotten";
    EXPECT_EQ(server->terminate(), 0) << server->log_end();
  }

  testing::Deployment deployment_{AVOW_PROGRAM};
  Onlooker onlooker_{deployment_};
  std::string watermark_;
};

TEST_F(LogWithoutItsEnd, IsReadOnlyUntilItsEndIsBackAndGoesOnThen) {
  const fs::path database = fs::path(deployment_.folder()) / "avow.db";
  fs::copy(database, kept("database"));
  const auto put_back = [&](const std::string& wal_name) {
    fs::copy(kept("database"), database, fs::copy_options::overwrite_existing);
    fs::remove(deployment_.folder() + "/avow.db-shm");
    fs::copy(kept(wal_name), wal(), fs::copy_options::overwrite_existing);
  };
  {
    SCOPED_TRACE("an older one");
    put_back("older");
    expect_read_only();
  }
  {
    SCOPED_TRACE("cut");
    put_back("newest");
    fs::resize_file(wal(), fs::file_size(kept("older")) + 1000);
    expect_read_only();
  }
  {
    SCOPED_TRACE("a byte of a transaction before the last");
    put_back("newest");
    std::fstream file(wal(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(kept("older")) + 1000));
    file.write("\xff\xff\xff\xff", 4);
    file.close();
    expect_read_only();
  }
  put_back("newest");
  const auto server = start();
  onlooker_.check(server->port());
  onlooker_.use(server->port(), 2, 4);
  onlooker_.audit(server->port());
}

}  // namespace
}  // namespace avow
