// SPDX-License-Identifier: Apache-2.0
#include "merkle/policy.h"

#include <gtest/gtest.h>

#include <bit>

namespace avow::merkle {
namespace {

crypto::Ed25519PrivateKey private_key(int n) {
  Bytes32 seed{};
  seed[0] = static_cast<std::uint8_t>(n + 1);
  return crypto::Ed25519PrivateKey::from_seed(seed);
}

VerifierKey log_key(int n) {
  return VerifierKey::ed25519("log.example/" + std::to_string(n), SignatureType::kEd25519,
                              private_key(n).public_key());
}

VerifierKey witness_key(int n) {
  return VerifierKey::ed25519("witness.example/" + std::to_string(n), SignatureType::kCosignature,
                              private_key(n).public_key());
}

std::string log_line(int n) { return "log " + log_key(n).text() + "\n"; }
std::string witness_line(const std::string& name, int n) {
  return "witness " + name + " " + witness_key(n).text() + "\n";
}

/// The policy of the example in C2SP: two of X1 to X3, and any of Y1 to Y3.
const std::string kExample = log_line(0) + "\n" + witness_line("X1", 1) + witness_line("X2", 2) +
                             witness_line("X3", 3) + "group X-witnesses 2 X1 X2 X3\n\n" +
                             witness_line("Y1", 4) + witness_line("Y2", 5) + witness_line("Y3", 6) +
                             "group Y-witnesses any Y1 Y2 Y3\n\n"
                             "group X-and-Y all X-witnesses Y-witnesses\n"
                             "quorum X-and-Y\n";

/// Verified signatures of the witnesses whose bit is set, the first key's being bit 0.
std::vector<VerifiedSignature> signed_by(unsigned bits) {
  std::vector<VerifiedSignature> verified;
  for (int n = 0; n < 32; ++n) {
    if ((bits >> n & 1) != 0) verified.push_back({witness_key(n + 1), std::nullopt});
  }
  return verified;
}

TEST(Policy, OfTheExampleInC2spIsEvaluatedForEverySetOfWitnesses) {
  const auto policy = Policy::parse(kExample);
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->keys().size(), 7U);
  for (unsigned bits = 0; bits < 64; ++bits) {
    const bool two_of_x = std::popcount(bits & 7U) >= 2;
    const bool any_of_y = (bits & 56U) != 0;
    EXPECT_EQ(policy->has_quorum(signed_by(bits)), two_of_x && any_of_y) << bits;
  }
}

TEST(Policy, CountsEveryThresholdOfEverySetOfFiveWitnesses) {
  std::string witnesses;
  for (int n = 1; n <= 5; ++n) witnesses += witness_line("w" + std::to_string(n), n);
  for (const std::string threshold : {"1", "2", "3", "4", "5", "all", "any"}) {
    const auto policy =
        Policy::parse(fmt::format("{}group g {} w1 w2 w3 w4 w5\nquorum g\n", witnesses, threshold));
    ASSERT_TRUE(policy);
    const int k = threshold == "all" ? 5 : threshold == "any" ? 1 : threshold[0] - '0';
    for (unsigned bits = 0; bits < 32; ++bits) {
      EXPECT_EQ(policy->has_quorum(signed_by(bits)), std::popcount(bits) >= k);
    }
  }
}

TEST(Policy, OfOneWitnessOrNoneNeedsNoGroup) {
  const auto one = Policy::parse(witness_line("w", 1) + "quorum w\n");
  ASSERT_TRUE(one);
  EXPECT_FALSE(one->has_quorum({}));
  EXPECT_TRUE(one->has_quorum(signed_by(1)));
  EXPECT_FALSE(one->has_quorum(signed_by(2)));
  const auto none = Policy::parse("quorum none\n");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->has_quorum({}));
}

TEST(Policy, TakesAWitnessAtItsKeyNotAtItsName) {
  const auto policy = Policy::parse(witness_line("w", 1) + "quorum w\n");
  // Another key under the same key name, and the same key as a log's plain signature.
  const auto impostor = VerifierKey::ed25519(witness_key(1).name, SignatureType::kCosignature,
                                             private_key(9).public_key());
  const auto plain = VerifierKey::ed25519(witness_key(1).name, SignatureType::kEd25519,
                                          private_key(1).public_key());
  EXPECT_FALSE(policy->has_quorum(std::vector<VerifiedSignature>{{impostor, {}}, {plain, {}}}));
}

TEST(Policy, AcceptsACheckpointOfAnyOfItsLogsUnderThatLogsOwnName) {
  const auto policy = Policy::parse(log_line(0) + log_line(1) + "quorum none\n");
  const std::vector<VerifiedSignature> by_second = {{log_key(1), std::nullopt}};
  EXPECT_TRUE(policy->has_log("log.example/1", by_second));
  EXPECT_FALSE(policy->has_log("log.example/0", by_second)) << "another log's name";
  EXPECT_FALSE(policy->has_log("log.example/2", by_second));
  EXPECT_FALSE(policy->has_log("log.example/1", {}));
  EXPECT_FALSE(Policy::parse("quorum none\n")->has_log("log.example/1", by_second));
}

TEST(Policy, IsReadWithCommentsTabsUrlsAndNamesInAnyBytes) {
  const std::string name = "\xE2\x84\xAA#\xFF";
  const auto policy =
      Policy::parse("# a comment\n \t # another\n\n \t\n\tlog \t " + log_key(0).text() +
                    "  https://log.example/  \n" + "witness " + name + " " + witness_key(1).text() +
                    "\thttps://w.example\nquorum " + name + "\n# the end\n" + log_line(2));
  ASSERT_TRUE(policy) << policy.error().message;
  ASSERT_EQ(policy->logs.size(), 2U);
  EXPECT_EQ(policy->logs[0].url, "https://log.example/");
  EXPECT_EQ(policy->logs[1].url, "");
  EXPECT_EQ(policy->witnesses[0].url, "https://w.example");
  EXPECT_TRUE(policy->has_quorum(signed_by(1)));
}

TEST(Policy, MayNameWitnessesOfAnUnknownTypeWhichNeverCount) {
  // Type 0x65, from Go's tests, in the place of ML-DSA-44's 0x06.
  const auto policy = Policy::parse(
      "witness w PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n" +
      witness_line("v", 1) + "group g any w v\nquorum g\n");
  ASSERT_TRUE(policy);
  EXPECT_FALSE(policy->has_quorum({}));
  EXPECT_TRUE(policy->has_quorum(signed_by(1)));
}

TEST(Policy, OfAnotherFormIsRefusedWithTheNumberOfItsLine) {
  const std::string w = witness_line("w", 1);
  const std::string v = witness_line("v", 2);
  struct {
    std::string text, line;
  } const cases[] = {
      {"", "no quorum"},
      {w, "no quorum"},
      {w + "quorum w", "line 2"},
      {w + "quorum x\n", "line 2"},
      {"quorum w\n" + w, "line 1"},
      {w + "quorum w\nquorum w\n", "line 3"},
      {w + "quorum\n", "line 2"},
      {w + "quorum w w\n", "line 2"},
      {w + "quorum none none\n", "line 2"},
      {w + w + "quorum w\n", "line 2"},
      {w + witness_line("u", 1) + "quorum w\n", "line 2"},
      {w + witness_line("w", 2) + "quorum w\n", "line 2"},
      {witness_line("none", 1) + "quorum none\n", "line 1"},
      {"witness w\nquorum none\n", "line 1"},
      {"witness w nonsense\nquorum none\n", "line 1"},
      {"witness w " + log_key(1).text() + "\nquorum w\n", "line 1"},
      {"witness w " + witness_key(1).text() + " url more\nquorum w\n", "line 1"},
      {log_line(1) + log_line(1) + "quorum none\n", "line 2"},
      {"log\nquorum none\n", "line 1"},
      {"log " + log_key(1).text() + " url more\nquorum none\n", "line 1"},
      {"log x\nquorum none\n", "line 1"},
      {w + "group g any\nquorum g\n", "line 2"},
      {w + "group g 0 w\nquorum g\n", "line 2"},
      {w + "group g 2 w\nquorum g\n", "line 2"},
      {w + "group g 01 w\nquorum g\n", "line 2"},
      {w + "group g -1 w\nquorum g\n", "line 2"},
      {w + "group g some w\nquorum g\n", "line 2"},
      {w + "group g 18446744073709551617 w\nquorum g\n", "line 2"},
      {w + "group g any x\nquorum g\n", "line 2"},
      {w + "group g any g\nquorum g\n", "line 2"},
      {w + "group g any none\nquorum g\n", "line 2"},
      {w + "group g any w w\nquorum g\n", "line 2"},
      {w + "group w any w\nquorum w\n", "line 2"},
      {w + "group none any w\nquorum none\n", "line 2"},
      {w + v + "group g any w\ngroup h any w v\nquorum h\n", "line 4"},
      {"group g any w\n" + w + "quorum g\n", "line 1"},
      {"# fine\nunknown w\nquorum none\n", "line 2"},
      {"Quorum none\n", "line 1"},
      {"quorum none\r\n", "line 1"},
      {std::string("quorum none\n#\0\n", 14), "line 2"},
      {"# \x7F\nquorum none\n", "line 1"},
      {"#" + std::string(kPolicyBytesMax, ' '), "bytes"},
  };
  for (const auto& [text, line] : cases) {
    const auto refused = Policy::parse(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_NE(refused.error().message.find(line), std::string::npos)
        << text << refused.error().message;
  }
}

TEST(Policy, HasUpTo64OfEachKind) {
  std::string logs;
  std::string witnesses;
  std::string groups;
  for (int n = 0; n < 64; ++n) {
    const std::string name = std::to_string(n);
    logs += log_line(n);
    witnesses += witness_line("w" + name, n);
    groups += fmt::format("group g{0} any w{0}\n", name);
  }
  EXPECT_TRUE(Policy::parse(logs + witnesses + groups + "quorum g63\n"));
  EXPECT_FALSE(Policy::parse(logs + log_line(64) + "quorum none\n"));
  EXPECT_FALSE(Policy::parse(witnesses + witness_line("more", 64) + "quorum none\n"));
  EXPECT_FALSE(Policy::parse(witnesses + groups + "group more any g0\nquorum none\n"));
}

TEST(Policy, JudgesANoteThatIsSignedAndCosigned) {
  const auto policy = *Policy::parse(kExample);
  const std::string text = log_key(0).name + "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
  Note note{text, {sign_note(text, log_key(0).name, private_key(0))}};
  const auto judged = [&] { return *verify_note(note, policy.keys()); };
  EXPECT_TRUE(policy.has_log(log_key(0).name, judged()));
  for (const int n : {1, 3, 6}) {
    EXPECT_FALSE(policy.has_quorum(judged()));
    note.signatures.push_back(
        cosign_note(text, witness_key(n).name, private_key(n), std::chrono::sys_seconds()));
  }
  EXPECT_TRUE(policy.has_quorum(judged()));
}

}  // namespace
}  // namespace avow::merkle
