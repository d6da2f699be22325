// SPDX-License-Identifier: Apache-2.0
#include "connectors/url_template.h"

#include "json/write.h"
#include "net/percent.h"
#include "workflow/segments.h"

namespace avow::connectors {
namespace {

using workflow::Fault;
using workflow::Faults;
using workflow::Segment;

/// Parses the expression of `segment` and finds names other than `arguments`.
std::optional<cel::Expression> compile_expression(const Segment& segment, std::string_view text,
                                                  const std::string& pointer, Faults& faults) {
  const auto fault = [&](const char* code, const std::string& message, workflow::Place inner) {
    const auto place = workflow::place_within(workflow::place_of(text, segment.offset), inner);
    faults.push_back({pointer, code, message, place.line, place.column});
  };
  std::vector<cel::Fault> found;
  auto expression = cel::Expression::parse(segment.text, &found);
  if (expression) found = expression->check();
  for (const cel::Fault& one : found) {
    fault("BAD_EXPRESSION", one.message, {one.line, one.column});
  }
  if (!expression) return std::nullopt;
  for (const cel::Reference& reference : expression->references()) {
    if (reference.root == "arguments") continue;
    fault("UNKNOWN_NAME",
          fmt::format("a tool's URL knows only `arguments`, not `{}`", reference.root),
          {reference.line, reference.column});
  }
  return std::move(*expression);
}

Result<std::string> text_of(const json::Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_number() || value.is_bool()) return json::write_canonical(value);
  return failure(Code::kInvalidArgument,
                 "a value in the URL is {}: only text, numbers and booleans fit",
                 json::type_name(value.type()));
}

std::string_view path_of(const Url& url) {
  return std::string_view(url.target).substr(0, url.target.find('?'));
}

bool has_empty_or_dot_segment(const Url& url) {
  return path_of(url).find("//") != std::string_view::npos || has_dot_segment(url.target);
}

}  // namespace

const json::Value* ArgumentsEnvironment::find(std::string_view root, std::span<const std::string>,
                                              std::size_t& used) const {
  used = 0;
  return root == "arguments" ? &arguments_ : nullptr;
}

std::optional<UrlTemplate> UrlTemplate::compile(std::string_view text, const std::string& pointer,
                                                Faults& faults) {
  const std::size_t faults_before = faults.size();
  auto split = workflow::split_template(text);
  if (auto* const fault = std::get_if<Fault>(&split)) {
    fault->pointer = pointer;
    faults.push_back(std::move(*fault));
    return std::nullopt;
  }
  UrlTemplate out;
  std::string sample;  // the URL with "x" for every value: it must be one already
  for (const Segment& segment : std::get<std::vector<Segment>>(split)) {
    if (!segment.is_expression) {
      out.parts_.emplace_back(segment.text);
      sample += segment.text;
      continue;
    }
    const std::size_t authority = sample.find("://");
    if (authority == std::string::npos ||
        sample.find_first_of("/?", authority + 3) == std::string::npos) {
      faults.push_back({pointer, "BAD_URL",
                        "scheme, host and port must be literal: an expression may stand "
                        "in path and query only"});
      return std::nullopt;
    }
    sample += 'x';
    if (auto expression = compile_expression(segment, text, pointer, faults)) {
      out.parts_.emplace_back(std::move(*expression));
    }
  }
  const auto url = parse_url(sample);
  if (!url) {
    faults.push_back({pointer, "BAD_URL", url.error().message});
  } else if (has_empty_or_dot_segment(*url)) {
    faults.push_back({pointer, "BAD_URL", "a path segment must not be empty, \".\" or \"..\""});
  } else {
    out.base_ = *url;
  }
  if (faults.size() != faults_before) return std::nullopt;
  return out;
}

Result<std::string> UrlTemplate::render(const json::Value& arguments, std::int64_t& fuel) const {
  const ArgumentsEnvironment environment(arguments);
  std::string url;
  for (const Part& part : parts_) {
    if (const auto* const literal = std::get_if<std::string>(&part)) {
      url += *literal;
      continue;
    }
    const auto outcome = std::get<cel::Expression>(part).evaluate(environment, fuel);
    if (const auto* const error = std::get_if<cel::EvalError>(&outcome)) {
      return failure(Code::kInvalidArgument, "url: {}", error->message);
    }
    ASSIGN_OR_RETURN(const std::string text, text_of(std::get<json::Value>(outcome)));
    url += net::percent_encode(text);
  }
  ASSIGN_OR_RETURN(const Url parsed, parse_url(url));
  // An empty last segment would name the collection instead of one thing in it; only a "/" that the
  // template itself ends with may stand there.
  const bool lost_last_segment = path_of(parsed).ends_with('/') && !path_of(base_).ends_with('/');
  if (has_empty_or_dot_segment(parsed) || lost_last_segment) {
    return failure(Code::kInvalidArgument, "a value makes a path segment empty, \".\" or \"..\"");
  }
  return url;
}

}  // namespace avow::connectors
