// SPDX-License-Identifier: Apache-2.0
#include "cli/log_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "cli/log_export.h"
#include "cli/log_source.h"
#include "merkle/entry_bundle.h"
#include "provenance/log_for_tests.h"

namespace avow::cli {
namespace {

using merkle::kTileWidth;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// The files of a log, from its entries by RFC 6962's recursive definition.
class Files {
 public:
  explicit Files(const provenance::TestLog& log) {
    files_[kCheckpointPath] = log.checkpoint();
    const std::uint64_t size = log.entries.size();
    std::vector<merkle::Hash> hashes;
    hashes.reserve(size);
    for (const std::string& entry : log.entries) hashes.push_back(merkle::oracle::leaf(entry));
    for (int level = 0; !hashes.empty(); ++level) {
      std::vector<merkle::Hash> above;
      for (std::size_t begin = 0; begin < hashes.size(); begin += kTileWidth) {
        const std::size_t width = std::min<std::size_t>(kTileWidth, hashes.size() - begin);
        std::string bytes;
        for (std::size_t i = begin; i < begin + width; ++i) bytes += view_of(hashes[i]);
        files_[merkle::Tile{level, begin / kTileWidth, width}.path()] = bytes;
        if (level == 0 && width == kTileWidth) {
          const auto leaves = merkle::oracle::Entries(log.entries).subspan(begin, width);
          above.push_back(merkle::oracle::root(leaves));
        }
      }
      hashes = std::move(above);
    }
    for (std::uint64_t begin = 0; begin < size; begin += kTileWidth) {
      const std::uint64_t width = std::min(kTileWidth, size - begin);
      std::string bundle;
      for (std::uint64_t i = begin; i < begin + width; ++i) {
        EXPECT_TRUE(merkle::append_entry(bundle, log.entries[i]));
      }
      files_[merkle::Tile{merkle::kEntriesLevel, begin / kTileWidth, width}.path()] = bundle;
    }
  }

  [[nodiscard]] ReadLogFile reader() const {
    return [this](const std::string& path) -> Result<std::string> {
      const auto file = files_.find(path);
      if (file == files_.end()) return failure(Code::kNotFound, "no {}", path);
      return file->second;
    };
  }
  std::map<std::string, std::string>& all() { return files_; }

 private:
  std::map<std::string, std::string> files_;
};

provenance::TestLog log_of(std::size_t size) {
  provenance::TestLog log;
  while (log.entries.size() < size) log.add("statement " + std::to_string(log.entries.size()));
  return log;
}

std::string refusal(const Files& files, const provenance::Trust& trust,
                    const std::string& old = {}) {
  const auto audit = audit_log(files.reader(), {trust, old});
  if (audit) return "accepted";
  EXPECT_EQ(audit.error().code, Code::kCorruption) << audit.error().message;
  return audit.error().message;
}

TEST(LogAudit, ReadsEveryEntryAndTileOfALogOfAnyShape) {
  for (const std::size_t size : {1U, 2U, 3U, 255U, 256U, 257U, 511U, 512U, 600U}) {
    const auto log = log_of(size);
    const Files files(log);
    const auto audit = audit_log(files.reader(), {log.key_alone()});
    ASSERT_TRUE(audit) << size << ": " << audit.error().message;
    EXPECT_EQ(audit->entries, size);
    EXPECT_EQ(audit->checkpoint.size, size);
    EXPECT_EQ(audit->new_keys, std::vector<std::uint64_t>{0});
    const std::uint64_t level0 = (size + 255) / 256;
    EXPECT_EQ(audit->tiles, level0 + (size >= 256 ? 1 : 0));
  }
}

TEST(LogAudit, FindsAnyFileThatIsMissingShortOrChangedInOneBit) {
  const auto log = log_of(520);
  Files good(log);
  for (const auto& [path, bytes] : good.all()) {
    // Behind the checkpoint's text stand signatures, and nobody asked for those of witnesses.
    if (path == kCheckpointPath) continue;
    for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      Files changed = good;
      changed.all()[path][at] = static_cast<char>(bytes[at] ^ 1);
      EXPECT_NE(refusal(changed, log.key_alone()), "accepted") << path << " at " << at;
    }
    Files cut = good;
    cut.all()[path].pop_back();
    EXPECT_NE(refusal(cut, log.key_alone()), "accepted") << path;
    Files without = good;
    without.all().erase(path);
    EXPECT_EQ(refusal(without, log.key_alone()), path + " is missing");
  }
}

TEST(LogAudit, FindsACheckpointWhoseTextWasChangedAnywhere) {
  const auto log = log_of(5);
  const Files good(log);
  const std::size_t text_size = log.checkpoint().find("\n\n");
  for (std::size_t at = 0; at < text_size; ++at) {
    Files changed = good;
    changed.all()[kCheckpointPath][at] ^= 1;
    EXPECT_NE(refusal(changed, log.key_alone()), "accepted") << "at " << at;
  }
}

TEST(LogAudit, NamesThePlaceOfTheFirstInconsistency) {
  const auto log = log_of(300);
  Files changed(log);
  changed.all()["tile/0/001.p/44"][std::size_t{32} * 5] ^= 1;
  EXPECT_EQ(refusal(changed, log.key_alone()), "tile/0/001.p/44: hash 5 is not that of entry 261");
}

TEST(LogAudit, BelievesOnlyAKeyAndAQuorumFromOutside) {
  const auto log = log_of(5);
  const Files files(log);
  EXPECT_TRUE(audit_log(files.reader(), {log.policy(2)}));
  EXPECT_THAT(refusal(files, {}), HasSubstr("not signed by a key that you trust"));
  provenance::TestLog other;
  other.log_key = crypto::Ed25519PrivateKey::from_seed(provenance::filled(42));
  EXPECT_THAT(refusal(files, other.key_alone()), HasSubstr("not signed by a key that you trust"));
  auto few = log;
  few.witnesses.pop_back();
  few.witnesses.pop_back();
  EXPECT_THAT(refusal(Files(few), log.policy(2)), HasSubstr("fewer witnesses"));
}

TEST(LogAudit, HoldsTheLogToEveryOlderCheckpointAndFindsAFork) {
  const auto log = log_of(300);
  const Files files(log);
  for (const std::size_t size : {1U, 2U, 100U, 255U, 256U, 257U, 299U, 300U}) {
    auto older = log;
    older.entries.resize(size);
    const auto audit = audit_log(files.reader(), {log.key_alone(), older.checkpoint()});
    ASSERT_TRUE(audit) << size << ": " << audit.error().message;
    EXPECT_EQ(audit->old_size, size);
    auto fork = older;
    fork.entries.back() += " ";
    EXPECT_THAT(refusal(files, log.key_alone(), fork.checkpoint()), HasSubstr("forked")) << size;
  }
  EXPECT_THAT(refusal(files, log.key_alone(), log_of(301).checkpoint()), HasSubstr("rolled back"));
}

// Somebody has a key that was rotated out, and the store: only who reads all of the log finds it.
TEST(LogAudit, FindsAnEntryWhoseKeyMayNotSignThere) {
  auto log = log_of(4);
  const auto old_key = log.statement_key;
  log.statement_key = crypto::P256PrivateKey::generate();
  auto rotated = log.about_keys(provenance::StatementType::kKeyRotated);
  rotated.keys = {{0, 4, old_key.public_key().spki_der()},
                  {4, {}, log.statement_key.public_key().spki_der()}};
  provenance::sign_keys(rotated, {&log.log_key, 1});
  rotated.tenant_seq = 2;
  rotated.prev = provenance::filled(1);
  log.add(provenance::encode(rotated));
  const Files good(log);
  const auto audit = audit_log(good.reader(), {log.key_alone(), "", rotated});
  ASSERT_TRUE(audit) << audit.error().message;
  EXPECT_TRUE(audit->are_keys_named);
  EXPECT_EQ(audit->new_keys, (std::vector<std::uint64_t>{0, 4}));

  log.statement_key = old_key;
  log.add("signed with the old key");
  const Files bad(log);
  const auto found = audit_log(bad.reader(), {log.key_alone(), "", rotated});
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("entry 5 is signed with a key"));
}

class Export : public ::testing::Test {
 protected:
  Export() {
    std::string name = (fs::temp_directory_path() / "avow-export-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~Export() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(Export, GivesAFolderThatTheAuditAccepts) {
  const auto log = log_of(600);
  const Files files(log);
  const auto done = export_log(files.reader(), folder_.string());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->written, 3U + 3U + 1U + 1U);
  const auto audit = audit_log(open_log_source(folder_.string(), "")->reader(), {log.key_alone()});
  EXPECT_TRUE(audit) << audit.error().message;
}

TEST_F(Export, GoesOnWhereItWasAndReadsNoFullTileAgain) {
  auto log = log_of(300);
  ASSERT_TRUE(export_log(Files(log).reader(), folder_.string()));
  while (log.entries.size() < 700) log.add("more " + std::to_string(log.entries.size()));
  Files grown(log);
  grown.all().erase("tile/0/000");  // it need not be asked for
  grown.all().erase("tile/entries/000");
  const auto done = export_log(grown.reader(), folder_.string());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->kept, 2U);
  EXPECT_TRUE(audit_log(open_log_source(folder_.string(), "")->reader(), {log.key_alone()}));
}

TEST_F(Export, WritesTheCheckpointOnlyWhenAllElseIsThere) {
  const auto log = log_of(300);
  Files broken(log);
  broken.all().erase("tile/0/001.p/44");
  EXPECT_FALSE(export_log(broken.reader(), folder_.string()));
  EXPECT_FALSE(fs::exists(folder_ / kCheckpointPath));
}

TEST_F(Export, NeverReplacesALongerLogOrAnother) {
  ASSERT_TRUE(export_log(Files(log_of(10)).reader(), folder_.string()));
  const auto shorter = export_log(Files(log_of(9)).reader(), folder_.string());
  ASSERT_FALSE(shorter);
  EXPECT_EQ(shorter.error().code, Code::kConflict);
}

TEST_F(Export, NeverReplacesALogByOneThatDoesNotContinueIt) {
  for (const std::size_t size : {1U, 10U, 255U, 256U, 300U}) {
    const fs::path copy = folder_ / std::to_string(size);
    const auto log = log_of(size);
    ASSERT_TRUE(export_log(Files(log).reader(), copy.string()));
    for (const std::size_t more : {0U, 1U, 300U}) {
      auto fork = log;
      fork.entries.back() += " ";
      while (fork.entries.size() < size + more) fork.add("another");
      const auto refused = export_log(Files(fork).reader(), copy.string());
      ASSERT_FALSE(refused) << size << " and " << more;
      EXPECT_EQ(refused.error().code, Code::kConflict);
      EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("with {} entries", size)));
      EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("with {} does not", size + more)));
    }
    EXPECT_TRUE(audit_log(open_log_source(copy.string(), "")->reader(), {log.key_alone()}))
        << "what was there is as it was";
  }
}

TEST_F(Export, ReadsAgainWhatChangedInTheFolder) {
  const auto log = log_of(520);
  Files files(log);
  ASSERT_TRUE(export_log(files.reader(), folder_.string()));
  for (const auto& [path, bytes] : files.all()) {
    std::string changed = bytes;
    changed[changed.size() / 2] ^= 1;
    std::ofstream(folder_ / path, std::ios::binary) << (path == kCheckpointPath ? bytes : changed);
  }
  const auto done = export_log(files.reader(), folder_.string());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->kept, 0U);
  EXPECT_TRUE(audit_log(open_log_source(folder_.string(), "")->reader(), {log.key_alone()}));
}

TEST_F(Export, CopiesNothingThatDoesNotLeadToTheRoot) {
  const auto log = log_of(520);
  Files good(log);
  int tried = 0;
  for (const auto& [path, bytes] : good.all()) {
    if (path == kCheckpointPath) continue;
    Files bad = good;
    bad.all()[path][bytes.size() / 2] ^= 1;
    const fs::path copy = folder_ / std::to_string(++tried);
    const auto done = export_log(bad.reader(), copy.string());
    ASSERT_FALSE(done) << path;
    EXPECT_EQ(done.error().code, Code::kCorruption) << done.error().message;
    EXPECT_FALSE(fs::exists(copy / path));
    EXPECT_FALSE(fs::exists(copy / kCheckpointPath));
  }
}

TEST_F(Export, GrowsOverEveryKindOfEdge) {
  auto log = log_of(1);
  for (const std::size_t size : {1U, 255U, 256U, 257U, 512U, 600U}) {
    while (log.entries.size() < size) log.add("more");
    const auto done = export_log(Files(log).reader(), folder_.string());
    ASSERT_TRUE(done) << size << ": " << done.error().message;
    EXPECT_TRUE(audit_log(open_log_source(folder_.string(), "")->reader(), {log.key_alone()}));
  }
}

}  // namespace
}  // namespace avow::cli
