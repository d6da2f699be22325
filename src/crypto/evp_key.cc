// SPDX-License-Identifier: Apache-2.0
#include "crypto/evp_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <array>
#include <climits>
#include <cstring>

namespace avow::crypto {
namespace {

/// OWASP's figure for PBKDF2-HMAC-SHA256 (2023); about 0.1 s here, once a start.
constexpr int kPbkdf2Rounds = 600'000;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Bio reading(std::string_view text) {
  CHECK(text.size() <= INT_MAX);
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

/// libcrypto asks this for the passphrase; without a callback it would ask at the terminal.
int give_passphrase(char* buffer, int size, int /*writing*/, void* passphrase) {
  const std::string& text = static_cast<const Secret*>(passphrase)->reveal();
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

/// The failed call leaves its reasons in a queue of this thread, where the next one would find
/// them.
Error not_pem(std::string_view what) {
  ERR_clear_error();
  return failure(Code::kInvalidArgument, "no {} in PEM, or a missing or wrong passphrase", what);
}

}  // namespace

std::shared_ptr<EVP_PKEY> own(EVP_PKEY* key) {
  CHECK(key != nullptr);
  return {key, &EVP_PKEY_free};
}

Result<std::shared_ptr<EVP_PKEY>> private_key_from_pem(std::string_view pem,
                                                       const Secret& passphrase) {
  const Bio bio = reading(pem);
  Secret given = passphrase;  // libcrypto wants a pointer that is not const
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_passphrase, &given);
  if (key == nullptr) return not_pem("private key");
  return own(key);
}

Secret private_key_to_pem(EVP_PKEY* key, const Secret& passphrase) {
  const Bio bio{BIO_new(BIO_s_secmem()), &BIO_free};
  const std::unique_ptr<PKCS8_PRIV_KEY_INFO, decltype(&PKCS8_PRIV_KEY_INFO_free)> info{
      EVP_PKEY2PKCS8(key), &PKCS8_PRIV_KEY_INFO_free};
  CHECK(bio && info);
  if (passphrase.empty()) {
    CHECK(PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio.get(), info.get()) == 1);
    return Secret(text_of(bio.get()));
  }
  const std::string& text = passphrase.reveal();
  X509_ALGOR* method =
      PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kPbkdf2Rounds, nullptr, 0, nullptr, NID_hmacWithSHA256);
  CHECK(method != nullptr);
  const std::unique_ptr<X509_SIG, decltype(&X509_SIG_free)> sealed{
      PKCS8_set0_pbe(text.data(), static_cast<int>(text.size()), info.get(), method),
      &X509_SIG_free};  // owns `method` now
  CHECK(sealed && PEM_write_bio_PKCS8(bio.get(), sealed.get()) == 1);
  return Secret(text_of(bio.get()));
}

Result<std::shared_ptr<EVP_PKEY>> public_key_from_pem(std::string_view pem) {
  const Bio bio = reading(pem);
  Secret none;
  EVP_PKEY* key = PEM_read_bio_PUBKEY(bio.get(), nullptr, &give_passphrase, &none);
  if (key == nullptr) return not_pem("public key");
  return own(key);
}

std::string public_key_to_pem(EVP_PKEY* key) {
  const Bio bio{BIO_new(BIO_s_mem()), &BIO_free};
  CHECK(bio && PEM_write_bio_PUBKEY(bio.get(), key) == 1);
  return text_of(bio.get());
}

const EVP_MD* sha256_digest() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK(digest != nullptr);
  return digest;
}

std::string sign_with(EVP_PKEY* key, const EVP_MD* digest, std::string_view message) {
  const DigestContext context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  CHECK(context && EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key) == 1);
  std::array<unsigned char, 128> signature;  // 64 for Ed25519, at most 72 for P-256
  std::size_t size = signature.size();
  CHECK(EVP_DigestSign(context.get(), signature.data(), &size, data_of(message), message.size()) ==
        1);
  return {reinterpret_cast<const char*>(signature.data()), size};
}

bool verifies_with(EVP_PKEY* key, const EVP_MD* digest, std::string_view message,
                   std::string_view signature) {
  const DigestContext context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  CHECK(context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1);
  const int verdict = EVP_DigestVerify(context.get(), data_of(signature), signature.size(),
                                       data_of(message), message.size());
  ERR_clear_error();
  return verdict == 1;
}

}  // namespace avow::crypto
