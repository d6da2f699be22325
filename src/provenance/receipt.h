// SPDX-License-Identifier: Apache-2.0
// provenance/receipt.h: everything that shows offline what a run or one of its steps did, in one
// JSON file (DESIGN.md section 4, docs/formats/receipt.md). Pure; safe from any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/id.h"
#include "merkle/hash.h"
#include "provenance/content.h"

namespace avow::provenance {

inline constexpr std::int64_t kReceiptVersion = 1;
/// Of a receipt. A bundle is as long as its run's events and contents.
inline constexpr std::size_t kReceiptBytesMax = std::size_t{1} << 20;

/// Each is checked like the file's own statement: no file may ask for more work than this.
inline constexpr std::size_t kErasuresMax = 64;

/// A statement and its place in the log.
struct LoggedStatement {
  std::string statement;  ///< Its exact bytes.
  std::string entry;      ///< The log's leaf, exactly.
  std::uint64_t index = 0;
  std::vector<merkle::Hash> path;  ///< From the leaf to the checkpoint's root, lowest first.
  bool operator==(const LoggedStatement&) const = default;
};

struct ProvenEvent {
  std::string event;               ///< Its exact bytes.
  std::vector<merkle::Hash> path;  ///< To the statement's root.
  bool operator==(const ProvenEvent&) const = default;
};

/// A content as a whole.
struct OpenedContent {
  Bytes32 salt{};
  json::Value value;
};
/// A content that is there, proved by its commitment, and not shown.
enum class Withheld {
  kFromReader,  ///< Who asked for the file may not see it.
  kErased,      ///< Nobody can; one of the file's `erasures` says so.
};
/// How a file accounts for one content.
struct ContentAccount {
  ContentRef ref;
  std::variant<OpenedContent, Disclosure, Withheld> shown;
};

/// A receipt of a run, of one of its steps, or of another statement; with `journal`, a bundle: all
/// events of a run. What is in it is a claim until verify() has seen it, its keys included.
struct Receipt {
  Id id;                      ///< Names the statement and, in the low 20 bits, a step's last event.
  LoggedStatement statement;  ///< What the receipt is for.
  LoggedStatement keys;       ///< The log.genesis or key.rotated that names the statement keys.
  std::string checkpoint;     ///< Signed note, to which all paths of the log lead.
  /// Of a step: its first step.started, if it ever started, and the event that ended it. Of a run:
  /// those that `contents` belong to. Ascending.
  std::vector<ProvenEvent> events;
  std::optional<std::vector<std::string>> journal;
  std::vector<ContentAccount> contents;  ///< Ascending, each once; of a bundle: every one.
  /// The content.erased that erased marks rest on: ascending by index, at most kErasuresMax.
  std::vector<LoggedStatement> erasures;

  [[nodiscard]] bool is_bundle() const { return journal.has_value(); }
};

/// The id of a receipt: `statement` with `seq` in its low 20 bits, which must be zero before. 0:
/// for the statement itself.
Id receipt_id(const Id& statement, std::uint32_t seq);
/// The two halves of such an id.
Id statement_of(const Id& receipt);
std::uint32_t seq_of(const Id& receipt);

/// One JSON object. What is read back from it is equal.
std::string encode(const Receipt& receipt);

/// Reads a receipt or bundle; checks its form, and of what it quotes nothing. `text` is untrusted;
/// white space and the order of members are free, everything else has one spelling. Takes memory in
/// proportion to the text.
/// Errors: kCorruption         another form
///         kResourceExhausted  longer than `bytes_max`
///         kUnavailable        a newer version: this program must not guess
Result<Receipt> decode_receipt(std::string_view text, std::size_t bytes_max = kReceiptBytesMax);

}  // namespace avow::provenance
