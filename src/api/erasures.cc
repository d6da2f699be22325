// SPDX-License-Identifier: Apache-2.0
#include "api/erasures.h"

#include <algorithm>
#include <array>

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

/// Follows one run's journal from its first event and says which contents an erasure takes.
/// Whatever a step wrote after an erased content of its own may be made of it, and is taken too;
/// what others took over is named in their `from`.
class Spread {
 public:
  explicit Spread(const std::vector<ContentName>& names) : names_(names) {}

  void follow(const Event& event);
  [[nodiscard]] const std::set<ContentRef>& taken() const { return taken_; }
  /// The first name that no event had; null pointer if there is none.
  [[nodiscard]] const ContentName* unknown() const;

 private:
  bool is_named(const Event& event, const std::string& member);
  void note_taken(const Event& event, const std::string& member);
  [[nodiscard]] bool is_made_of_taken(const Event& event) const;

  const std::vector<ContentName>& names_;
  std::set<std::size_t> found_;        ///< Of names_.
  std::set<std::string> touched_;      ///< Steps that wrote a taken content.
  std::set<std::string> commitments_;  ///< To taken contents.
  std::set<ContentRef> taken_;
  bool is_agent_run_ = false;
  bool takes_the_rest_ = false;
};

bool Spread::is_named(const Event& event, const std::string& member) {
  bool out = false;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const ContentName& name = names_[i];
    if (name.step != event.step) continue;
    // What a step came to is what its calls answered, or a part of it.
    const bool is_result =
        !name.step.empty() && (name.member == "output" || name.member == "message");
    if (name.member == member) found_.insert(i);
    out = out || name.member == member || (is_result && event.type != "step.started");
  }
  return out;
}

bool Spread::is_made_of_taken(const Event& event) const {
  if (takes_the_rest_ || touched_.contains(event.step)) return true;
  if (event.type == "run.failed" && touched_.contains(event.data.string_or("step"))) return true;
  const json::Value* const from = event.data.find("from");
  if (from == nullptr || !from->is_array()) return false;
  return std::any_of(from->as_array().begin(), from->as_array().end(), [&](const json::Value& one) {
    return commitments_.contains(one.string_or("commitment"));
  });
}

void Spread::note_taken(const Event& event, const std::string& member) {
  taken_.insert({event.seq, member});
  commitments_.insert(event.data.string_or(member));
  if (!event.step.empty()) touched_.insert(event.step);
  // Two things are handed on without a `from`: an agent's whole conversation, to each of its model
  // calls; and why a step failed, to steps that go on all the same.
  const bool is_for_lists = member == "name" || member == "labels";
  const bool is_said = is_agent_run_ && !is_for_lists;
  if (is_said || event.type == "step.failed") takes_the_rest_ = true;
}

void Spread::follow(const Event& event) {
  if (event.type == "run.started") is_agent_run_ = event.data.string_or("mode") == "agent";
  const bool is_made_of = is_made_of_taken(event);
  for (const std::string& member : provenance::committed_members(event.data)) {
    if (is_named(event, member) || is_made_of) note_taken(event, member);
  }
}

const ContentName* Spread::unknown() const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!found_.contains(i)) return &names_[i];
  }
  return nullptr;
}

Result<std::vector<Event>> events_of(const store::RunRecord& run) {
  std::vector<Event> out;
  for (const store::Segment& segment : run.journal) {
    ASSIGN_OR_RETURN(const auto texts, provenance::decode_journal(segment.bytes));
    for (const std::string& text : texts) {
      ASSIGN_OR_RETURN(Event event, provenance::decode(text));
      out.push_back(std::move(event));
    }
  }
  return out;
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

Result<Erased> erase_contents(const store::RunRecord& run,
                              const std::optional<std::vector<ContentName>>& names) {
  ASSIGN_OR_RETURN(const std::vector<Event> events, events_of(run));
  if (events.empty()) return failure(Code::kCorruption, "a run without events");
  std::set<ContentRef> taken;
  if (names) {
    Spread spread(*names);
    for (const Event& event : events) spread.follow(event);
    if (const ContentName* name = spread.unknown()) {
      return failure(Code::kInvalidArgument, "{} has no content \"{}\"",
                     name->step.empty() ? "the run" : "the step " + shown(name->step),
                     shown(name->member));
    }
    taken = spread.taken();
    // A plan of its own holds what the caller wrote into the steps' configs.
    if (run.plan) taken.insert({1, "plan"});
  }
  Erased out;
  std::set<ContentRef> gone;
  for (const store::Segment& segment : run.contents) {
    ASSIGN_OR_RETURN(auto contents, provenance::decode_contents(segment.bytes));
    std::erase_if(contents, [&](const provenance::Content& content) {
      if (names && !taken.contains(content.ref)) return false;
      gone.insert(content.ref);
      return true;
    });
    if (contents.empty()) continue;
    out.left.push_back({segment.first_seq, segment.count, provenance::encode_contents(contents)});
  }
  out.gone.assign(gone.begin(), gone.end());
  if (run.plan) {
    ASSIGN_OR_RETURN(out.plan, bare_plan(*run.plan));
  }
  out.summary = bare_summary(run.row, gone, events.back());
  return out;
}

}  // namespace avow::api
