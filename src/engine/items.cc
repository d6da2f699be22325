// SPDX-License-Identifier: Apache-2.0
// The items of a step with for_each: begun in order, at most max_parallel at a time, each like a
// step of its own; what each gave stands in an items.completed, and the list of them all is the
// step's result. Items that make a value and call nobody are done by the hundred, in one event.
#include <algorithm>

#include "engine/reactor.h"

namespace avow::engine {

void Reactor::start_items(std::size_t i) {
  const workflow::Step& step = planned(i);
  const auto value = evaluate(*step.for_each);
  if (const auto* error = std::get_if<cel::EvalError>(&value)) {
    fail_expression(i, *error, "for_each");
    return;
  }
  const auto& list = std::get<json::Value>(value);
  if (!list.is_array()) {
    fail_step(
        i, "EXPRESSION_ERROR",
        fmt::format("for_each gave a value of type {}, not a list", json::type_name(list.type())));
    return;
  }
  const std::size_t count = list.as_array().size();
  if (count > kItemsMax) {
    fail_step(i, "ITEMS_LIMIT",
              fmt::format("for_each gave {} items, of at most {}", count, kItemsMax));
    return;
  }
  Event event = begin("step.started", i);
  event.attempt = 1;
  event.agent = agent_of(i);
  event.data.set("type", workflow::step_type_name(step.type));
  event.data.set("count", static_cast<std::int64_t>(count));
  commit(event, "items", list);
  event.data.set("from", sources(uses_of(i)));
  emit(std::move(event));
  if (count == 0) complete_step(i, json::Array());
}

/// A step of which an item can begin now; none: unit_count().
std::size_t Reactor::step_with_items_to_begin() {
  for (std::size_t i = 0; i < state_.steps.size(); ++i) {
    const StepState& step = state_.steps[i];
    if (!step.items || is_terminal(step.status)) continue;
    if (step.items->begun == step.items->count) continue;
    if (step.items->open >= planned(i).max_parallel) continue;
    if (!needs_slot(i) || slots_ > 0) return i;
    reaction_.wants_slots = true;
  }
  return state_.unit_count();
}

void Reactor::begin_items(std::size_t i) {
  if (planned(i).type == StepType::kTransform) {
    make_items(i);
  } else {
    begin_item(i, static_cast<std::uint32_t>(state_.steps[i].items->begun));
  }
}

/// The config for an item; where it cannot be rendered, why.
std::variant<workflow::Rendered, Reactor::ItemFailure> Reactor::render_item(std::size_t i,
                                                                            std::uint32_t item) {
  const json::Value* list = turn_.contents.find(state_.steps[i].items->list.ref);
  if (list == nullptr) return ItemFailure{"CONTENT_MISSING", "the list of items is not there"};
  environment_.set_item(&list->as_array()[item], item);
  auto rendered = render(planned(i).config);
  environment_.set_item(nullptr, 0);
  if (const auto* error = std::get_if<cel::EvalError>(&rendered)) {
    const bool is_limit = error->kind == cel::EvalError::Kind::kLimit;
    return ItemFailure{is_limit ? "EXPRESSION_LIMIT" : "EXPRESSION_ERROR",
                       "config: " + error->message};
  }
  return std::get<workflow::Rendered>(std::move(rendered));
}

/// Does as many items as one event may tell of, and the turn has fuel for.
void Reactor::make_items(std::size_t i) {
  std::vector<EndedItem> ended;
  const ItemsState& items = *state_.steps[i].items;
  const std::size_t first = items.begun;
  while (first + ended.size() < items.count && ended.size() < kItemsPerEventMax) {
    const auto item = static_cast<std::uint32_t>(first + ended.size());
    auto rendered = render_item(i, item);
    if (auto* failure = std::get_if<ItemFailure>(&rendered)) {
      ended.push_back({item, json::Value(), std::move(*failure)});
      if (planned(i).on_failure == workflow::OnFailure::kAbort) break;
    } else {
      const json::Value* output = std::get<workflow::Rendered>(rendered).value.find("output");
      ended.push_back(judged(i, item, output == nullptr ? json::Value() : *output));
      if (ended.back().failure && planned(i).on_failure == workflow::OnFailure::kAbort) break;
    }
    if (state_.fuel_used + fuel_pending_ - fuel_at_start_ > kInlineFuelMax) break;
  }
  end_items(i, std::move(ended));
}

/// What an item gave, held against output_schema.
Reactor::EndedItem Reactor::judged(std::size_t i, std::uint32_t item, json::Value value) const {
  if (!planned(i).output_schema) return {item, std::move(value), std::nullopt};
  const std::string fault = output_fault(planned(i), value);
  if (fault.empty()) return {item, std::move(value), std::nullopt};
  return {item, json::Value(), ItemFailure{"OUTPUT_INVALID", fault}};
}

void Reactor::begin_item(std::size_t i, std::uint32_t item) {
  if (needs_slot(i)) --slots_;
  auto rendered = render_item(i, item);
  if (auto* failure = std::get_if<ItemFailure>(&rendered)) {
    std::vector<EndedItem> ended;
    ended.push_back({item, json::Value(), std::move(*failure)});
    return end_items(i, std::move(ended));
  }
  const auto& config = std::get<workflow::Rendered>(rendered);
  Event event = begin("step.started", i);
  event.attempt = 1;
  event.agent = agent_of(i);
  event.data.set("item", static_cast<std::int64_t>(item));
  if (const auto deadline =
          attempt_deadline(i, needs_slot(i) ? kCallTimeoutDefault : Duration(0))) {
    event.data.set("deadline", format_time(*deadline));
  }
  commit(event, "input", config.value);
  event.data.set("from",
                 json::Array{json::Object{{"commitment", state_.steps[i].items->list.commitment},
                                          {"step", state_.steps[i].name}}});
  emit(std::move(event));
  begin_unit(state_.index_of(fmt::format("{}/i{}", state_.steps[i].name, item)), config);
}

/// Records what items came to; ends their step where that decides it.
void Reactor::end_items(std::size_t i, std::vector<EndedItem> ended) {
  Event event = begin("items.completed", i);
  json::Array items;
  json::Object failed;
  json::Array output;
  std::optional<EndedItem> first_failed;
  for (EndedItem& one : ended) {
    items.emplace_back(static_cast<std::int64_t>(one.item));
    if (one.failure) {
      failed.set(std::to_string(one.item), one.failure->code);
      output.emplace_back(
          json::Object{{"code", one.failure->code}, {"message", one.failure->message}});
      if (!first_failed) first_failed = one;
    } else {
      output.push_back(std::move(one.value));
    }
  }
  event.data.set("items", std::move(items));
  if (!failed.empty()) event.data.set("failed", std::move(failed));
  commit(event, "output", std::move(output));
  emit(std::move(event));
  if (first_failed && planned(i).on_failure == workflow::OnFailure::kAbort) {
    stop_items(i);
    fail_step(i, first_failed->failure->code,
              fmt::format("item {}: {}", first_failed->item, first_failed->failure->message));
    return;
  }
  const ItemsState& state = *state_.steps[i].items;
  if (state.over == state.count) complete_step(i, items_result(i));
}

/// The list of what items gave; in the place of one that failed stands null, or its error where
/// on_failure is "continue".
json::Value Reactor::items_result(std::size_t i) const {
  json::Array out;
  const ItemsState& items = *state_.steps[i].items;
  const bool shows_errors = planned(i).on_failure == workflow::OnFailure::kContinue;
  for (const ItemOutcome& one : items.outcomes) {
    const json::Value* list = turn_.contents.find({one.seq, "output"});
    json::Value value = list == nullptr ? json::Value() : list->as_array()[one.at];
    if (!one.is_failed) {
      out.push_back(std::move(value));
    } else if (shows_errors) {
      out.emplace_back(json::Object{{"error", std::move(value)}});
    } else {
      out.emplace_back();
    }
  }
  return out;
}

/// Nothing more of the items that are open.
void Reactor::stop_items(std::size_t i) {
  for (std::size_t u = 0; u < state_.unit_count(); ++u) {
    const StepState& item = unit(u);
    if (!item.item || item.planned != i) continue;
    stop_call(item);
    withdraw_task(item);
  }
}

}  // namespace avow::engine
