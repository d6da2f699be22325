// SPDX-License-Identifier: Apache-2.0
#include "workflow/template.h"

#include "base/bytes.h"
#include "json/pointer.h"
#include "json/write.h"
#include "workflow/segments.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kTreeDepthMax = 128;  // json::ParseOptions allows 64
constexpr std::size_t kBytesPerFuel = 16;   // as in cel

/// One text between or around expressions, or one expression.
using Part = std::variant<std::string, cel::Expression>;

struct Node {
  enum class Kind { kConstant, kExpression, kText, kSecret, kArray, kObject };
  Kind kind = Kind::kConstant;
  json::Value constant;           ///< kConstant, kSecret.
  std::vector<Part> parts;        ///< kExpression: one; kText: in their order.
  std::vector<std::string> keys;  ///< kObject.
  std::vector<Node> children;     ///< kArray, kObject.
};

cel::EvalError limit(std::string message) {
  return {cel::EvalError::Kind::kLimit, std::move(message)};
}

}  // namespace

struct Template::Compiled {
  json::Value source;
  Node root;
  std::vector<TemplateReference> references;
  std::vector<SecretUse> secrets;
  bool is_constant = false;
};

namespace {

class Compiler {
 public:
  Compiler(std::string_view prefix, bool may_use_secrets,
           std::vector<TemplateReference>& references, std::vector<SecretUse>& secrets,
           Faults& faults)
      : prefix_(prefix),
        may_use_secrets_(may_use_secrets),
        references_(references),
        secrets_(secrets),
        faults_(faults) {}

  Node compile(const json::Value& value, const std::string& pointer, std::size_t depth) {
    if (depth > kTreeDepthMax) {
      faults_.push_back({prefix_ + pointer, "TOO_LARGE",
                         fmt::format("nested deeper than {} levels", kTreeDepthMax)});
      return {};
    }
    if (value.is_string()) return compile_text(value, pointer);
    Node node;
    if (value.is_array()) {
      node.kind = Node::Kind::kArray;
      for (std::size_t i = 0; i < value.as_array().size(); ++i) {
        node.children.push_back(compile(value.as_array()[i], json::join(pointer, i), depth + 1));
      }
    } else if (value.is_object()) {
      node.kind = Node::Kind::kObject;
      for (const auto& [key, member] : value.as_object()) {
        node.keys.push_back(key);
        node.children.push_back(compile(member, json::join(pointer, key), depth + 1));
      }
    }
    // A tree without expressions renders to itself, and its copies cost nothing.
    bool constant = true;
    for (const Node& child : node.children)
      constant = constant && child.kind == Node::Kind::kConstant;
    if (!constant) return node;
    Node whole;
    whole.constant = value;
    if (node.kind == Node::Kind::kArray) whole.constant = json::Array();
    if (node.kind == Node::Kind::kObject) whole.constant = json::Object();
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      // The children differ from the source where "$${{" became "${{".
      if (node.kind == Node::Kind::kArray) {
        whole.constant.push_back(std::move(node.children[i].constant));
      } else {
        whole.constant.set(node.keys[i], std::move(node.children[i].constant));
      }
    }
    return whole;
  }

 private:
  Node compile_text(const json::Value& value, const std::string& pointer) {
    Node node;
    const std::string& text = value.as_string();
    if (const std::string name = secret_name(text); !name.empty()) {
      if (may_use_secrets_) {
        secrets_.push_back({pointer, name});
      } else {
        faults_.push_back({prefix_ + pointer, "SECRET_NOT_ALLOWED",
                           "a secret may stand only in the config of a tool_call, webhook or "
                           "llm_inference step"});
      }
      node.kind = Node::Kind::kSecret;
      node.constant = "${{ secrets." + name + " }}";
      return node;
    }
    auto split = split_template(text);
    if (auto* fault = std::get_if<Fault>(&split)) {
      fault->pointer = prefix_ + pointer;
      faults_.push_back(std::move(*fault));
      return node;
    }
    auto& segments = std::get<std::vector<Segment>>(split);
    // Counted on from the segment before: from the start each time would be quadratic.
    Place place;
    std::size_t counted = 0;
    for (Segment& segment : segments) {
      place = place_within(
          place, place_of(std::string_view(text).substr(counted), segment.offset - counted));
      counted = segment.offset;
      if (segment.is_expression) {
        compile_expression(segment, place, pointer, node);
      } else {
        node.parts.emplace_back(std::move(segment.text));
      }
    }
    if (segments.empty() || (segments.size() == 1 && !segments[0].is_expression)) {
      node.constant = segments.empty() ? std::string() : std::get<std::string>(node.parts[0]);
      node.parts.clear();
    } else {
      node.kind = segments.size() == 1 ? Node::Kind::kExpression : Node::Kind::kText;
    }
    return node;
  }

  void compile_expression(const Segment& segment, Place start, const std::string& pointer,
                          Node& node) {
    const auto fault = [&](const char* code, const std::string& message, Place inner) {
      const Place place = place_within(start, inner);
      faults_.push_back({prefix_ + pointer, code, message, place.line, place.column});
    };
    std::vector<cel::Fault> faults;
    auto expression = cel::Expression::parse(segment.text, &faults);
    if (expression) {
      faults = expression->check();
    } else if (faults.empty()) {
      faults.push_back({expression.error().message, 1, 1});
    }
    for (const cel::Fault& found : faults) {
      fault("BAD_EXPRESSION", found.message, {found.line, found.column});
    }
    if (!expression) return;
    for (cel::Reference reference : expression->references()) {
      const Place inner{reference.line, reference.column};
      if (reference.root == "secrets") {
        fault("SECRET_NOT_ALLOWED",
              "a secret is no value: it may stand only as a whole string, \"${{ secrets.NAME }}\"",
              inner);
        continue;
      }
      const Place place = place_within(start, inner);
      reference.line = place.line;
      reference.column = place.column;
      references_.push_back({std::move(reference), pointer});
    }
    node.parts.emplace_back(std::move(*expression));
  }

  std::string prefix_;
  bool may_use_secrets_;
  std::vector<TemplateReference>& references_;
  std::vector<SecretUse>& secrets_;
  Faults& faults_;
};

class Renderer {
 public:
  Renderer(const cel::Environment& environment, std::int64_t& fuel)
      : environment_(environment), fuel_(fuel) {}

  std::variant<Rendered, cel::EvalError> render(const Node& root) {
    Rendered out;
    out.value = value_of(root, "");
    if (failed_) return std::move(error_);
    out.secrets = std::move(secrets_);
    return out;
  }

 private:
  json::Value value_of(const Node& node, const std::string& pointer) {
    if (failed_) return {};
    switch (node.kind) {
      case Node::Kind::kConstant:
        return node.constant;
      case Node::Kind::kSecret:
        secrets_.push_back({pointer, secret_name(node.constant.as_string())});
        return node.constant;
      case Node::Kind::kExpression: {
        json::Value value = evaluate(std::get<cel::Expression>(node.parts[0]));
        weigh(value);
        return value;
      }
      case Node::Kind::kText:
        return text_of(node);
      case Node::Kind::kArray: {
        json::Array out;
        out.reserve(node.children.size());
        for (std::size_t i = 0; i < node.children.size(); ++i) {
          out.push_back(value_of(node.children[i], json::join(pointer, i)));
        }
        return out;
      }
      case Node::Kind::kObject: {
        json::Object out;
        for (std::size_t i = 0; i < node.children.size(); ++i) {
          out.set(node.keys[i], value_of(node.children[i], json::join(pointer, node.keys[i])));
        }
        return out;
      }
    }
    return {};
  }

  json::Value text_of(const Node& node) {
    std::string out;
    for (const Part& part : node.parts) {
      if (failed_) return {};
      if (const auto* literal = std::get_if<std::string>(&part)) {
        out += *literal;
        continue;
      }
      const json::Value value = evaluate(std::get<cel::Expression>(part));
      weigh(value);
      if (failed_) return {};
      if (value.is_string()) {
        out += value.as_string();
      } else {
        json::write_canonical_to(value, out);
      }
    }
    return out;
  }

  json::Value evaluate(const cel::Expression& expression) {
    auto outcome = expression.evaluate(environment_, fuel_);
    if (auto* value = std::get_if<json::Value>(&outcome)) return std::move(*value);
    fail(std::get<cel::EvalError>(std::move(outcome)));
    return {};
  }

  /// Counts what the results come to when written out: copies share memory, so a small template
  /// could name a large value ten thousand times.
  void weigh(const json::Value& value) {
    if (failed_) return;
    bytes_ += 4;
    --fuel_;
    if (value.is_string()) weigh_text(value.as_string());
    if (value.is_array()) {
      for (const json::Value& element : value.as_array()) weigh(element);
    }
    if (value.is_object()) {
      for (const auto& [key, member] : value.as_object()) {
        weigh_text(key);
        weigh(member);
      }
    }
    if (bytes_ > cel::kValueBytesMax) {
      fail(limit(fmt::format("the rendered value is larger than {} bytes", cel::kValueBytesMax)));
    } else if (fuel_ < 0) {
      fail(limit("the expressions took too much work"));
    }
  }
  void weigh_text(std::string_view text) {
    bytes_ += text.size();
    fuel_ -= static_cast<std::int64_t>(text.size() / kBytesPerFuel);
  }

  void fail(cel::EvalError error) {
    if (!failed_) error_ = std::move(error);
    failed_ = true;
  }

  const cel::Environment& environment_;
  std::int64_t& fuel_;
  std::vector<SecretUse> secrets_;
  std::size_t bytes_ = 0;
  bool failed_ = false;
  cel::EvalError error_;
};

}  // namespace

Template Template::compile(const json::Value& tree, std::string_view pointer, bool may_use_secrets,
                           Faults& faults) {
  auto compiled = std::make_shared<Compiled>();
  compiled->source = tree;
  Compiler compiler(pointer, may_use_secrets, compiled->references, compiled->secrets, faults);
  compiled->root = compiler.compile(tree, "", 0);
  compiled->is_constant =
      compiled->root.kind == Node::Kind::kConstant && compiled->root.constant == tree;
  Template out;
  out.compiled_ = std::move(compiled);
  return out;
}

std::variant<Rendered, cel::EvalError> Template::render(const cel::Environment& environment,
                                                        std::int64_t& fuel) const {
  if (compiled_ == nullptr) return Rendered{};
  return Renderer(environment, fuel).render(compiled_->root);
}

std::vector<TemplateReference> Template::references() const {
  return compiled_ == nullptr ? std::vector<TemplateReference>() : compiled_->references;
}

const std::vector<SecretUse>& Template::secrets() const {
  static const std::vector<SecretUse> kNone;
  return compiled_ == nullptr ? kNone : compiled_->secrets;
}

bool Template::is_constant() const { return compiled_ == nullptr || compiled_->is_constant; }

const json::Value& Template::source() const {
  static const json::Value kNull;
  return compiled_ == nullptr ? kNull : compiled_->source;
}

json::Value escape_template(const json::Value& tree) {
  if (tree.is_string()) {
    const std::string& text = tree.as_string();
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (std::string_view(text).substr(at, 3) == "${{") out += '$';
      out += text[at];
    }
    return out;
  }
  if (tree.is_array()) {
    json::Array out;
    for (const json::Value& element : tree.as_array()) out.push_back(escape_template(element));
    return out;
  }
  if (tree.is_object()) {
    json::Object out;
    for (const auto& [key, member] : tree.as_object()) out.set(key, escape_template(member));
    return out;
  }
  return tree;
}

}  // namespace avow::workflow
