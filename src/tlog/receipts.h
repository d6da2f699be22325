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
  std::vector<Reveal> reveal = {};  ///< Of a receipt.
  /// Of a bundle that shows contents: these, as stored before compression, and the bundle itself
  /// have at most so many bytes. Of a run that was stored without the sum, the bundle alone.
  std::size_t bytes_max = std::size_t{8} << 20;
  /// Gives the plan of a run that shares its workflow's: the store keeps only its salt with the
  /// run. Without it, or where it gives another plan, that content is withheld.
  std::function<Result<json::Value>(WorkflowId)> plan_of = {};
};

/// The receipt or bundle `id` of `tenant`; of a run: by its newest statement, and a bundle has the
/// events that this one covers. Contents are read only where some are shown, or all were erased;
/// then all segments of the run are in memory, whatever is to be revealed of them.
/// Errors: kNotFound           no such statement, of this tenant, or no step ended at that seq; the
///                             run ended before there was a log
///         kUnavailable        the run or step is there and its statement is not yet (retry); an
///                             alarm stands, or the log is sealed
///         kInvalidArgument    a member to reveal that is not there; of what is no run: something
///                             to reveal, or a bundle; a bundle of a step
///         kConflict           what is to be revealed was erased, or is not kept; a bundle with
///                             contents, of which some were erased by a statement in a later log
///                             than the run's: one checkpoint does not prove both
///         kResourceExhausted  with what is to be revealed it is larger than a receipt may be; a
///                             bundle with contents is larger than bytes_max
///         those of Log::covering and of the store
Result<provenance::Receipt> make_receipt(store::Store& store, Log& log, TenantId tenant, Id id,
                                         const ReceiptOptions& options);

}  // namespace avow::tlog
