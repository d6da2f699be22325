// SPDX-License-Identifier: Apache-2.0
#include "auth/jwks.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/bytes.h"
#include "base/log.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::auth {
namespace {

constexpr std::size_t kSecretBytesMin = 32;  // RFC 7518, section 3.2
constexpr std::size_t kRsaBitsMin = 2048;    // section 3.3
constexpr std::size_t kRsaBitsMax = 8192;    // above, one check costs too much

constexpr std::array<std::pair<std::string_view, JwtAlgorithm>, 4> kAlgorithms = {{
    {"HS256", JwtAlgorithm::kHs256},
    {"RS256", JwtAlgorithm::kRs256},
    {"ES256", JwtAlgorithm::kEs256},
    {"EdDSA", JwtAlgorithm::kEdDsa},
}};

std::string_view name_of(JwtAlgorithm algorithm) {
  return kAlgorithms[static_cast<std::size_t>(algorithm)].first;
}

/// The algorithm that a key of this kind and curve is for; none if we know none.
std::optional<JwtAlgorithm> algorithm_of(const json::Value& jwk) {
  const std::string kty = jwk.string_or("kty");
  const std::string crv = jwk.string_or("crv");
  if (kty == "oct") return JwtAlgorithm::kHs256;
  if (kty == "RSA") return JwtAlgorithm::kRs256;
  if (kty == "EC" && crv == "P-256") return JwtAlgorithm::kEs256;
  if (kty == "OKP" && crv == "Ed25519") return JwtAlgorithm::kEdDsa;
  return std::nullopt;
}

/// Whether the key says of itself that it is for something else (RFC 7517, sections 4.2 to 4.4).
bool is_for_another_use(const json::Value& jwk, JwtAlgorithm algorithm) {
  const json::Value* operations = jwk.find("key_ops");
  if (operations != nullptr && operations->is_array()) {
    const json::Array& items = operations->as_array();
    if (std::find(items.begin(), items.end(), json::Value("verify")) == items.end()) return true;
  }
  return jwk.string_or("use", "sig") != "sig" ||
         jwk.string_or("alg", name_of(algorithm)) != name_of(algorithm);
}

std::size_t bits_of(std::string_view number) {
  const std::size_t zeros = std::min(number.find_first_not_of('\0'), number.size());
  number.remove_prefix(zeros);
  if (number.empty()) return 0;
  return number.size() * 8 -
         static_cast<std::size_t>(std::countl_zero(static_cast<unsigned char>(number[0])));
}

/// The members that make the key, each decoded to see that it can be, and their sizes.
Result<json::Value> key_members(const json::Value& jwk, JwtAlgorithm algorithm) {
  static constexpr std::array<std::array<std::string_view, 2>, 4> kNames = {
      {{"k", ""}, {"n", "e"}, {"x", "y"}, {"x", ""}}};
  json::Object out{{"kty", jwk.string_or("kty")}};
  if (jwk.find("crv") != nullptr) out.set("crv", jwk.string_or("crv"));
  std::array<std::string, 2> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::string_view name = kNames[static_cast<std::size_t>(algorithm)][i];
    if (name.empty()) continue;
    auto decoded = from_base64url(jwk.string_or(name));
    if (!decoded || decoded->empty()) {
      return failure(Code::kInvalidArgument, "member \"{}\" is missing or not base64url", name);
    }
    bytes[i] = std::move(*decoded);
    out.set(name, jwk.string_or(name));
  }
  const std::size_t bits = bits_of(bytes[0]);
  switch (algorithm) {
    case JwtAlgorithm::kHs256:
      if (bytes[0].size() >= kSecretBytesMin) return json::Value(out);
      return failure(Code::kInvalidArgument, "a secret of {} bytes, at least {} are needed",
                     bytes[0].size(), kSecretBytesMin);
    case JwtAlgorithm::kRs256:
      if (bits >= kRsaBitsMin && bits <= kRsaBitsMax && bytes[1].size() <= 8)
        return json::Value(out);
      return failure(Code::kInvalidArgument, "an RSA key of {} bits, allowed are {} to {}", bits,
                     kRsaBitsMin, kRsaBitsMax);
    case JwtAlgorithm::kEs256:
      if (bytes[0].size() == 32 && bytes[1].size() == 32) return json::Value(out);
      return failure(Code::kInvalidArgument, "coordinates of P-256 have 32 bytes");
    case JwtAlgorithm::kEdDsa:
      if (bytes[0].size() == 32) return json::Value(out);
      return failure(Code::kInvalidArgument, "an Ed25519 key has 32 bytes");
  }
  return failure(Code::kInternal, "no such algorithm");
}

}  // namespace

Result<JwtAlgorithm> parse_jwt_algorithm(std::string_view text) {
  for (const auto& [name, algorithm] : kAlgorithms) {
    if (name == text) return algorithm;
  }
  return failure(Code::kInvalidArgument,
                 "\"{}\" is no algorithm for tokens; allowed are HS256, RS256, ES256, EdDSA",
                 shown(text));
}

Result<std::vector<VerificationKey>> parse_jwks(std::string_view text, JwksOrigin origin) {
  ASSIGN_OR_RETURN(const json::Value set,
                   json::parse(text, {.depth_max = 16, .bytes_max = kJwksBytesMax}));
  const json::Value* keys = set.find("keys");
  if (keys == nullptr || !keys->is_array() || keys->as_array().size() > kJwksKeysMax) {
    return failure(Code::kInvalidArgument, "a JWKS has a member \"keys\", a list of at most {}",
                   kJwksKeysMax);
  }
  std::vector<VerificationKey> out;
  for (std::size_t i = 0; i < keys->as_array().size(); ++i) {
    const json::Value& jwk = keys->as_array()[i];
    const auto algorithm = algorithm_of(jwk);
    if (!algorithm || is_for_another_use(jwk, *algorithm)) continue;
    if (algorithm == JwtAlgorithm::kHs256 && origin == JwksOrigin::kUrl) {
      return failure(Code::kInvalidArgument, "key {}: a secret may not come from a URL", i);
    }
    const auto members = key_members(jwk, *algorithm);
    if (!members) return members.error().in(fmt::format("key {}", i));
    out.push_back({jwk.string_or("kid"), *algorithm, json::write(*members)});
  }
  if (out.empty()) {
    return failure(Code::kInvalidArgument, "no key in it is for HS256, RS256, ES256 or EdDSA");
  }
  return out;
}

struct KeyRing::State {
  Mutex mutex;
  std::vector<VerificationKey> keys GUARDED_BY(mutex);
  std::optional<Time> read_at GUARDED_BY(mutex);  ///< Of `keys`; absent: never.
  std::optional<Time> attempted_at GUARDED_BY(mutex);
  bool is_reading GUARDED_BY(mutex) = false;

  [[nodiscard]] std::vector<VerificationKey> matching(JwtAlgorithm algorithm,
                                                      const std::optional<std::string>& kid) const
      REQUIRES(mutex) {
    std::vector<VerificationKey> out;
    for (const VerificationKey& key : keys) {
      if (key.algorithm == algorithm && (!kid || key.kid == *kid)) out.push_back(key);
    }
    if (!kid && out.size() != 1) out.clear();
    return out;
  }

  /// Whether the keys should be read now; if so, notes that they are.
  bool begin_reading(bool is_key_missing, Time now) REQUIRES(mutex) {
    const bool is_old = !read_at || now - *read_at >= kRefreshAfter;
    if (is_reading || (!is_old && !is_key_missing)) return false;
    if (attempted_at && now - *attempted_at < kAttemptEvery) return false;
    attempted_at = now;
    is_reading = true;
    return true;
  }

  void end_reading(const std::string& url, Result<net::ClientResponse> response) {
    auto read = keys_in(std::move(response));
    const MutexLock lock(mutex);
    is_reading = false;
    if (!read) {
      log::warning("read the keys of {}: {}", url, read.error().message);
      return;
    }
    keys = std::move(*read);
    read_at = attempted_at;
  }

  static Result<std::vector<VerificationKey>> keys_in(Result<net::ClientResponse> response) {
    if (!response) return response.error();
    if (response->status != 200) {
      return failure(Code::kUnavailable, "the answer has status {}", response->status);
    }
    return parse_jwks(response->body, JwksOrigin::kUrl);
  }
};

KeyRing::KeyRing(std::vector<VerificationKey> keys) : state_(std::make_shared<State>()) {
  const MutexLock lock(state_->mutex);
  state_->keys = std::move(keys);
}

KeyRing::KeyRing(std::string url, net::HttpClient& client, Executor& executor)
    : url_(std::move(url)),
      client_(&client),
      executor_(&executor),
      state_(std::make_shared<State>()) {}

KeyRing::~KeyRing() { stop_.request_stop(); }

void KeyRing::fetch(Time now) {
  net::ClientRequest request;
  request.url = url_;
  request.headers.add("Accept", "application/jwk-set+json, application/json");
  request.response_bytes_max = kJwksBytesMax;
  client_->send(std::move(request), now + kFetchTimeout, stop_.get_token(), *executor_,
                [state = state_, url = url_](Result<net::ClientResponse> response) {
                  state->end_reading(url, std::move(response));
                });
}

void KeyRing::refresh(Time now) {
  if (client_ == nullptr) return;
  bool is_due = false;
  {
    const MutexLock lock(state_->mutex);
    is_due = state_->begin_reading(false, now);
  }
  if (is_due) fetch(now);
}

Result<std::vector<VerificationKey>> KeyRing::find(JwtAlgorithm algorithm,
                                                   const std::optional<std::string>& kid,
                                                   Time now) {
  std::vector<VerificationKey> found;
  bool is_due = false;
  bool is_incomplete = false;  // what is missing may be there in a moment
  {
    const MutexLock lock(state_->mutex);
    found = state_->matching(algorithm, kid);
    if (client_ != nullptr) {
      is_due = state_->begin_reading(found.empty(), now);
      const bool is_outdated = !state_->read_at || now - *state_->read_at >= kKeysAgeMax;
      if (is_outdated) found.clear();
      is_incomplete = state_->is_reading || is_outdated;
    }
  }
  if (is_due) fetch(now);
  if (!found.empty()) return found;
  if (is_incomplete)
    return failure(Code::kUnavailable, "the issuer's keys are being read, try again");
  return failure(Code::kUnauthenticated, "the token is signed by no key of its issuer");
}

}  // namespace avow::auth
