// SPDX-License-Identifier: Apache-2.0
// tlog/receipts.h: makes receipts and bundles out of a store and its log. Any thread; reads the
// store. What is made always verifies with the log's key: it goes through provenance::verify() in
// the tests, not here.
#pragma once
#include "provenance/receipt.h"
#include "tlog/log.h"

namespace avow::tlog {

/// A member of a step's or run's content that a receipt opens: "output.score" is the member `score`
/// of the content `output`; "output" the whole of it.
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
};

/// The receipt `id` of `tenant`.
/// Errors: kNotFound         no such statement, of this tenant, or no step ended at that seq
///         kUnavailable      the run is there and its statement is not yet (retry)
///         kInvalidArgument  a member to reveal that is not there; a bundle of what is no run
///         kConflict         what is to be revealed was erased
Result<provenance::Receipt> make_receipt(store::Store& store, Log& log, TenantId tenant, Id id,
                                         const ReceiptOptions& options);

}  // namespace avow::tlog
