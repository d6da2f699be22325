// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "auth/jwt_signature.h"
#include "base/bytes.h"
#include "crypto/sha256.h"
#include "json/parse.h"

namespace avow::auth {
namespace {

constexpr std::size_t kSubjectBytesMax = 1024;
/// Members of the header that would bring a key along, or change what the signature covers.
constexpr std::array<std::string_view, 8> kRefusedHeaders = {"jku",  "jwk", "x5u", "x5c",
                                                             "crit", "b64", "zip", "enc"};

Error refused(std::string_view why) {
  return failure(Code::kUnauthenticated, "the token is refused: {}", why);
}

struct Parts {
  json::Value header;
  json::Value claims;
};

Result<json::Value> object_in(std::string_view part, std::string_view what) {
  const auto text = from_base64url(part);
  if (!text) return refused(fmt::format("its {} is not base64url", what));
  const auto value = json::parse(*text, {.depth_max = 16, .bytes_max = kTokenBytesMax});
  if (!value || !value->is_object()) {
    return refused(fmt::format("its {} is no JSON object without duplicate members", what));
  }
  return *value;
}

Result<Parts> split(std::string_view token) {
  if (token.size() > kTokenBytesMax) {
    return refused(fmt::format("it has more than {} bytes", kTokenBytesMax));
  }
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return refused("it does not have three parts");
  }
  if (!from_base64url(token.substr(second + 1))) return refused("its signature is not base64url");
  ASSIGN_OR_RETURN(json::Value header, object_in(token.substr(0, first), "header"));
  ASSIGN_OR_RETURN(json::Value claims,
                   object_in(token.substr(first + 1, second - first - 1), "body"));
  return Parts{std::move(header), std::move(claims)};
}

/// A token of another kind (RFC 8725, section 3.11) must not pass for an access token.
bool is_access_token_type(const json::Value& typ) {
  if (!typ.is_string()) return false;
  std::string text = typ.as_string();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (text.starts_with("application/")) text.erase(0, 12);
  return text == "jwt" || text == "at+jwt";
}

Result<JwtAlgorithm> judge_header(const json::Value& header, const JwtIssuer& issuer) {
  for (const std::string_view name : kRefusedHeaders) {
    if (header.find(name) != nullptr) return refused(fmt::format("its header has \"{}\"", name));
  }
  if (const json::Value* typ = header.find("typ"); typ != nullptr && !is_access_token_type(*typ)) {
    return refused("its \"typ\" is neither JWT nor at+jwt");
  }
  const json::Value* kid = header.find("kid");
  if (kid != nullptr && !kid->is_string()) return refused("its \"kid\" is no string");
  const auto algorithm = parse_jwt_algorithm(header.string_or("alg"));
  const auto& allowed = issuer.algorithms;
  if (!algorithm || std::find(allowed.begin(), allowed.end(), *algorithm) == allowed.end()) {
    return refused("its \"alg\" is not configured for its issuer");
  }
  return *algorithm;
}

/// A NumericDate; nothing where it is absent. Errors: kUnauthenticated (no number, or out of range)
Result<std::optional<Time>> date(const json::Value& claims, std::string_view name) {
  const json::Value* value = claims.find(name);
  if (value == nullptr) return std::optional<Time>();
  // Year 5138: far enough, and its milliseconds fit.
  if (!value->is_number() || std::abs(value->as_double()) > 1e11) {
    return refused(fmt::format("its \"{}\" is no time", name));
  }
  return std::optional<Time>(Duration(static_cast<std::int64_t>(value->as_double() * 1000)));
}

Result<Time> judge_times(const json::Value& claims, Time now) {
  ASSIGN_OR_RETURN(const auto expires_at, date(claims, "exp"));
  ASSIGN_OR_RETURN(const auto not_before, date(claims, "nbf"));
  ASSIGN_OR_RETURN(const auto issued_at, date(claims, "iat"));
  if (!expires_at) return refused("it has no \"exp\"");
  if (now >= *expires_at + kTokenLeeway) return refused("it has expired");
  if (*expires_at > now + kTokenLifeMax + kTokenLeeway) {
    return refused("its \"exp\" is more than 24 hours ahead");
  }
  if (not_before && *not_before > now + kTokenLeeway) return refused("it is not valid yet");
  if (issued_at && *issued_at > now + kTokenLeeway) return refused("its \"iat\" lies ahead");
  return *expires_at;
}

bool is_for(const json::Value* aud, const std::string& audience) {
  if (aud == nullptr) return false;
  if (!aud->is_array()) return *aud == json::Value(audience);
  const json::Array& all = aud->as_array();
  return std::find(all.begin(), all.end(), json::Value(audience)) != all.end();
}

/// `scope`: words in one string (RFC 8693, section 4.2), or a list of strings.
Result<ScopeSet> scopes_in(const json::Value& claims) {
  const json::Value* scope = claims.find("scope");
  std::vector<std::string> entries;
  if (scope != nullptr && scope->is_string()) {
    std::string_view rest = scope->as_string();
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      if (end > 0) entries.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  } else if (scope != nullptr && scope->is_array()) {
    for (const json::Value& entry : scope->as_array()) {
      if (!entry.is_string()) return refused("its \"scope\" holds something other than strings");
      entries.push_back(entry.as_string());
    }
  } else {
    return refused("it has no \"scope\", a string or a list of strings");
  }
  auto scopes = ScopeSet::parse_token(entries);
  if (!scopes) return refused("its \"scope\" has too many entries, or a denial that is not known");
  return std::move(*scopes);
}

/// Length first, so that no other issuer and subject give the same text to hash.
std::string principal_of(const std::string& issuer, const std::string& subject) {
  const std::string text = fmt::format("{}:{}{}", issuer.size(), issuer, subject);
  return "jwt:" + to_hex(view_of(crypto::sha256(text))).substr(0, 32);
}

Result<Caller> judge_claims(const json::Value& claims, const JwtIssuer& issuer, Time now) {
  ASSIGN_OR_RETURN(const Time expires_at, judge_times(claims, now));
  if (!is_for(claims.find("aud"), issuer.audience))
    return refused("its \"aud\" is not this service");
  const auto tenant = parse_id(claims.string_or("tenant_id"));
  if (!tenant) return refused("its \"tenant_id\" is missing or no id");
  if (std::find(issuer.tenants.begin(), issuer.tenants.end(), TenantId{*tenant}) ==
      issuer.tenants.end()) {
    return refused("its issuer may not speak for its \"tenant_id\"");
  }
  const std::string subject = claims.string_or("sub");
  if (subject.empty() || subject.size() > kSubjectBytesMax) {
    return refused("its \"sub\" is missing or too long");
  }
  ASSIGN_OR_RETURN(ScopeSet scopes, scopes_in(claims));
  return Caller{.tenant = {*tenant},
                .is_platform = false,
                .scopes = std::move(scopes),
                .agent_ids = {},
                .key = {},
                .principal = principal_of(issuer.issuer, subject),
                .expires_at = expires_at};
}

Result<void> check(const JwtIssuer& issuer) {
  const auto wrong = [&issuer](std::string_view what) {
    return failure(Code::kInvalidArgument, "issuer \"{}\": {}", shown(issuer.issuer), what);
  };
  if (issuer.issuer.empty()) return wrong("its name is empty");
  if (issuer.audience.empty()) return wrong("no audience");
  if (issuer.algorithms.empty()) return wrong("no algorithms");
  if (issuer.tenants.empty()) return wrong("no tenants that it may speak for");
  if (issuer.jwks.empty() == issuer.jwks_url.empty()) {
    return wrong("needs either a JWKS file or a JWKS URL");
  }
  if (!issuer.jwks_url.empty() && !issuer.jwks_url.starts_with("https://")) {
    return wrong("its JWKS URL is not https");
  }
  return {};
}

}  // namespace

struct JwtVerifier::Trusted {
  JwtIssuer issuer;
  KeyRing keys;

  Trusted(JwtIssuer the_issuer, std::vector<VerificationKey> fixed)
      : issuer(std::move(the_issuer)), keys(std::move(fixed)) {}
  Trusted(JwtIssuer the_issuer, net::HttpClient& client, Executor& executor)
      : issuer(std::move(the_issuer)), keys(issuer.jwks_url, client, executor) {}
};

JwtVerifier::JwtVerifier(std::vector<std::unique_ptr<Trusted>> issuers)
    : issuers_(std::move(issuers)) {}

JwtVerifier::~JwtVerifier() = default;

Result<std::unique_ptr<JwtVerifier>> JwtVerifier::create(std::vector<JwtIssuer> issuers,
                                                         net::HttpClient& client,
                                                         Executor& executor) {
  std::vector<std::unique_ptr<Trusted>> trusted;
  std::set<std::string> names;
  for (JwtIssuer& issuer : issuers) {
    RETURN_IF_ERROR(check(issuer));
    if (!names.insert(issuer.issuer).second) {
      return failure(Code::kInvalidArgument, "issuer \"{}\" is configured twice",
                     shown(issuer.issuer));
    }
    if (!issuer.jwks_url.empty()) {
      trusted.push_back(std::make_unique<Trusted>(std::move(issuer), client, executor));
      continue;
    }
    auto keys = parse_jwks(issuer.jwks, JwksOrigin::kFile);
    if (!keys) return keys.error().in(fmt::format("issuer \"{}\": JWKS", shown(issuer.issuer)));
    trusted.push_back(std::make_unique<Trusted>(std::move(issuer), std::move(*keys)));
  }
  return std::unique_ptr<JwtVerifier>(new JwtVerifier(std::move(trusted)));
}

void JwtVerifier::refresh(Time now) {
  for (const auto& trusted : issuers_) trusted->keys.refresh(now);
}

Result<Caller> JwtVerifier::verify(std::string_view token, Time now) {
  ASSIGN_OR_RETURN(const Parts parts, split(token));
  // Nothing said here is believed yet: it only picks the keys that are tried.
  const std::string issuer = parts.claims.string_or("iss");
  const auto found = std::find_if(issuers_.begin(), issuers_.end(),
                                  [&](const auto& each) { return each->issuer.issuer == issuer; });
  if (found == issuers_.end()) return refused("its \"iss\" is not configured");
  Trusted& trusted = **found;
  ASSIGN_OR_RETURN(const JwtAlgorithm algorithm, judge_header(parts.header, trusted.issuer));
  std::optional<std::string> kid;
  if (parts.header.find("kid") != nullptr) kid = parts.header.string_or("kid");
  ASSIGN_OR_RETURN(const auto keys, trusted.keys.find(algorithm, kid, now));
  const bool is_signed = std::any_of(keys.begin(), keys.end(), [&](const VerificationKey& key) {
    return is_signed_by(std::string(token), key);
  });
  if (!is_signed) return refused("its signature is not its issuer's");
  return judge_claims(parts.claims, trusted.issuer, now);
}

}  // namespace avow::auth
