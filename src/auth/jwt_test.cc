// SPDX-License-Identifier: Apache-2.0
// Tokens are made here, with signatures of the `crypto` module (OpenSSL), while the code under test
// verifies through librhonabwy (GnuTLS). RS256, which `crypto` does not have, is held against RFC
// 7515 and against tokens that librhonabwy signed.
#include "auth/jwt.h"

#include <gtest/gtest.h>
#include <rhonabwy.h>

#include <atomic>
#include <deque>
#include <functional>
#include <thread>

#include "auth/jwt_signature.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"
#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::auth {
namespace {

const Time kNow = *parse_time("2026-11-21T12:00:00Z");
constexpr std::int64_t kNowSeconds = 1'795'262'400;
const TenantId kTenant{{1, 2}};
const std::string kSecret(32, 's');

// RFC 7515, appendix A.2.
constexpr std::string_view kRsaModulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
    "4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
    "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
    "bSf63kpaSHSXndS5z5rexMdbBYUs"
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
    "DWNmoud"
    "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr std::string_view kRfcClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

using Signer = std::function<std::string(std::string_view)>;

std::string hs256(std::string_view input, std::string_view secret) {
  return std::string(view_of(crypto::hmac_sha256(secret, input)));
}

const crypto::Ed25519PrivateKey& ed25519_key() {
  static const auto key = crypto::Ed25519PrivateKey::from_seed(SeededRng(5).bytes32());
  return key;
}

const crypto::P256PrivateKey& p256_key() {
  static const auto key = crypto::P256PrivateKey::generate();
  return key;
}

/// r and s of a DER signature, 32 bytes each (RFC 7518, section 3.4).
std::string raw_from_der(const std::string& der) {
  std::string out;
  std::size_t at = 2;
  for (int i = 0; i < 2; ++i) {
    const auto size = static_cast<std::size_t>(der[at + 1]);
    std::string number = der.substr(at + 2, size);
    at += 2 + size;
    if (number.size() > 32) number.erase(0, number.size() - 32);
    out += std::string(32 - number.size(), '\0') + number;
  }
  return out;
}

const Signer kWithSecret = [](std::string_view input) { return hs256(input, kSecret); };
const Signer kWithEd25519 = [](std::string_view input) { return ed25519_key().sign(input); };
const Signer kWithP256 = [](std::string_view input) {
  return raw_from_der(p256_key().sign(input));
};

std::string token_of(std::string_view header, std::string_view claims, const Signer& sign) {
  const std::string input = to_base64url(header) + "." + to_base64url(claims);
  return input + "." + to_base64url(sign(input));
}

std::string ed25519_jwk(std::string_view kid,
                        const crypto::Ed25519PrivateKey& key = ed25519_key()) {
  return fmt::format(R"({{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{}"}})", kid,
                     to_base64url(view_of(key.public_key().bytes)));
}

std::string every_kind_of_key() {
  const std::string point = p256_key().public_key().spki_der().substr(27);
  return fmt::format(
      R"({{"keys":[{{"kty":"oct","kid":"h","k":"{}"}},
          {{"kty":"EC","crv":"P-256","kid":"p","x":"{}","y":"{}","use":"sig"}},{},
          {{"kty":"RSA","kid":"r","n":"{}","e":"AQAB"}}]}})",
      to_base64url(kSecret), to_base64url(point.substr(0, 32)), to_base64url(point.substr(32)),
      ed25519_jwk("e"), kRsaModulus);
}

JwtIssuer issuer() {
  return {.issuer = "https://issuer.example",
          .audience = "avow",
          .algorithms = {JwtAlgorithm::kHs256, JwtAlgorithm::kRs256, JwtAlgorithm::kEs256,
                         JwtAlgorithm::kEdDsa},
          .jwks = every_kind_of_key(),
          .tenants = {kTenant}};
}

/// Good claims, with `changes` merged over them as a JSON object of which null removes.
std::string claims_with(std::string_view changes = "{}") {
  json::Value claims =
      json::Object{{"iss", "https://issuer.example"},  {"aud", "avow"},
                   {"exp", kNowSeconds + 600},         {"tenant_id", kTenant.uuid()},
                   {"scope", "workflows:read openid"}, {"sub", "alice@example.com"}};
  const json::Value changed = *json::parse(changes);
  for (const json::Member& member : changed.as_object()) {
    if (member.value.is_null()) {
      claims.mutable_object().erase(member.key);
    } else {
      claims.set(member.key, member.value);
    }
  }
  return json::write(claims);
}

/// An issuer's web server whose answers the test gives when it wants, and an executor for it.
class JwksServer : public net::HttpClient, public Executor {
 public:
  void send(net::ClientRequest request, Time, std::stop_token, Executor&, Done done) override {
    urls.push_back(request.url);
    waiting_.push_back(std::move(done));
  }
  void post(Task task) override { task(); }
  void post_at(Time, Task task) override { task(); }

  void answer(int status, std::string body) {
    ASSERT_FALSE(waiting_.empty());
    const Done done = std::move(waiting_.front());
    waiting_.pop_front();
    done(net::ClientResponse{.status = status, .body = std::move(body)});
  }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  std::vector<std::string> urls;

 private:
  std::deque<Done> waiting_;
};

class Jwt : public testing::Test {
 protected:
  void SetUp() override { use({issuer()}); }
  void use(std::vector<JwtIssuer> issuers) {
    auto made = JwtVerifier::create(std::move(issuers), server_, server_);
    ASSERT_TRUE(made) << made.error().message;
    verifier_ = std::move(*made);
  }

  Result<Caller> verify(std::string_view header, std::string_view claims,
                        const Signer& sign = kWithSecret) {
    return verifier_->verify(token_of(header, claims, sign), kNow);
  }
  /// The message of a refusal; "accepted" if there was none.
  std::string refusal(const std::string& token) {
    const auto caller = verifier_->verify(token, kNow);
    if (caller) return "accepted";
    EXPECT_EQ(caller.error().code, Code::kUnauthenticated);
    return caller.error().message;
  }
  std::string refusal_of_claims(std::string_view changes) {
    return refusal(token_of(kHeader, claims_with(changes), kWithSecret));
  }
  std::string refusal_of_header(std::string_view header, const Signer& sign = kWithSecret) {
    return refusal(token_of(header, claims_with(), sign));
  }

  static constexpr std::string_view kHeader = R"({"alg":"HS256","kid":"h"})";
  JwksServer server_;
  std::unique_ptr<JwtVerifier> verifier_;
};

#define EXPECT_SAYS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << std::string(text)

TEST(JwtSignature, VerifiesTheExamplesOfRfc7515AndNothingElse) {
  const std::string claims(kRfcClaims);
  const VerificationKey hmac{
      "", JwtAlgorithm::kHs256,
      R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})"};
  const VerificationKey rsa{"", JwtAlgorithm::kRs256,
                            fmt::format(R"({{"kty":"RSA","n":"{}","e":"AQAB"}})", kRsaModulus)};
  const VerificationKey p256{
      "", JwtAlgorithm::kEs256,
      R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"};
  const std::string hmac_token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + claims +
                                 ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const std::string rsa_token = "eyJhbGciOiJSUzI1NiJ9." + claims +
                                ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__"
                                "dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG"
                                "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
                                "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
                                "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
                                "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
                                "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
  const std::string p256_token =
      "eyJhbGciOiJFUzI1NiJ9." + claims +
      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  const std::pair<std::string, VerificationKey> pairs[] = {
      {hmac_token, hmac}, {rsa_token, rsa}, {p256_token, p256}};
  for (const auto& [token, key] : pairs) {
    for (const auto& [other_token, other_key] : pairs) {
      EXPECT_EQ(is_signed_by(other_token, key), other_token == token);
    }
    std::string changed = token;
    changed[changed.size() - 20] = changed[changed.size() - 20] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(is_signed_by(changed, key));
    EXPECT_FALSE(is_signed_by(token.substr(0, token.rfind('.') + 1), key));
  }
}

TEST_F(Jwt, AcceptsHs256Es256AndEdDsa) {
  const std::tuple<std::string_view, Signer> kinds[] = {
      {R"({"alg":"HS256","kid":"h"})", kWithSecret},
      {R"({"alg":"ES256","kid":"p","typ":"JWT"})", kWithP256},
      {R"({"alg":"EdDSA","kid":"e","typ":"application/at+JWT"})", kWithEd25519},
      {R"({"alg":"EdDSA"})", kWithEd25519}};
  for (const auto& [header, sign] : kinds) {
    for (int i = 0; i < 20; ++i) {  // ECDSA is random: short and long r and s
      const auto caller = verify(header, claims_with(), sign);
      ASSERT_TRUE(caller) << header << caller.error().message;
    }
  }
}

TEST_F(Jwt, AcceptsRs256) {
  jwk_t* secret = nullptr;
  jwk_t* shown = nullptr;
  jws_t* jws = nullptr;
  ASSERT_EQ(r_jwk_init(&secret) + r_jwk_init(&shown) + r_jws_init(&jws), RHN_OK);
  ASSERT_EQ(r_jwk_generate_key_pair(secret, shown, R_KEY_TYPE_RSA, 2048, "rsa"), RHN_OK);
  const std::string claims = claims_with();
  ASSERT_EQ(r_jws_set_alg(jws, R_JWA_ALG_RS256), RHN_OK);
  ASSERT_EQ(
      r_jws_set_payload(jws, reinterpret_cast<const unsigned char*>(claims.data()), claims.size()),
      RHN_OK);
  char* token = r_jws_serialize(jws, secret, 0);
  char* key = r_jwk_export_to_json_str(shown, 0);
  ASSERT_TRUE(token != nullptr && key != nullptr);
  EXPECT_SAYS(refusal(token), "no key");
  JwtIssuer with_rsa = issuer();
  with_rsa.jwks = fmt::format(R"({{"keys":[{}]}})", key);
  use({with_rsa});
  EXPECT_EQ(refusal(token), "accepted");
  r_free(token);
  r_free(key);
  r_jws_free(jws);
  r_jwk_free(secret);
  r_jwk_free(shown);
}

TEST_F(Jwt, ManyThreadsVerifyAtOnce) {
  const std::string good = token_of(kHeader, claims_with(), kWithSecret);
  const std::string also_good =
      token_of(R"({"alg":"EdDSA","kid":"e"})", claims_with(), kWithEd25519);
  const std::string bad = token_of(R"({"alg":"EdDSA","kid":"e"})", claims_with(), kWithSecret);
  std::atomic<int> accepted = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) {
        for (const std::string& token : {good, also_good, bad}) {
          if (verifier_->verify(token, kNow)) ++accepted;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted, 4 * 100 * 2);
}

TEST_F(Jwt, NoChangeOfATokenIsAccepted) {
  const std::string token = token_of(kHeader, claims_with(), kWithSecret);
  ASSERT_EQ(refusal(token), "accepted");
  constexpr std::uint64_t kSeed = 20261121;
  SeededRng rng(kSeed);
  for (int i = 0; i < 5000; ++i) {
    std::string changed = token;
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n) {
      const auto at = static_cast<std::size_t>(rng.below(changed.size()));
      switch (rng.below(3)) {
        case 0:
          changed[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          changed.erase(at, 1 + rng.below(8));
          break;
        default:
          changed.insert(at, 1, static_cast<char>(rng.below(256)));
          break;
      }
    }
    if (changed == token) continue;
    EXPECT_NE(refusal(changed), "accepted") << "seed " << kSeed << ", change " << i;
  }
}

TEST_F(Jwt, TheCallerIsWhatTheClaimsSay) {
  const auto caller = verify(kHeader, claims_with());
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->tenant, kTenant);
  EXPECT_TRUE(caller->allows(Scope::kWorkflowsRead));
  EXPECT_FALSE(caller->allows(Scope::kWorkflowsWrite));
  EXPECT_FALSE(caller->is_platform);
  EXPECT_FALSE(caller->key);
  EXPECT_EQ(caller->expires_at, kNow + std::chrono::seconds(600));
  EXPECT_EQ(caller->principal.size(), 36U);
  EXPECT_EQ(caller->principal.find("alice"), std::string::npos);
  const auto list = verify(kHeader, claims_with(R"({"scope":["tools:*","!tools:write"]})"));
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->allows(Scope::kToolsRead));
  EXPECT_FALSE(list->allows(Scope::kToolsWrite));
  EXPECT_EQ(list->principal, caller->principal);
  EXPECT_NE(verify(kHeader, claims_with(R"({"sub":"bob"})"))->principal, caller->principal);
  EXPECT_TRUE(verify(kHeader, claims_with(R"({"aud":["x","avow"]})")));
  EXPECT_TRUE(verify(kHeader, claims_with(R"({"scope":""})")));
}

TEST_F(Jwt, RefusesUnsignedTokensAndAlgorithmsThatAreNotConfigured) {
  const Signer unsigned_token = [](std::string_view) { return std::string(); };
  for (const char* alg :
       {"none", "None", "", "HS384", "HS512", "RS512", "PS256", "ES384", "hs256"}) {
    const std::string header = fmt::format(R"({{"alg":"{}"}})", alg);
    EXPECT_SAYS(refusal_of_header(header, unsigned_token), "alg");
    EXPECT_SAYS(refusal_of_header(header), "alg");
  }
  EXPECT_SAYS(refusal_of_header("{}"), "alg");
  EXPECT_SAYS(refusal_of_header(R"({"alg":7})"), "alg");
  JwtIssuer strict = issuer();
  strict.algorithms = {JwtAlgorithm::kEdDsa};
  use({strict});
  EXPECT_SAYS(refusal_of_header(kHeader), "alg");
}

TEST_F(Jwt, RefusesAPublicKeyTakenForASecret) {
  const std::string modulus = *from_base64url(kRsaModulus);
  const std::string pem = p256_key().public_key().spki_pem();
  const std::string der = p256_key().public_key().spki_der();
  const std::string ed25519(view_of(ed25519_key().public_key().bytes));
  for (const std::string& secret : {modulus, pem, der, ed25519, std::string(kRsaModulus)}) {
    const Signer sign = [&secret](std::string_view input) { return hs256(input, secret); };
    for (const char* kid : {"r", "p", "e", "h"}) {
      const auto said =
          refusal_of_header(fmt::format(R"({{"alg":"HS256","kid":"{}"}})", kid), sign);
      EXPECT_SAYS(said, kid == std::string("h") ? "signature" : "signed by no key");
    }
    EXPECT_SAYS(refusal_of_header(R"({"alg":"HS256"})", sign), "signature");
  }
  // The algorithm belongs to the key, not to the token.
  EXPECT_SAYS(refusal_of_header(R"({"alg":"RS256","kid":"h"})"), "signed by no key");
  EXPECT_SAYS(refusal_of_header(R"({"alg":"EdDSA","kid":"p"})", kWithP256), "signed by no key");
}

TEST_F(Jwt, RefusesHeadersThatBringKeysOrChangeTheMeaning) {
  const std::string own_key = ed25519_jwk("e", crypto::Ed25519PrivateKey::from_seed({}));
  for (const std::string member :
       {R"("jku":"https://evil.example/keys")", R"("x5u":"https://evil.example/c")",
        R"("x5c":["AA"])", R"("crit":["exp"],"exp":1)", R"("crit":[])", R"("b64":false)",
        R"("zip":"DEF")", R"("enc":"A128GCM")"}) {
    EXPECT_SAYS(refusal_of_header(R"({"alg":"HS256","kid":"h",)" + member + "}"), "header has");
  }
  EXPECT_SAYS(refusal_of_header(R"({"alg":"EdDSA","jwk":)" + own_key + "}",
                                [](std::string_view input) {
                                  return crypto::Ed25519PrivateKey::from_seed({}).sign(input);
                                }),
              "jwk");
  EXPECT_SAYS(refusal_of_header(R"({"alg":"HS256","kid":"h","typ":"dpop+jwt"})"), "typ");
  EXPECT_SAYS(refusal_of_header(R"({"alg":"HS256","kid":7})"), "kid");
}

TEST_F(Jwt, RefusesSignaturesOfOthersAndChangedTokens) {
  const Signer other = [](std::string_view input) { return hs256(input, std::string(32, 't')); };
  EXPECT_SAYS(refusal_of_header(kHeader, other), "signature");
  EXPECT_SAYS(refusal_of_header(R"({"alg":"HS256","kid":"unknown"})"), "no key");
  const std::string token = token_of(kHeader, claims_with(), kWithSecret);
  const std::string richer = to_base64url(claims_with(R"({"scope":"*:*"})"));
  const std::size_t first = token.find('.');
  const std::size_t second = token.rfind('.');
  EXPECT_SAYS(refusal(token.substr(0, first + 1) + richer + token.substr(second)), "signature");
  EXPECT_SAYS(refusal(token.substr(0, second + 1)), "signature");
  for (std::size_t i = second + 1; i + 1 < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(refusal(changed), "accepted") << i;
  }
}

TEST_F(Jwt, RefusesTextThatIsNoToken) {
  const std::string good = token_of(kHeader, claims_with(), kWithSecret);
  for (const std::string& text :
       {std::string(), std::string("a"), std::string(".."), std::string("a.b.c"), good + ".",
        "." + good, good + "=", good + " ", good.substr(0, good.find('.')), good + "." + good,
        token_of("[]", claims_with(), kWithSecret), token_of(kHeader, "7", kWithSecret),
        token_of(kHeader, R"({"iss":)", kWithSecret)}) {
    EXPECT_NE(refusal(text), "accepted") << text;
  }
  EXPECT_SAYS(refusal(token_of(kHeader, claims_with(R"({"pad":")" + std::string(8192, 'x') + "\"}"),
                               kWithSecret)),
              "8192");
}

TEST_F(Jwt, RefusesDuplicateMembers) {
  std::string claims = claims_with();
  claims.insert(1, R"("scope":"*:*",)");
  EXPECT_SAYS(refusal(token_of(kHeader, claims, kWithSecret)), "duplicate");
  EXPECT_SAYS(refusal_of_header(R"({"alg":"none","alg":"HS256","kid":"h"})"), "duplicate");
}

TEST_F(Jwt, RefusesMissingOrForeignClaims) {
  EXPECT_SAYS(refusal_of_claims(R"({"iss":null})"), "iss");
  EXPECT_SAYS(refusal_of_claims(R"({"iss":"https://issuer.example/"})"), "iss");
  EXPECT_SAYS(refusal_of_claims(R"({"iss":["https://issuer.example"]})"), "iss");
  EXPECT_SAYS(refusal_of_claims(R"({"aud":null})"), "aud");
  EXPECT_SAYS(refusal_of_claims(R"({"aud":"other"})"), "aud");
  EXPECT_SAYS(refusal_of_claims(R"({"aud":["avo","w"]})"), "aud");
  EXPECT_SAYS(refusal_of_claims(R"({"tenant_id":null})"), "tenant_id");
  EXPECT_SAYS(refusal_of_claims(R"({"tenant_id":"*"})"), "tenant_id");
  EXPECT_SAYS(refusal_of_claims(R"({"tenant_id":"00000000-0000-0009-0000-000000000009"})"),
              "tenant_id");
  EXPECT_SAYS(refusal_of_claims(R"({"sub":null})"), "sub");
  EXPECT_SAYS(refusal_of_claims(R"({"sub":""})"), "sub");
  EXPECT_SAYS(refusal_of_claims(R"({"sub":7})"), "sub");
  EXPECT_SAYS(refusal_of_claims(R"({"scope":null})"), "scope");
  EXPECT_SAYS(refusal_of_claims(R"({"scope":{"a":1}})"), "scope");
  EXPECT_SAYS(refusal_of_claims(R"({"scope":["*:*",1]})"), "scope");
  EXPECT_SAYS(refusal_of_claims(R"({"scope":"*:* !files:read"})"), "scope");
}

TEST_F(Jwt, TimesHoldToTheSecondWithAMinuteOfLeeway) {
  const auto with = [&](std::string_view name, std::int64_t offset) {
    return refusal_of_claims(fmt::format(R"({{"{}":{}}})", name, kNowSeconds + offset));
  };
  EXPECT_EQ(with("exp", -59), "accepted");
  EXPECT_SAYS(with("exp", -60), "expired");
  EXPECT_EQ(with("exp", 24 * 3600 + 60), "accepted");
  EXPECT_SAYS(with("exp", 24 * 3600 + 61), "24 hours");
  EXPECT_EQ(with("nbf", 60), "accepted");
  EXPECT_SAYS(with("nbf", 61), "not valid yet");
  EXPECT_EQ(with("iat", 60), "accepted");
  EXPECT_SAYS(with("iat", 61), "iat");
  EXPECT_SAYS(refusal_of_claims(R"({"exp":null})"), "no \"exp\"");
  EXPECT_SAYS(refusal_of_claims(R"({"exp":"1795262500"})"), "no time");
  EXPECT_SAYS(refusal_of_claims(R"({"exp":1e300})"), "no time");
  EXPECT_SAYS(refusal_of_claims(R"({"nbf":true})"), "no time");
  EXPECT_EQ(refusal_of_claims(fmt::format(R"({{"exp":{}.5}})", kNowSeconds)), "accepted");
}

TEST_F(Jwt, OneIssuerCannotSpeakWithAnothersKeysOrTenants) {
  const TenantId other_tenant{{3, 4}};
  JwtIssuer other = issuer();
  other.issuer = "https://other.example";
  other.jwks = R"({"keys":[)" + ed25519_jwk("e") + "]}";
  other.algorithms = {JwtAlgorithm::kEdDsa};
  other.tenants = {other_tenant};
  use({issuer(), other});
  const auto as_other = [&](TenantId tenant) {
    return claims_with(
        fmt::format(R"({{"iss":"https://other.example","tenant_id":"{}"}})", tenant.uuid()));
  };
  constexpr std::string_view kEdHeader = R"({"alg":"EdDSA","kid":"e"})";
  EXPECT_EQ(refusal(token_of(kEdHeader, as_other(other_tenant), kWithEd25519)), "accepted");
  EXPECT_SAYS(refusal(token_of(kEdHeader, as_other(kTenant), kWithEd25519)), "tenant_id");
  EXPECT_SAYS(refusal(token_of(kHeader, as_other(other_tenant), kWithSecret)), "alg");
}

TEST_F(Jwt, RefusesAConfigurationThatCannotBeRight) {
  const auto error_with = [&](const std::function<void(JwtIssuer&)>& change) {
    JwtIssuer bad = issuer();
    change(bad);
    const auto made = JwtVerifier::create({bad}, server_, server_);
    return made ? std::string("accepted") : made.error().message;
  };
  EXPECT_SAYS(error_with([](JwtIssuer& i) { i.issuer = ""; }), "empty");
  EXPECT_SAYS(error_with([](JwtIssuer& i) { i.audience = ""; }), "audience");
  EXPECT_SAYS(error_with([](JwtIssuer& i) { i.algorithms = {}; }), "algorithms");
  EXPECT_SAYS(error_with([](JwtIssuer& i) { i.tenants = {}; }), "tenants");
  EXPECT_SAYS(error_with([](JwtIssuer& i) { i.jwks = ""; }), "JWKS");
  EXPECT_SAYS(error_with([](JwtIssuer& i) { i.jwks_url = "https://x.example"; }), "JWKS");
  EXPECT_SAYS(error_with([](JwtIssuer& i) {
                i.jwks = "";
                i.jwks_url = "http://x.example";
              }),
              "https");
  EXPECT_SAYS(error_with([](JwtIssuer& i) { i.jwks = "{"; }), "JWKS");
  EXPECT_FALSE(JwtVerifier::create({issuer(), issuer()}, server_, server_));
}

TEST(Jwks, RefusesWeakKeysAndLeavesOutForeignOnes) {
  const auto parsed = [](const std::string& key, JwksOrigin origin = JwksOrigin::kFile) {
    return parse_jwks(R"({"keys":[)" + key + "," + ed25519_jwk("e") + "]}", origin);
  };
  const auto secret = [](std::size_t n) {
    return R"({"kty":"oct","k":")" + to_base64url(std::string(n, 'k')) + "\"}";
  };
  const auto rsa = [](std::size_t bytes, char first) {
    return R"({"kty":"RSA","e":"AQAB","n":")" +
           to_base64url(std::string(1, first) + std::string(bytes - 1, '\x5a')) + "\"}";
  };
  EXPECT_TRUE(parsed(secret(32)));
  EXPECT_FALSE(parsed(secret(31)));
  EXPECT_FALSE(parsed(secret(32), JwksOrigin::kUrl));
  EXPECT_TRUE(parsed(rsa(256, '\x80')));
  EXPECT_FALSE(parsed(rsa(256, '\x7f')));
  EXPECT_FALSE(parsed(rsa(128, '\x80')));
  EXPECT_FALSE(parsed(rsa(1025, '\x01')));
  EXPECT_FALSE(parsed(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"));
  EXPECT_FALSE(parsed(R"({"kty":"OKP","crv":"Ed25519"})"));
  for (const std::string foreign :
       {R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})", R"({"kty":"RSA","use":"enc"})",
        R"({"kty":"RSA","alg":"PS256"})", R"({"kty":"RSA","key_ops":["sign"]})",
        R"({"kty":"new"})"}) {
    const auto keys = parsed(foreign);
    ASSERT_TRUE(keys) << foreign;
    EXPECT_EQ(keys->size(), 1U);
  }
  EXPECT_FALSE(parse_jwks(R"({"keys":[]})", JwksOrigin::kFile));
  EXPECT_FALSE(parse_jwks(R"([])", JwksOrigin::kFile));
}

TEST(Jwks, KeepsNothingOfAKeyButWhatVerifies) {
  const auto keys = parse_jwks(
      R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"e","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaHURo"}]})",
      JwksOrigin::kFile);
  EXPECT_FALSE(keys);  // 31 bytes and some bits
  const auto good = parse_jwks(
      R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"e","x5u":"https://evil.example","d":"AAAA",
          "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaHURo_E"}]})",
      JwksOrigin::kFile);
  EXPECT_FALSE(good && good->at(0).jwk.find("evil") != std::string::npos);
  EXPECT_FALSE(good && good->at(0).jwk.find("\"d\"") != std::string::npos);
}

/// An issuer whose keys come from a URL.
class RotatingKeys : public Jwt {
 protected:
  void SetUp() override {
    JwtIssuer remote = issuer();
    remote.jwks = "";
    remote.jwks_url = "https://issuer.example/jwks";
    use({remote});
  }
  Result<Caller> verify_at(Time now, std::string_view kid, const crypto::Ed25519PrivateKey& key) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    const std::string claims = claims_with(fmt::format(R"({{"exp":{}}})", seconds + 600));
    return verifier_->verify(token_of(fmt::format(R"({{"alg":"EdDSA","kid":"{}"}})", kid), claims,
                                      [&key](std::string_view input) { return key.sign(input); }),
                             now);
  }
  static std::string set_of(std::initializer_list<std::string> keys) {
    return fmt::format(R"({{"keys":[{}]}})", fmt::join(keys, ","));
  }
  const crypto::Ed25519PrivateKey new_key_ =
      crypto::Ed25519PrivateKey::from_seed(SeededRng(6).bytes32());
};

TEST_F(RotatingKeys, AreReadAtTheStartAndTokensWaitForThem) {
  verifier_->refresh(kNow);
  EXPECT_EQ(server_.urls, (std::vector<std::string>{"https://issuer.example/jwks"}));
  EXPECT_EQ(verify_at(kNow, "e", ed25519_key()).error().code, Code::kUnavailable);
  server_.answer(200, set_of({ed25519_jwk("e")}));
  EXPECT_TRUE(verify_at(kNow, "e", ed25519_key()));
  EXPECT_EQ(server_.urls.size(), 1U);
}

TEST_F(RotatingKeys, AnUnknownKeyMakesThemReadAgainAtMostOnceAMinute) {
  verifier_->refresh(kNow);
  server_.answer(200, set_of({ed25519_jwk("e")}));
  // Within the minute nobody can make us ask.
  EXPECT_EQ(verify_at(kNow, "new", new_key_).error().code, Code::kUnauthenticated);
  EXPECT_EQ(server_.waiting(), 0U);
  const Time later = kNow + KeyRing::kAttemptEvery;
  EXPECT_EQ(verify_at(later, "new", new_key_).error().code, Code::kUnavailable);
  EXPECT_EQ(verify_at(later, "other", new_key_).error().code, Code::kUnavailable);
  EXPECT_EQ(server_.waiting(), 1U);
  EXPECT_TRUE(verify_at(later, "e", ed25519_key()));  // known ones go on meanwhile
  server_.answer(200, set_of({ed25519_jwk("new", new_key_)}));
  EXPECT_TRUE(verify_at(later, "new", new_key_));
  EXPECT_EQ(verify_at(later, "e", ed25519_key()).error().code, Code::kUnauthenticated);
  EXPECT_EQ(server_.waiting(), 0U);
}

TEST_F(RotatingKeys, OldOnesServeOnWhileNewOnesCannotBeReadButNotForEver) {
  verifier_->refresh(kNow);
  server_.answer(200, set_of({ed25519_jwk("e")}));
  const Time old = kNow + KeyRing::kRefreshAfter;
  EXPECT_TRUE(verify_at(old, "e", ed25519_key()));
  EXPECT_EQ(server_.waiting(), 1U);  // read again behind the answer
  server_.answer(500, "");
  EXPECT_TRUE(verify_at(old, "e", ed25519_key()));
  EXPECT_TRUE(verify_at(old + KeyRing::kAttemptEvery, "e", ed25519_key()));
  server_.answer(200, set_of({R"({"kty":"oct","k":")" + to_base64url(kSecret) + "\"}"}));
  EXPECT_TRUE(verify_at(old + KeyRing::kAttemptEvery, "e", ed25519_key()));
  EXPECT_EQ(verify_at(kNow + KeyRing::kKeysAgeMax, "e", ed25519_key()).error().code,
            Code::kUnavailable);
}

TEST_F(RotatingKeys, AnAnswerThatComesAfterTheEndDoesNoHarm) {
  verifier_->refresh(kNow);
  verifier_.reset();
  server_.answer(200, set_of({ed25519_jwk("e")}));
}

}  // namespace
}  // namespace avow::auth
