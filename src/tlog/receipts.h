// SPDX-License-Identifier: Apache-2.0
// tlog/receipts.h: makes receipts and bundles out of a store and its log. Any thread; reads the
// store. What is made always verifies with the log's key: it goes through provenance::verify() in
// the tests, not here.
#pragma once
#include <functional>

#include "provenance/receipt.h"
#include "tlog/log.h"

namespace avow::tlog {

/// A content, or a member of one, that a receipt of a step or run opens: "output.score" is the
/// member `score` of the content `output`; "output" the whole of it.
struct Reveal {
  std::string content;
  std::string member;  ///< Empty: the whole content.
  /// Errors: kInvalidArgument
  static Result<Reveal> parse(std::string_view text);
};

struct ReceiptOptions {
  bool is_bundle = false;
  /// Of a bundle: the caller may see contents. Else they are withheld.
  bool shows_contents = false;
  std::vector<Reveal> reveal;  ///< Of a receipt.
  /// Gives the plan of a run that shares its workflow's: the store keeps only its salt with the
  /// run. Without it, or where it gives another plan, that content is withheld.
  std::function<Result<json::Value>(WorkflowId)> plan_of = {};
};

/// The receipt or bundle `id` of `tenant`; of a run: by its newest statement, and a bundle has the
/// events that this one covers. A content whose erasure stands in another log than the statement
/// counts as withheld: one checkpoint does not prove both.
/// Errors: kNotFound           no such statement, of this tenant, or no step ended at that seq
///         kUnavailable        the run or step is there and its statement is not yet (retry); an
///                             alarm stands
///         kInvalidArgument    a member to reveal that is not there; of what is no run: something
///                             to reveal, or a bundle; a bundle of a step
///         kConflict           what is to be revealed was erased, or is not kept
///         kResourceExhausted  with what is to be revealed it is larger than a receipt may be
///         those of Log::covering and of the store
Result<provenance::Receipt> make_receipt(store::Store& store, Log& log, TenantId tenant, Id id,
                                         const ReceiptOptions& options);

}  // namespace avow::tlog
