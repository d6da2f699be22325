// SPDX-License-Identifier: Apache-2.0
// Stores and watermarks on disk as restores leave them, and a host that serves a copied log.
#include "cli/log_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/http_server.h"
#include "provenance/log_for_tests.h"
#include "server/deployment_log.h"
#include "store/sqlite/sqlite_store.h"
#include "tlog/watermark.h"

namespace avow::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class StoredLog : public ::testing::Test {
 protected:
  StoredLog() {
    std::string name = (fs::temp_directory_path() / "avow-stored-log-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    make("ours");
    grow("ours", 2);
  }
  ~StoredLog() override { fs::remove_all(root_); }

  [[nodiscard]] std::string data(const std::string& name) const { return (root_ / name).string(); }
  [[nodiscard]] fs::path watermark(const std::string& name) const {
    return server::watermark_path(data(name));
  }
  void make(const std::string& name) {
    const auto made = store::SqliteStore::create({.directory = data(name)});
    CHECK(made.has_value());
    (*made)->stop();
  }
  /// `count` more entries, none of which is in any other store.
  void grow(const std::string& name, int count) {
    auto store = *store::SqliteStore::open({.directory = data(name)});
    auto sequencer = *tlog::Sequencer::open(*store, keys_, clock_, rng_);
    store->set_hook(*sequencer);
    for (int i = 0; i < count; ++i) {
      store::Commit commit;
      commit.statements.push_back(server::admin_changed(
          {.id = provenance::test_id(++made_), .subject = "tool", .change = "created"},
          clock_.now(), rng_));
      const auto done = server::commit(*store, std::move(commit));
      ASSERT_TRUE(done) << done.error().message;
    }
    store->stop();
  }
  /// What the server does when it lets its newest head out.
  void show(const std::string& name) {
    auto store = *store::SqliteStore::open({.directory = data(name)});
    const auto note = *merkle::Note::parse(store->newest_log_head()->checkpoint);
    store->stop();
    auto seen = *tlog::Watermark::open(watermark(name));
    ASSERT_TRUE(seen->raise(*merkle::Checkpoint::parse(note.text)));
  }
  void copy(const std::string& from, const std::string& to) {
    fs::copy(data(from), data(to), fs::copy_options::recursive);
  }
  /// Nothing is given, and the watermark stays what it is.
  void expect_refused(const std::string& name, const std::string& why) {
    const bool is_there = fs::exists(watermark(name));
    const std::string before = text_of(watermark(name));
    const auto source = open_stored_log(data(name));
    ASSERT_FALSE(source) << "opened";
    EXPECT_EQ(source.error().code, Code::kUnavailable);
    EXPECT_THAT(source.error().message, HasSubstr(why));
    EXPECT_THAT(source.error().message, HasSubstr("avow log recover"));
    EXPECT_EQ(fs::exists(watermark(name)), is_there);
    EXPECT_EQ(text_of(watermark(name)), before);
  }

  fs::path root_;
  SystemClock clock_;
  SystemRng rng_;
  const tlog::LogKeys keys_{"log.example.com",
                            crypto::Ed25519PrivateKey::from_seed(provenance::filled(1)),
                            std::nullopt, crypto::P256PrivateKey::generate()};
  std::uint64_t made_ = 0;
};

TEST_F(StoredLog, GivesTheNewestHeadAndRaisesTheWatermarkToItFirst) {
  show("ours");
  grow("ours", 3);
  const auto source = open_stored_log(data("ours"));
  ASSERT_TRUE(source) << source.error().message;
  const auto note = merkle::Note::parse(*(*source)->read(kCheckpointPath));
  ASSERT_TRUE(note);
  EXPECT_EQ(merkle::Checkpoint::parse(note->text)->size, 6U) << "the genesis and five";
  EXPECT_EQ(text_of(watermark("ours")), note->text);
  EXPECT_TRUE((*source)->read("tile/0/000.p/6"));
}

TEST_F(StoredLog, GivesNothingOfALargerForkWhoseSizeNobodySaw) {
  show("ours");
  copy("ours", "fork");
  grow("ours", 1);
  show("ours");
  grow("fork", 4);
  fs::copy_file(watermark("ours"), watermark("fork"), fs::copy_options::overwrite_existing);
  expect_refused("fork", "first 4 entries of the log, which has 7, are not those that were seen");
}

TEST_F(StoredLog, GivesNothingOfAnOldCopy) {
  copy("ours", "old");
  grow("ours", 1);
  show("ours");
  fs::copy_file(watermark("ours"), watermark("old"));
  expect_refused("old", "the log has 3 entries, but was seen with 4");
}

TEST_F(StoredLog, GivesNothingWithoutAWatermark) {
  expect_refused("ours", "log.watermark is missing");
}

TEST_F(StoredLog, GivesNothingIfTheWatermarkIsOfAnotherLog) {
  std::ofstream(watermark("ours"), std::ios::binary)
      << merkle::Checkpoint{"other.example", 0, merkle::empty_root()}.text();
  expect_refused("ours", "other.example");
}

/// Serves each path of `files`, and 404 else.
class Host {
 public:
  explicit Host(std::map<std::string, std::string> files) {
    auto started = net::HttpServer::start(
        {.request_threads = 1}, clock_,
        [files = std::move(files)](const net::Request& request) -> net::Answer {
          const auto file = files.find(std::string(request.path()));
          if (file == files.end()) return net::Response{.status = 404};
          return net::Response{.status = 200, .body = file->second};
        },
        [](int status, std::string_view /*reason*/, const net::Request* /*request*/) {
          return net::Response{.status = status};
        });
    CHECK(started.has_value());
    server_ = *std::move(started);
  }
  ~Host() { server_->stop({}); }
  [[nodiscard]] std::string url() const {
    return fmt::format("http://127.0.0.1:{}", server_->port());
  }

 private:
  SystemClock clock_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST(WebLog, OfABareHostIsThatOfAnAvowServer) {
  const Host host({{"/log/checkpoint", "ours"}, {"/checkpoint", "another"}, {"/log/tile", "t"}});
  const auto source = open_log_source(host.url() + "/", "");
  EXPECT_EQ(*source->read(kCheckpointPath), "ours");
  EXPECT_EQ(*source->read("tile"), "t");
}

TEST(WebLog, OfABareHostIsTheCopyAtItsRootIfThereIsNoOther) {
  const Host host({{"/checkpoint", "a copy"}, {"/tile", "t"}, {"/log/only-here", "no"}});
  const auto source = open_log_source(host.url(), "");
  EXPECT_EQ(*source->read(kCheckpointPath), "a copy");
  EXPECT_EQ(*source->read("tile"), "t");
  EXPECT_EQ(source->read("only-here").error().code, Code::kNotFound);
}

TEST(WebLog, WithAPathIsThereAndNowhereElse) {
  const Host host({{"/checkpoint", "another"}, {"/copy/log/checkpoint", "another"}});
  EXPECT_EQ(open_log_source(host.url() + "/copy", "")->read(kCheckpointPath).error().code,
            Code::kNotFound);
}

}  // namespace
}  // namespace avow::cli
