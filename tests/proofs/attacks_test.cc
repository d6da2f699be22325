// SPDX-License-Identifier: Apache-2.0
// The attack table: each attack is carried out, everybody who watches looks at what it shows, and
// docs/attacks.md says what they saw. With AVOW_UPDATE_DOCS=1 the page is written, else compared.
// Run from the root of the repository, as CTest does.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/proofs/attacks.h"

namespace avow::proofs {
namespace {

constexpr const char* kPage = "docs/attacks.md";

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::vector<Attack> all_attacks() {
  std::vector<Attack> all;
  for (const auto& some : {attacks_on_runs(), attacks_on_logs(), attacks_that_work()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

TEST(TheWorld, IsHonest) {
  const World world;
  Shown shown(world);
  for (const Receipt& receipt : {bundle_of(world), step_of(world), erased_bundle_of(world),
                                 receipt_of(world.log, kRun), receipt_of(world.log, kLast)}) {
    shown.receipt = receipt;
    const Judgement judgement = judge(world, shown);
    EXPECT_EQ(judgement.verdict, Verdict::kValid);
    EXPECT_EQ(joined(judgement.detectors), kNobody);
  }
}

TEST(Attacks, AreSeenByWhomTheTableSays) {
  const World world;
  for (const Attack& attack : all_attacks()) {
    Shown shown(world);
    attack.act(world, shown);
    const Judgement judgement = judge(world, shown);
    EXPECT_EQ(judgement.verdict, attack.verdict)
        << attack.on << ", " << attack.what << ": " << attack.presented;
    EXPECT_EQ(joined(judgement.detectors), joined(attack.detectors))
        << attack.on << ", " << attack.what << ": " << attack.presented;
  }
}

/// The rows of a table, under its heading.
std::string table(const std::string& on) {
  std::string out = "| attack | the attacker holds | what is presented | verdict | seen by |\n";
  out += "|---|---|---|---|---|\n";
  for (const Attack& attack : all_attacks()) {
    if (attack.on != on) continue;
    out += fmt::format("| {} | {} | {} | `{}` | {} |\n", attack.what, attack.holds,
                       attack.presented, verdict_name(attack.verdict), joined(attack.detectors));
  }
  return out;
}

/// `page` with each table made anew; they stand behind a line `<!-- table: NAME -->` and end at the
/// next empty line.
std::string with_tables(const std::string& page) {
  static constexpr std::string_view kMark = "<!-- table: ";
  std::string out;
  std::size_t from = 0;
  for (std::size_t at = page.find(kMark); at != std::string::npos; at = page.find(kMark, from)) {
    const std::size_t name = at + kMark.size();
    const std::size_t line_end = page.find('\n', at) + 1;
    out += page.substr(from, line_end - from);
    out += table(page.substr(name, page.find(" -->", name) - name));
    from = page.find("\n\n", at) + 1;
  }
  return out + page.substr(from);
}

TEST(Attacks, AreThoseOfThePage) {
  std::ifstream file(kPage);
  ASSERT_TRUE(file.is_open()) << "run this from the root of the repository";
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string now = with_tables(page);
  for (const Attack& attack : all_attacks()) {
    ASSERT_NE(now.find("<!-- table: " + attack.on + " -->"), std::string::npos) << attack.on;
  }
  if (std::getenv("AVOW_UPDATE_DOCS") != nullptr) {
    std::ofstream(kPage) << now;
    return;
  }
  EXPECT_EQ(page, now) << "AVOW_UPDATE_DOCS=1 writes the page";
}

}  // namespace
}  // namespace avow::proofs
