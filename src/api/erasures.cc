// SPDX-License-Identifier: Apache-2.0
#include "api/erasures.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/bytes.h"
#include "json/parse.h"
#include "json/write.h"
#include "provenance/content.h"
#include "provenance/event.h"
#include "provenance/verify.h"

namespace avow::api {
namespace {

using provenance::ContentRef;
using provenance::Event;

/// Whether an event was made of one of `commitments`.
bool is_made_of(const Event& event, const std::set<std::string>& commitments) {
  const json::Value* const from = event.data.find("from");
  if (from == nullptr || !from->is_array()) return false;
  return std::any_of(from->as_array().begin(), from->as_array().end(), [&](const json::Value& one) {
    return commitments.contains(one.string_or("commitment"));
  });
}

/// Says which contents of one run's journal an erasure takes. A step goes as a whole: what it was
/// asked, sent and answered are often one text. With it goes whoever names one of its contents in
/// `from`, and so on; what was handed on without a `from` takes everything that came later.
class Spread {
 public:
  Spread(const std::vector<Event>& events, const std::vector<ContentName>& names,
         const std::set<std::string>& sources);

  [[nodiscard]] const std::set<ContentRef>& taken() const { return taken_; }
  /// The first name that no event had; null pointer if there is none.
  [[nodiscard]] const ContentName* unknown() const { return unknown_; }

 private:
  struct Entry {
    const Event* event = nullptr;
    std::vector<std::string> members;
  };
  void begin_with(const ContentName& name, const Entry& entry);
  void take(const Event& event, const std::string& member);
  void take_sources(const Event& event);
  void follow(const Entry& entry);
  [[nodiscard]] bool is_made_of_taken(const Event& event) const;
  [[nodiscard]] std::size_t size() const { return taken_.size() + steps_.size(); }

  bool is_agent_run_ = false;
  const ContentName* unknown_ = nullptr;
  std::map<std::string, std::string> owners_;  ///< Of each commitment of a step, its name.
  std::set<std::string> begun_;                ///< Steps that began.
  std::set<std::string> commitments_;          ///< To taken contents.
  std::set<std::string> steps_;                ///< That are taken.
  std::uint32_t first_ = UINT32_MAX;           ///< Of what is taken that others may quote.
  std::uint32_t rest_ = UINT32_MAX;            ///< Everything from this seq on is taken.
  std::set<ContentRef> taken_;
};

Spread::Spread(const std::vector<Event>& events, const std::vector<ContentName>& names,
               const std::set<std::string>& sources)
    : commitments_(sources) {
  is_agent_run_ = events.front().data.string_or("mode") == "agent";
  std::vector<Entry> entries;
  entries.reserve(events.size());
  std::multimap<std::pair<std::string, std::string>, std::size_t> by_name;
  for (const Event& event : events) {
    if (event.type == "step.started") begun_.insert(event.step);
    const Entry& entry = entries.emplace_back(&event, provenance::committed_members(event.data));
    for (const std::string& member : entry.members) {
      by_name.emplace(std::pair(event.step, member), entries.size() - 1);
      if (!event.step.empty()) owners_.emplace(event.data.string_or(member), event.step);
    }
  }
  for (const ContentName& name : names) {
    const auto [begin, end] = by_name.equal_range({name.step, name.member});
    if (begin == end && unknown_ == nullptr) unknown_ = &name;
    for (auto at = begin; at != end; ++at) begin_with(name, entries[at->second]);
  }
  // `from` looks back, so one pass takes nearly all; a step that another's failure made go, after
  // others had read it, needs one more.
  for (std::size_t before = SIZE_MAX; before != size();) {
    before = size();
    for (const Entry& entry : entries) follow(entry);
  }
}

void Spread::begin_with(const ContentName& name, const Entry& entry) {
  if (!name.step.empty()) {
    steps_.insert(name.step);
    return;
  }
  take(*entry.event, name.member);
  // Both stand in steps whose `from` does not say so.
  if (name.member == "parameters" || name.member == "plan") rest_ = 1;
  // What a run came to is what steps of it came to.
  take_sources(*entry.event);
}

void Spread::take(const Event& event, const std::string& member) {
  taken_.insert({event.seq, member});
  commitments_.insert(event.data.string_or(member));
  if (event.step.empty() && (member == "name" || member == "labels")) return;  // for lists only
  first_ = std::min(first_, event.seq);
  // Two things are handed on without a `from`: an agent's whole conversation, to each of its model
  // calls; and why a step failed, to steps that go on all the same.
  if (is_agent_run_ || event.type == "step.failed") rest_ = std::min(rest_, event.seq);
}

void Spread::take_sources(const Event& event) {
  if (const std::string step = event.data.string_or("step"); !step.empty()) steps_.insert(step);
  const json::Value* const from = event.data.find("from");
  if (from == nullptr || !from->is_array()) return;
  for (const json::Value& one : from->as_array()) {
    const auto owner = owners_.find(one.string_or("commitment"));
    if (owner != owners_.end()) steps_.insert(owner->second);
  }
}

bool Spread::is_made_of_taken(const Event& event) const {
  if (event.seq >= rest_ || steps_.contains(event.step)) return true;
  // Why a run failed, or a step before it began, may quote anything, and has no `from`.
  const bool is_of_unbegun = event.type == "step.failed" && !begun_.contains(event.step);
  if (event.seq > first_ && (event.type == "run.failed" || is_of_unbegun)) return true;
  return is_made_of(event, commitments_);
}

void Spread::follow(const Entry& entry) {
  if (!is_made_of_taken(*entry.event)) return;
  if (!entry.event->step.empty()) steps_.insert(entry.event->step);
  for (const std::string& member : entry.members) take(*entry.event, member);
}

/// What a plan must have to be followed again from the journal, and nothing that anybody wrote.
json::Value bare_step(const json::Value& step) {
  json::Object out;
  for (const std::string_view member : {"name", "type", "depends_on", "agent_id", "on_failure"}) {
    if (const json::Value* value = step.find(member)) out.set(member, *value);
  }
  const std::string type = step.string_or("type");
  json::Object config;
  if (type == "decision") config.set("cases", json::Array());
  if (type == "guardrail_check") {
    const json::Value any =
        json::Object{{"id", "erased"}, {"type", "pii"}, {"kinds", json::Array{"email"}}};
    config.set("rules", json::Array{any});  // none is no rule list
  }
  out.set("config", std::move(config));
  if (const json::Value* undo = step.find("compensate")) out.set("compensate", bare_step(*undo));
  return out;
}

Result<std::string> bare_plan(const std::string& text) {
  ASSIGN_OR_RETURN(const json::Value plan,
                   json::parse(text, {.depth_max = 256, .bytes_max = std::size_t{64} << 20}));
  json::Value out = json::Object{{"agents", json::Object()}, {"tools", json::Object()}};
  for (const std::string_view member : {"plan_version", "agent_run"}) {
    if (const json::Value* value = plan.find(member)) out.set(member, *value);
  }
  if (const json::Value* definition = plan.find("definition")) {
    json::Array steps;
    for (const json::Value& step : definition->find("steps")->as_array()) {
      steps.push_back(bare_step(step));
    }
    out.set("definition", json::Object{{"steps", std::move(steps)}});
  }
  return json::write(out);
}

/// Without what lists would show of `gone`.
json::Value bare_summary(const store::RunRow& row, const std::set<ContentRef>& gone,
                         const Event& last) {
  auto parsed = json::parse(row.summary);
  json::Value out =
      parsed && parsed->is_object() ? std::move(*parsed) : json::Value(json::Object());
  for (const char* const member : {"name", "labels"}) {
    if (gone.contains({1, member})) out.mutable_object().erase(member);
  }
  if (json::Value* error = out.mutable_object().find("error");
      error != nullptr && gone.contains({last.seq, "message"})) {
    error->set("message", "(erased)");
  }
  return out;
}

}  // namespace

Result<Erasures> Erasures::read(store::Store& store, const store::RunRow& row) {
  Erasures out;
  if (row.summary.find("\"erasures\"") == std::string::npos) return out;
  ASSIGN_OR_RETURN(const json::Value summary, json::parse(row.summary));
  const json::Value* const ids = summary.find("erasures");
  if (ids == nullptr || !ids->is_array()) return out;
  for (const json::Value& one : ids->as_array()) {
    ASSIGN_OR_RETURN(const Id id, parse_id(one.is_string() ? one.as_string() : ""));
    ASSIGN_OR_RETURN(const store::LogEntry entry, store.find_statement(id));
    ASSIGN_OR_RETURN(auto statement, provenance::decode_statement(entry.statement));
    std::erase_if(statement.erased, [&](const auto& content) { return content.run != row.id; });
    out.all_.push_back({id, std::move(statement.erased)});
  }
  return out;
}

const Id* Erasures::find(const ContentRef& ref) const {
  for (const Erasure& erasure : all_) {
    for (const provenance::ErasedContent& content : erasure.contents) {
      if (content.seq == 0 || (content.seq == ref.seq && content.member == ref.member)) {
        return &erasure.id;
      }
    }
  }
  return nullptr;
}

Result<std::vector<Event>> events_in(const std::vector<store::Segment>& journal) {
  std::vector<Event> out;
  for (const store::Segment& segment : journal) {
    ASSIGN_OR_RETURN(const auto texts, provenance::decode_journal(segment.bytes));
    for (const std::string& text : texts) {
      ASSIGN_OR_RETURN(Event event, provenance::decode(text));
      out.push_back(std::move(event));
    }
  }
  return out;
}

Result<Taken> taken_of(const std::vector<Event>& events, const Taking& taking) {
  if (events.empty()) return failure(Code::kCorruption, "a run without events");
  Taken out;
  // A run that was started with what is taken can be made of it in every part.
  out.is_all = taking.is_all || is_made_of(events.front(), taking.sources);
  if (out.is_all) {
    for (const Event& event : events) {
      for (const std::string& member : provenance::committed_members(event.data))
        out.commitments.insert(event.data.string_or(member));
    }
    return out;
  }
  const Spread spread(events, taking.names, taking.sources);
  if (const ContentName* name = spread.unknown()) {
    return failure(Code::kInvalidArgument, "{} has no content \"{}\"",
                   name->step.empty() ? "the run" : "the step " + shown(name->step),
                   shown(name->member));
  }
  out.refs = spread.taken();
  for (const ContentRef& ref : out.refs)
    out.commitments.insert(events[ref.seq - 1].data.string_or(ref.member));
  return out;
}

Result<Erased> erase_contents(const store::RunRecord& run, const Taken& taken) {
  ASSIGN_OR_RETURN(const std::vector<Event> events, events_in(run.journal));
  if (events.empty()) return failure(Code::kCorruption, "a run without events");
  Erased out;
  std::set<ContentRef> gone;
  // A plan of its own holds what the caller wrote into the steps' configs.
  const ContentRef plan{1, "plan"};
  for (const store::Segment& segment : run.contents) {
    ASSIGN_OR_RETURN(auto contents, provenance::decode_contents(segment.bytes));
    std::erase_if(contents, [&](const provenance::Content& content) {
      const bool goes =
          taken.is_all || taken.refs.contains(content.ref) || (run.plan && content.ref == plan);
      if (goes) gone.insert(content.ref);
      return goes;
    });
    if (contents.empty()) continue;
    out.left.push_back({segment.first_seq, segment.count, provenance::encode_contents(contents)});
  }
  out.gone.assign(gone.begin(), gone.end());
  if (run.plan) {
    ASSIGN_OR_RETURN(out.plan, bare_plan(*run.plan));
  }
  out.summary = bare_summary(run.row, gone, events.back());
  std::int64_t bytes = 0;
  for (const store::Segment& segment : out.left) {
    bytes += static_cast<std::int64_t>(segment.bytes.size());
  }
  out.summary.set("contents_bytes", bytes);
  return out;
}

}  // namespace avow::api
