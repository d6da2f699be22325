// SPDX-License-Identifier: Apache-2.0
// workflow/template.h: JSON trees with `${{ expr }}` in their strings (DESIGN.md section 3).
// Compiled once, rendered often. Rendering works on the parsed tree, and a result is never expanded
// again: text that came from a model or a caller and contains "${{" is data.
// A compiled Template is immutable and safe from any thread.
#pragma once
#include <memory>
#include <variant>

#include "cel/expression.h"
#include "json/value.h"
#include "workflow/fault.h"

namespace avow::workflow {

/// The string at `pointer` of a rendered tree stands for the secret `name`; whoever makes the
/// outside call puts its value there, nobody else ever sees it. The tree holds "${{ secrets.NAME
/// }}" there.
struct SecretUse {
  std::string pointer;
  std::string name;
};

struct Rendered {
  json::Value value;
  std::vector<SecretUse> secrets;
};

/// An expression's use of a name, with its place.
struct TemplateReference {
  cel::Reference reference;  ///< Line and column count within the string.
  std::string pointer;       ///< Of the string, below the template's root.
};

class Template {
 public:
  Template() = default;  ///< Renders null.

  /// Compiles `tree`, which is untrusted: bad expressions (parsed and checked) become faults, and
  /// the Template renders null where they stood. Faults get `pointer` as their prefix. `${{
  /// secrets.NAME }}` is allowed as a whole string only, and only where `may_use_secrets`.
  static Template compile(const json::Value& tree, std::string_view pointer, bool may_use_secrets,
                          Faults& faults);

  /// The tree with every expression replaced. Takes from `fuel` what the expressions cost, and one
  /// unit for each node and each 16 bytes of their results. The results together are at most
  /// cel::kValueBytesMax, else kLimit.
  [[nodiscard]] std::variant<Rendered, cel::EvalError> render(const cel::Environment& environment,
                                                              std::int64_t& fuel) const;

  /// Every free name that its expressions use.
  [[nodiscard]] std::vector<TemplateReference> references() const;
  /// The secrets it names, with the pointers of the strings.
  [[nodiscard]] const std::vector<SecretUse>& secrets() const;
  /// Whether it holds no expression, no secret and no escape: it renders to its source.
  [[nodiscard]] bool is_constant() const;
  /// The source tree.
  [[nodiscard]] const json::Value& source() const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

/// `tree` with "$${{" for every "${{" in its strings (not its member names): what renders to
/// `tree`.
json::Value escape_template(const json::Value& tree);

}  // namespace avow::workflow
