// SPDX-License-Identifier: Apache-2.0
#include "provenance/content.h"

#include <algorithm>
#include <set>

#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"
#include "provenance/segment.h"

namespace avow::provenance {
namespace {

// First bytes that keep the inputs of the hashes apart; docs/formats/commitment.md has the
// formulas.
constexpr std::string_view kDigestPrefix("\x00", 1);
constexpr std::string_view kCommitmentPrefix("\x01", 1);
constexpr char kMemberSaltPrefix = '\x01';
constexpr std::string_view kMaskInput("\x02", 1);
constexpr std::string_view kObjectKind = "\x6F";
constexpr std::string_view kOtherKind = "\x76";
constexpr std::size_t kMemberSaltBytes = 16;

/// What can nest in a run's contents: values of 64 levels, wrapped by template after template.
constexpr std::size_t kDepthMax = 1024;

/// A content without its variable fields: seq, salt, and the lengths of member and value.
constexpr std::size_t kContentBytesMin = kNumberBytes + Bytes32().size() + 2 * kNumberBytes;

/// s_k; of a value that is no object, s, which is made as that of the empty key.
std::string member_salt(const crypto::HmacKey& salt, std::string_view key) {
  std::string input(1, kMemberSaltPrefix);
  input += key;
  const Bytes32 hmac = salt.hmac(input);
  return to_base64(view_of(hmac).substr(0, kMemberSaltBytes));
}

Bytes32 digest(std::string_view jcs) {
  return crypto::Sha256().update(kDigestPrefix).update(jcs).finish();
}

/// d_k = SHA-256(0x00 || JCS([s_k, k, v])).
Bytes32 member_digest(std::string_view salt, std::string_view key, const json::Value& value) {
  std::string jcs = "[";
  json::write_string_to(salt, jcs);
  jcs += ',';
  json::write_string_to(key, jcs);
  jcs += ',';
  json::write_canonical_to(value, jcs);
  jcs += ']';
  return digest(jcs);
}

/// d = SHA-256(0x00 || JCS([s, v])).
Bytes32 whole_digest(std::string_view salt, const json::Value& value) {
  std::string jcs = "[";
  json::write_string_to(salt, jcs);
  jcs += ',';
  json::write_canonical_to(value, jcs);
  jcs += ']';
  return digest(jcs);
}

/// All d_k of an object, sorted: their order must not tell the order of the keys.
std::vector<Bytes32> member_digests(const json::Object& object, const crypto::HmacKey& salt) {
  std::vector<Bytes32> digests;
  digests.reserve(object.size());
  for (const auto& [key, value] : object) {
    digests.push_back(member_digest(member_salt(salt, key), key, value));
  }
  std::ranges::sort(digests);
  return digests;
}

Bytes32 mask_of(const crypto::HmacKey& salt) { return salt.hmac(kMaskInput); }

Bytes32 committed(std::string_view kind, const Bytes32& mask, std::span<const Bytes32> digests) {
  crypto::Sha256 hash;
  hash.update(kCommitmentPrefix).update(kind).update(view_of(mask));
  for (const Bytes32& d : digests) hash.update(view_of(d));
  return hash.finish();
}

Result<Content> read_content(SegmentReader& reader) {
  Content content;
  ASSIGN_OR_RETURN(content.ref.seq, reader.number());
  ASSIGN_OR_RETURN(const std::string_view salt, reader.fixed(content.salt.size()));
  std::ranges::transform(salt, content.salt.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  ASSIGN_OR_RETURN(content.ref.member, reader.field());
  ASSIGN_OR_RETURN(const std::string_view text, reader.field());
  auto value = json::parse(text, {.depth_max = kDepthMax, .bytes_max = text.size()});
  if (!value) return Error{Code::kCorruption, value.error().in("contents segment").message};
  content.value = *std::move(value);
  return content;
}

}  // namespace

Bytes32 derive_salt(const Bytes32& random, const ContentRef& ref) {
  std::string input = "salt";
  for (int shift = 24; shift >= 0; shift -= 8) input += static_cast<char>(ref.seq >> shift & 0xFF);
  input += ref.member;
  return crypto::hmac_sha256(view_of(random), input);
}

Bytes32 commitment(const json::Value& value, const Bytes32& salt) {
  const crypto::HmacKey key(view_of(salt));
  if (value.is_object()) {
    return committed(kObjectKind, mask_of(key), member_digests(value.as_object(), key));
  }
  const Bytes32 d = whole_digest(member_salt(key, {}), value);
  return committed(kOtherKind, mask_of(key), {&d, 1});
}

Result<Disclosure> disclose(const json::Value& object, const Bytes32& salt,
                            std::span<const std::string> keys) {
  if (!object.is_object()) {
    return failure(Code::kInvalidArgument, "only members of an object can be shown one by one");
  }
  const crypto::HmacKey salt_key(view_of(salt));
  Disclosure disclosure{{}, mask_of(salt_key), member_digests(object.as_object(), salt_key)};
  for (const std::string& key : std::set(keys.begin(), keys.end())) {
    const json::Value* value = object.find(key);
    if (value == nullptr) {
      return failure(Code::kInvalidArgument, "there is no member \"{}\" to show", shown(key));
    }
    disclosure.members.push_back({member_salt(salt_key, key), key, *value});
  }
  return disclosure;
}

Result<void> check_disclosure(const Disclosure& disclosure, const Bytes32& commitment) {
  const auto& digests = disclosure.digests;
  if (!std::ranges::is_sorted(digests) ||
      committed(kObjectKind, disclosure.mask, digests) != commitment) {
    return failure(Code::kCorruption, "the disclosure belongs to another commitment");
  }
  std::set<std::string_view> seen;
  for (const OpenedMember& member : disclosure.members) {
    if (!seen.insert(member.key).second) {
      return failure(Code::kCorruption, "member \"{}\" is shown twice", shown(member.key));
    }
    if (!std::ranges::binary_search(digests,
                                    member_digest(member.salt, member.key, member.value))) {
      return failure(Code::kCorruption, "member \"{}\" is not what was committed to",
                     shown(member.key));
    }
  }
  return {};
}

std::string encode_contents(std::span<const Content> contents) {
  SegmentWriter segment(contents.size(), contents.size() * kContentBytesMin);
  std::string text;
  for (const Content& content : contents) {
    segment.add_number(content.ref.seq);
    segment.add_fixed(view_of(content.salt));
    segment.add_field(content.ref.member);
    text.clear();
    // Not the canonical order: what a run does after recovery, and how an answer looks, must not
    // depend on whether a value was read back, so its members keep their places.
    json::write_to(content.value, text);
    segment.add_field(text);
  }
  return std::move(segment).finish();
}

Result<std::vector<Content>> decode_contents(std::string_view segment) {
  ASSIGN_OR_RETURN(auto reader, SegmentReader::open(segment, "contents segment", kContentBytesMin));
  std::vector<Content> contents;
  contents.reserve(reader.records());
  for (std::uint32_t i = 0; i < reader.records(); ++i) {
    ASSIGN_OR_RETURN(auto content, read_content(reader));
    contents.push_back(std::move(content));
  }
  RETURN_IF_ERROR(reader.close());
  return contents;
}

}  // namespace avow::provenance
