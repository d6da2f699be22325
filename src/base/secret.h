// SPDX-License-Identifier: Apache-2.0
// base/secret.h: text that must not be printed.
#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>

namespace avow {

/// A credential. Formats as `***`; only `reveal()` gives it away, so every use can be found.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace avow

template <>
struct fmt::formatter<avow::Secret> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const avow::Secret&, Context& context) const {
    return fmt::formatter<std::string_view>::format("***", context);
  }
};
