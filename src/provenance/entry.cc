// SPDX-License-Identifier: Apache-2.0
#include "provenance/entry.h"

#include <algorithm>
#include <optional>

#include "provenance/statement.h"

namespace avow::provenance {
namespace {

// The canonical JSON has no place for a choice: what lies between its three values is fixed.
constexpr std::string_view kBeforeDigest =
    R"({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":)"
    R"({"algorithm":"SHA2_256","digest":")";
constexpr std::string_view kBeforeSignature = R"("},"signature":{"content":")";
constexpr std::string_view kBeforeKey =
    R"(","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":")";
constexpr std::string_view kEnd = R"("}}}}}})";

/// Cuts `prefix` and the base64 behind it off `rest`; nothing if that is not what stands there, or
/// is empty.
std::optional<std::string> take_field(std::string_view& rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return {};
  rest.remove_prefix(prefix.size());
  const std::string_view text = rest.substr(0, rest.find('"'));
  auto bytes = from_base64(text);
  if (!bytes || bytes->empty()) return {};
  rest.remove_prefix(text.size());
  return *std::move(bytes);
}

}  // namespace

Entry make_entry(std::string_view statement, const crypto::P256PrivateKey& key) {
  return {statement_digest(statement), key.sign(statement), key.public_key().spki_der()};
}

std::string encode(const Entry& entry) {
  std::string out(kBeforeDigest);
  out.append(to_base64(view_of(entry.digest))).append(kBeforeSignature);
  out.append(to_base64(entry.signature)).append(kBeforeKey);
  out.append(to_base64(entry.public_key)).append(kEnd);
  return out;
}

Result<Entry> decode_entry(std::string_view bytes) {
  std::string_view rest = bytes;
  Entry entry;
  const auto digest = take_field(rest, kBeforeDigest);
  auto signature = take_field(rest, kBeforeSignature);
  auto public_key = take_field(rest, kBeforeKey);
  if (!digest || digest->size() != entry.digest.size() || !signature || !public_key ||
      rest != kEnd) {
    return failure(Code::kCorruption, "not a canonical hashedrekord 0.0.2 of a P-256 signature");
  }
  std::ranges::transform(*digest, entry.digest.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  entry.signature = *std::move(signature);
  entry.public_key = *std::move(public_key);
  return entry;
}

}  // namespace avow::provenance
