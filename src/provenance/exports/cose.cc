// SPDX-License-Identifier: Apache-2.0
#include "provenance/exports.h"
#include "provenance/exports/cbor.h"
#include "provenance/exports/parts.h"

namespace avow::provenance {
namespace {

// Labels and values of COSE (RFC 9052, 9053), of CWT claims in headers (RFC 9597) and of COSE
// receipts (RFC 9942).
constexpr std::uint64_t kTagSign1 = 18;
constexpr int kHeaderAlgorithm = 1;
constexpr int kEdDsa = -8;
constexpr int kHeaderClaims = 15;
constexpr int kClaimIssuer = 1;
constexpr int kClaimSubject = 2;
constexpr int kHeaderStructure = 395;
constexpr int kRfc9162Sha256 = 1;
constexpr int kHeaderProofs = 396;
constexpr int kInclusionProofs = -1;

std::string protected_header(std::string_view issuer, std::string_view subject) {
  CborWriter header;
  header.map(3);
  header.number(kHeaderAlgorithm).number(kEdDsa);
  header.number(kHeaderClaims).map(2);
  header.number(kClaimIssuer).text(issuer);
  header.number(kClaimSubject).text(subject);
  header.number(kHeaderStructure).number(kRfc9162Sha256);
  return header.str();
}

std::string inclusion_proof(const LoggedStatement& logged, std::uint64_t tree_size) {
  CborWriter proof;
  proof.array(3).unsigned_number(tree_size).unsigned_number(logged.index);
  proof.array(logged.path.size());
  for (const merkle::Hash& hash : logged.path) proof.bytes(view_of(hash));
  return proof.str();
}

/// Sig_structure of RFC 9052, section 4.4, without external data.
std::string signed_bytes(std::string_view header, const merkle::Hash& root) {
  CborWriter signed_part;
  signed_part.array(4).text("Signature1").bytes(header).bytes({}).bytes(view_of(root));
  return signed_part.str();
}

}  // namespace

Result<std::string> cose_receipt(const Receipt& receipt, std::string_view issuer,
                                 const LogSigner& sign) {
  ASSIGN_OR_RETURN(const auto parts, read_checkpoint(receipt));
  const std::string header = protected_header(issuer, receipt_name(receipt));
  const std::string signature = sign(signed_bytes(header, parts.checkpoint.root));

  CborWriter out;
  out.tag(kTagSign1).array(4);
  out.bytes(header);
  out.map(1).number(kHeaderProofs);
  out.map(1).number(kInclusionProofs).array(1);
  out.bytes(inclusion_proof(receipt.statement, parts.checkpoint.size));
  out.null();  // the root is computed from the entry and the path
  out.bytes(signature);
  return out.str();
}

}  // namespace avow::provenance
