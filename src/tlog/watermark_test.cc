// SPDX-License-Identifier: Apache-2.0
#include "tlog/watermark.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>
#include <vector>

namespace {

std::atomic<bool> syncs_fail{false};
std::function<void()> before_sync;  // on the thread that syncs

}  // namespace

/// Takes the place of libc's in this program, so that a test can have a disk that fails.
extern "C" int fsync(int descriptor) {
  if (syncs_fail) {
    errno = EIO;
    return -1;
  }
  if (before_sync) before_sync();
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;

merkle::Checkpoint seen(std::uint64_t size, std::uint8_t root = 1,
                        const std::string& origin = "log.example.com") {
  merkle::Checkpoint checkpoint{origin, size, {}};
  checkpoint.root.fill(root);
  return checkpoint;
}

struct WatermarkTest : ::testing::Test {
  WatermarkTest() {
    std::string name = (fs::temp_directory_path() / "avow-watermark-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = (folder / "log.watermark").string();
  }
  ~WatermarkTest() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  [[nodiscard]] std::unique_ptr<Watermark> open() const {
    auto watermark = Watermark::open(path);
    EXPECT_TRUE(watermark) << watermark.error().message;
    return std::move(*watermark);
  }
  [[nodiscard]] std::string text() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  fs::path folder;
  std::string path;
};

TEST_F(WatermarkTest, IsAbsentUntilItIsSet) {
  EXPECT_EQ(open()->value(), std::nullopt);
  ASSERT_TRUE(open()->reset(seen(0)));
  EXPECT_EQ(open()->value(), seen(0));
}

TEST_F(WatermarkTest, IsTheTextOfTheLargestCheckpointAndSurvives) {
  const auto watermark = open();
  ASSERT_TRUE(watermark->raise(seen(5)));
  ASSERT_TRUE(watermark->raise(seen(9, 2)));
  EXPECT_EQ(text(), seen(9, 2).text());
  ASSERT_TRUE(watermark->raise(seen(5)));
  EXPECT_EQ(watermark->value(), seen(9, 2));
  EXPECT_EQ(open()->value(), seen(9, 2));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(WatermarkTest, RefusesAnotherRootOrOriginAtItsSize) {
  const auto watermark = open();
  ASSERT_TRUE(watermark->raise(seen(5)));
  EXPECT_EQ(watermark->raise(seen(5, 2)).error().code, Code::kCorruption);
  EXPECT_EQ(watermark->raise(seen(6, 1, "other.example")).error().code, Code::kCorruption);
  EXPECT_TRUE(watermark->raise(seen(5)));
  EXPECT_EQ(text(), seen(5).text());
}

TEST_F(WatermarkTest, GoesBackOnlyByReset) {
  const auto watermark = open();
  ASSERT_TRUE(watermark->raise(seen(5)));
  ASSERT_TRUE(watermark->reset(seen(0, 3, "next.example")));
  EXPECT_EQ(open()->value(), seen(0, 3, "next.example"));
}

TEST_F(WatermarkTest, IsCorruptIfTheFileHoldsAnythingElse) {
  for (const std::string& bytes : {std::string(), std::string("log.example.com\n5\n"),
                                   seen(5).text() + "\nmore", std::string(1 << 20, 'x')}) {
    std::ofstream(path, std::ios::binary) << bytes;
    const auto watermark = Watermark::open(path);
    ASSERT_FALSE(watermark) << bytes.size();
    EXPECT_EQ(watermark.error().code, Code::kCorruption);
  }
}

TEST_F(WatermarkTest, IgnoresWhatACrashLeftOfAWrite) {
  ASSERT_TRUE(open()->raise(seen(5)));
  std::ofstream(path + ".next", std::ios::binary) << "log.exam";
  const auto watermark = open();
  EXPECT_EQ(watermark->value(), seen(5));
  ASSERT_TRUE(watermark->raise(seen(6)));
  EXPECT_EQ(text(), seen(6).text());
}

TEST_F(WatermarkTest, StaysWhereItIsIfItCannotBeWritten) {
  const auto watermark = open();
  ASSERT_TRUE(watermark->raise(seen(5)));
  fs::create_directory(path + ".next");  // where the new one would be written
  EXPECT_EQ(watermark->raise(seen(6)).error().code, Code::kUnavailable);
  EXPECT_EQ(watermark->value(), seen(5));
  EXPECT_EQ(text(), seen(5).text());
  fs::remove(path + ".next");
  EXPECT_TRUE(watermark->raise(seen(6)));

  fs::remove_all(folder);
  EXPECT_EQ(watermark->raise(seen(7)).error().code, Code::kUnavailable);
  EXPECT_EQ(watermark->value(), seen(6));
}

TEST_F(WatermarkTest, CannotBeReadWhereItIsNoFile) {
  fs::create_directory(path);
  const auto watermark = Watermark::open(path);
  ASSERT_FALSE(watermark);
  EXPECT_EQ(watermark.error().code, Code::kUnavailable);
}

TEST_F(WatermarkTest, TakesTheLargestOfManyThreads) {
  const auto watermark = open();
  std::vector<std::thread> threads;
  for (std::uint64_t first = 1; first <= 4; ++first) {
    threads.emplace_back([&watermark, first] {
      for (std::uint64_t size = first; size <= 100; size += 4) {
        EXPECT_TRUE(watermark->raise(seen(size)));
        EXPECT_GE(watermark->value()->size, size);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(open()->value(), seen(100));
}

// The size is asked for by every tile that is served: with one lock for both, each waits for a
// disk.
TEST_F(WatermarkTest, IsReadWhileANewOneIsBeingSynced) {
  const auto watermark = open();
  ASSERT_TRUE(watermark->raise(seen(5)));
  std::vector<std::thread> readers;
  int syncs = 0;
  before_sync = [&] {
    ++syncs;
    auto answer = std::make_shared<std::promise<std::optional<merkle::Checkpoint>>>();
    auto value = answer->get_future();
    readers.emplace_back([&watermark, answer] { answer->set_value(watermark->value()); });
    ASSERT_EQ(value.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(value.get(), seen(5)) << "not before it is durable";
  };
  EXPECT_TRUE(watermark->raise(seen(6)));
  before_sync = nullptr;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(syncs, 2) << "the file and its folder";
  EXPECT_EQ(watermark->value(), seen(6));
}

using WatermarkDeathTest = WatermarkTest;

TEST_F(WatermarkDeathTest, StopsTheProcessIfASyncFails) {
  const auto watermark = open();
  EXPECT_DEATH(
      {
        syncs_fail = true;
        EXPECT_FALSE(watermark->raise(seen(5)));
      },
      "");
  EXPECT_EQ(text(), "");
}

}  // namespace
}  // namespace avow::tlog
