// SPDX-License-Identifier: Apache-2.0
// api/erasures.h: which contents of a run are gone, and what goes with those that are to go.
// docs/api.md, "Erasing", has the rules for people. Any thread; values.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "json/value.h"
#include "provenance/content.h"
#include "provenance/event.h"
#include "provenance/statement.h"
#include "store/store.h"

namespace avow::api {

/// What the content.erased statements of one run say.
class Erasures {
 public:
  /// Reads the statements that the row's summary names; nothing where it names none.
  static Result<Erasures> read(store::Store& store, const store::RunRow& row);

  /// The receipt of the first erasure that took `ref`; null pointer: none did.
  [[nodiscard]] const Id* find(const provenance::ContentRef& ref) const;
  /// Of the newest; null pointer: there was none.
  [[nodiscard]] const Id* last() const { return all_.empty() ? nullptr : &all_.back().id; }

 private:
  struct Erasure {
    Id id;
    std::vector<provenance::ErasedContent> contents;
  };
  std::vector<Erasure> all_;
};

/// A content by its name: the member of the events of a step, or of the run's own.
struct ContentName {
  std::string step;  ///< Empty: the run's.
  std::string member;
};

/// What an erasure takes of a run: all of it, or what is named, and what was made of contents of
/// other runs that it takes there.
struct Taking {
  bool is_all = false;
  std::vector<ContentName> names;
  std::set<std::string> sources;  ///< The commitments to those.
  bool is_plan_copied = false;    ///< From a run of which it takes something, and so its own plan.

  [[nodiscard]] bool is_nothing() const {
    return !is_all && names.empty() && sources.empty() && !is_plan_copied;
  }
};

/// What that comes to, with all that was made of it within the run.
struct Taken {
  bool is_all = false;
  std::set<provenance::ContentRef> refs;  ///< Not all: each of them.
  std::set<std::string> commitments;      ///< To all that is taken.
};

/// Errors: kInvalidArgument  a name that no event has
///         kCorruption
Result<Taken> taken_of(const std::vector<provenance::Event>& events, const Taking& taking);

/// All events of a journal. Errors: kCorruption
Result<std::vector<provenance::Event>> events_in(const std::vector<store::Segment>& journal);

/// A run after an erasure.
struct Erased {
  /// That were still there. In the order of the journal.
  std::vector<provenance::ContentRef> gone;
  std::vector<store::Segment> left;
  std::optional<std::string> plan;  ///< Of a run with its own: with nothing that anybody wrote.
  json::Value summary;              ///< Without the erasure's own id.
};

/// Takes those contents of `run`. Errors: kCorruption
Result<Erased> erase_contents(const store::RunRecord& run, const Taken& taken);

}  // namespace avow::api
