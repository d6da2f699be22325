// SPDX-License-Identifier: Apache-2.0
// provenance/exports/parts.h: what the exports read out of a receipt. For this folder alone.
#pragma once
#include "merkle/checkpoint.h"
#include "merkle/note.h"
#include "provenance/receipt.h"

namespace avow::provenance {

struct CheckpointParts {
  merkle::Note note;
  merkle::Checkpoint checkpoint;
};

/// Errors: kInvalidArgument
inline Result<CheckpointParts> read_checkpoint(const Receipt& receipt) {
  CheckpointParts parts;
  ASSIGN_OR_RETURN(parts.note, merkle::Note::parse(receipt.checkpoint));
  ASSIGN_OR_RETURN(parts.checkpoint, merkle::Checkpoint::parse(parts.note.text));
  return parts;
}

/// "rcpt_" and a ULID.
inline std::string receipt_name(const Receipt& receipt) { return "rcpt_" + receipt.id.ulid(); }

}  // namespace avow::provenance
