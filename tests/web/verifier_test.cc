// SPDX-License-Identifier: Apache-2.0
// The browser's verifier (web/verify/verify.ts) says of every file what `avow verify` says of it:
// the same verdict, and the same checks fail.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/rng.h"
#include "json/write.h"
#include "provenance/log_for_tests.h"

namespace avow::provenance {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSeed = 20261122;
constexpr std::size_t kMutations = 1500;

/// Runs `command`; its exit code. What it prints goes to the test's own output.
int run(const std::string& command) { return std::system(command.c_str()); }

/// Lines for agree.mjs: each file with the verdict of the C++ verifier.
class Cases {
 public:
  void add(const std::string& name, const std::string& file, const Trust& trust,
           const std::string& policy_text) {
    const Verification found = verify(file, trust);
    json::Array keys;
    for (const auto& key : trust.log_keys) keys.emplace_back(key.text());
    json::Array failed;
    for (const Check& check : found.checks) {
      if (check.outcome == Outcome::kFailed) failed.emplace_back(verdict_name(check.verdict));
    }
    json::Object line{{"name", name},
                      {"file", file},
                      {"keys", std::move(keys)},
                      {"verdict", verdict_name(found.verdict)},
                      {"failed", std::move(failed)}};
    if (!policy_text.empty()) line.set("policy", policy_text);
    lines_ += json::write(std::move(line)) + "\n";
    ++verdicts[found.verdict];
  }

  [[nodiscard]] const std::string& lines() const { return lines_; }
  std::map<Verdict, int> verdicts;

 private:
  std::string lines_;
};

/// A file whose text, or the text inside it, was changed somewhere: most are still JSON.
std::string changed(std::string file, SeededRng& rng) {
  const std::size_t at = rng.below(file.size());
  switch (rng.below(5)) {
    case 0:
      file[at] = "0123456789abcdefABCDEF\"\\{}[],:"[rng.below(30)];
      return file;
    case 1:
      return file.erase(at, 1 + rng.below(3));
    case 2:
      return file.insert(at, file.substr(rng.below(file.size()), 1 + rng.below(8)));
    default: {
      // One letter or digit for another of its kind: what survives is a wrong value, not a wrong
      // form.
      for (std::size_t i = at; i < file.size(); ++i) {
        char& c = file[i];
        if (c >= '0' && c <= '9') {
          c = static_cast<char>('0' + (c - '0' + 1) % 10);
          return file;
        }
        if (c >= 'a' && c <= 'f') {
          c = c == 'f' ? 'a' : static_cast<char>(c + 1);
          return file;
        }
      }
      return file;
    }
  }
}

TEST(BrowserVerifier, AgreesWithTheProgramOnEveryFile) {
  if (run("node --version >/dev/null 2>&1") != 0 || run("tsc --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "node or tsc is not installed: scripts/setup --test";
  }
  TestLog log;
  TestRun run_of;
  const auto index = log.add(encode(run_of.statement()));
  const auto open_index = [&] {
    Statement open = run_of.statement(StatementType::kRunOpen);
    open.events = 4;
    open.root = merkle::oracle::root(
        std::vector<std::string>(run_of.events.begin(), run_of.events.begin() + 4));
    return log.add(encode(open));
  }();
  Statement erasure;
  erasure.type = StatementType::kContentErased;
  erasure.tenant = run_of.tenant;
  erasure.id = test_id(77);
  erasure.tenant_seq = 3;
  erasure.prev = filled(9);
  erasure.created_at = test_time(60);
  erasure.nonce = filled(8);
  erasure.erased = {{run_of.id, 3, "output"}};
  const auto erased_index = log.add(encode(erasure));

  std::vector<std::pair<std::string, Receipt>> receipts;
  receipts.emplace_back("run", log.receipt(index));
  Receipt step = log.receipt(index, 3);
  step.events = {run_of.proven(2), run_of.proven(3)};
  const Content& output = run_of.content(3, "output");
  const std::vector<std::string> shown = {"score"};
  step.contents = {{output.ref, *disclose(output.value, output.salt, shown)}};
  receipts.emplace_back("step", step);
  Receipt bundle = log.receipt(index);
  bundle.journal = run_of.events;
  bundle.contents = run_of.opened();
  receipts.emplace_back("bundle", bundle);
  Receipt withheld = bundle;
  for (ContentAccount& account : withheld.contents) account.shown = Withheld::kFromReader;
  receipts.emplace_back("withheld", withheld);
  Receipt erased = bundle;
  for (ContentAccount& account : erased.contents) {
    if (account.ref == ContentRef{3, "output"}) account.shown = Withheld::kErased;
  }
  receipts.emplace_back("erased without a statement", erased);
  erased.erasures = {log.logged(erased_index)};
  receipts.emplace_back("erased", erased);
  Receipt open = log.receipt(open_index);
  receipts.emplace_back("open", open);
  Receipt missing = bundle;
  missing.contents.pop_back();
  receipts.emplace_back("missing content", missing);
  Receipt swapped = bundle;
  std::swap((*swapped.journal)[1], (*swapped.journal)[2]);
  receipts.emplace_back("swapped events", swapped);
  Receipt wrong_key = log.receipt(index);
  wrong_key.keys = log.logged(index);
  receipts.emplace_back("keys that are none", wrong_key);
  TestLog other;
  receipts.emplace_back("another log's checkpoint", log.receipt(index));
  receipts.back().second.checkpoint = other.checkpoint();

  const auto policy_text = [&log](int threshold) {
    std::string text = "log " + log.log_vkey().text() + "\n";
    for (std::size_t i = 0; i < log.witnesses.size(); ++i) {
      const auto key = merkle::VerifierKey::ed25519(TestLog::witness_name(i),
                                                    merkle::SignatureType::kCosignature,
                                                    log.witnesses[i].public_key());
      text += "witness w" + std::to_string(i) + " " + key.text() + "\n";
    }
    return text + "group all " + std::to_string(threshold) + " w0 w1 w2\nquorum all\n";
  };
  Cases cases;
  SeededRng rng(kSeed);
  for (const auto& [name, receipt] : receipts) {
    const std::string file = encode(receipt);
    cases.add(name, file, log.key_alone(), "");
    cases.add(name + ", no key", file, {}, "");
    cases.add(name + ", policy", file, log.policy(2), policy_text(2));
  }
  for (std::size_t i = 0; i < kMutations; ++i) {
    const auto& [name, receipt] = receipts[rng.below(receipts.size())];
    cases.add(name + ", change " + std::to_string(i), changed(encode(receipt), rng),
              log.key_alone(), "");
  }
  std::cout << "seed " << kSeed << '\n';
  EXPECT_GE(cases.verdicts.size(), 9U) << "the cases should meet most verdicts";

  std::string pattern = fs::temp_directory_path() / "avow-web-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path folder = pattern;
  std::ofstream(folder / "cases") << cases.lines();
  EXPECT_EQ(run("tsc -p web/verify --outDir " + folder.string()), 0);
  std::ofstream(folder / "package.json") << R"({"type":"module"})";
  EXPECT_EQ(run("node web/verify/agree.mjs " + (folder / "verify.js").string() + " " +
                (folder / "cases").string()),
            0);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace avow::provenance
