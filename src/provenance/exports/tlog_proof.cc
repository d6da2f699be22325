// SPDX-License-Identifier: Apache-2.0
#include "merkle/tlog_proof.h"

#include "provenance/exports.h"

namespace avow::provenance {

Result<std::string> tlog_proof_of(const Receipt& receipt) {
  merkle::TlogProof proof;
  proof.index = receipt.statement.index;
  proof.siblings = receipt.statement.path;
  ASSIGN_OR_RETURN(proof.checkpoint, merkle::Note::parse(receipt.checkpoint));
  return proof.format();
}

}  // namespace avow::provenance
