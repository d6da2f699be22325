// SPDX-License-Identifier: Apache-2.0
// fuzz/targets.h: what hostile text is fed to, one function a parser. Each takes any bytes, returns
// whatever they are, and aborts (CHECK) where a promise of the parser is broken. They are the
// bodies of the libFuzzer programs and of the corpus test alike. Any thread.
#pragma once
#include <string_view>

namespace avow::fuzz {

/// json::parse, and what it accepts written (compact, pretty, canonical) and read again.
void fuzz_json(std::string_view bytes);
/// cel::Expression: parse, references, check, and evaluation over a small world with small fuel.
void fuzz_cel(std::string_view bytes);
/// workflow::normalise of a JSON body, and of what it accepts: normalised again, and its plan
/// compiled from the plan's own text. The bytes are given to Plan::compile directly as well.
void fuzz_definition(std::string_view bytes);

/// provenance::decode_receipt and verify(), of receipts and bundles: never valid under a stranger's
/// key, and what is read is written and read again; its exports are made.
void fuzz_receipt(std::string_view bytes);
/// provenance::decode_statement: one spelling, and no signed part that could be a checkpoint.
void fuzz_statement(std::string_view bytes);
/// provenance::decode_entry: one spelling; and the key in it.
void fuzz_entry(std::string_view bytes);
/// merkle::Note, and signature lines alone: one spelling, and no signature under a stranger's key.
void fuzz_note(std::string_view bytes);
/// merkle::Checkpoint: one spelling.
void fuzz_checkpoint(std::string_view bytes);
/// merkle::TlogProof: one spelling, and no proof of another leaf.
void fuzz_tlog_proof(std::string_view bytes);
/// merkle::Policy: all its signers make its quorum, and none do not.
void fuzz_policy(std::string_view bytes);
/// merkle::Tile's paths, tiles, entry bundles: one spelling each.
void fuzz_tile(std::string_view bytes);

}  // namespace avow::fuzz
