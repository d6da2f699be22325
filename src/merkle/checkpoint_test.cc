// SPDX-License-Identifier: Apache-2.0
#include "merkle/checkpoint.h"

#include <gtest/gtest.h>

#include "merkle/compact_range.h"
#include "merkle/note.h"

namespace avow::merkle {
namespace {

const std::string kRoot = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
const std::string kExample = "example.com/behind-the-sofa\n20852163\n" + kRoot + "\n";

TEST(Checkpoint, IsThatOfTheExampleInC2sp) {
  const auto checkpoint = Checkpoint::parse(kExample);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->origin, "example.com/behind-the-sofa");
  EXPECT_EQ(checkpoint->size, 20852163U);
  EXPECT_EQ(to_base64(view_of(checkpoint->root)), kRoot);
  EXPECT_TRUE(checkpoint->extensions.empty());
  EXPECT_EQ(checkpoint->text(), kExample);
}

TEST(Checkpoint, OfAPublicTestLogVerifiesUnderItsKey) {
  // The checkpoint that geomys.org's monitor shows to witnesses.
  const auto note = Note::parse(
      "geomys.org/witness/test-log\n1\nBCml5C32yqMcl0gjTrcSOeNVx59oPnSdytBzDGBO5k0=\n\n"
      "— geomys.org/witness/test-log "
      "wHh/9BPsoBNr2x0Ol3qPBYasIN0HI2ZiBg5ac0v3LQq/7F+YO7U4oWbDeJn1VaWVrlbSEM30Gr7WWYQjj2SBxRoJ/Ao="
      "\n");
  ASSERT_TRUE(note);
  const auto key = VerifierKey::parse(
      "geomys.org/witness/test-log+c0787ff4+AeMb5VOzy60PTGdGmLPxOKGAa0jNyDGsgv2rnprGju1t");
  EXPECT_TRUE(verify_note(*note, std::vector{*key}));
  const auto checkpoint = Checkpoint::parse(note->text);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->origin, key->name);
  EXPECT_EQ(checkpoint->size, 1U);
}

TEST(Checkpoint, MayBeOfAnEmptyOrTheLargestTreeAndHaveExtensionLines) {
  for (const std::uint64_t size : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    const Checkpoint checkpoint{"a name with spaces + more", size, empty_root(), {"one", "two 2"}};
    const auto read = Checkpoint::parse(checkpoint.text());
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, checkpoint);
  }
}

TEST(Checkpoint, OfAnotherFormIsRefused) {
  const std::string root = kRoot + "\n";
  for (const std::string& bad : {
           std::string(),
           std::string("\n"),
           std::string("\n\n\n"),
           std::string("o\n"),
           std::string("o\n1\n"),
           "o\n1\n" + kRoot,
           "\n1\n" + root,
           "1\n" + root,
           "o\n\n" + root,
           "o\n01\n" + root,
           "o\n00\n" + root,
           "o\n-1\n" + root,
           "o\n+1\n" + root,
           "o\n 1\n" + root,
           "o\n1 \n" + root,
           "o\n0x1\n" + root,
           "o\n1e3\n" + root,
           "o\n1.0\n" + root,
           "o\n18446744073709551616\n" + root,
           "o\n1\r\n" + root,
           "o\n1\n\n" + root,
           "o\n1\n " + root,
           "o\n1\n" + kRoot.substr(0, 43) + "\n",
           "o\n1\n" + kRoot.substr(4) + "\n",
           "o\n1\nAAAA" + root,
           "o\n1\n" + kRoot.substr(0, 42) + "J=\n",  // bits that are not zero
           "o\n1\n" + root + "\n",
           "o\n1\n" + root + "ext\n\n",
           "o\n1\n" + root + "\next\n",
           "o\n1\n" + root + "ext",
           "o\n1\n" + root + "e\tt\n",
           "o\xFF\n1\n" + root,
       }) {
    const auto refused = Checkpoint::parse(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace avow::merkle
