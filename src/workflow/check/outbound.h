// SPDX-License-Identifier: Apache-2.0
// workflow/check/outbound.h: URLs and headers that a definition may use. Each check returns what is
// wrong, or nothing. Pure; safe from any thread.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace avow::workflow {

inline constexpr std::array<std::string_view, 5> kWebhookMethods = {"POST", "PUT", "PATCH", "GET",
                                                                    "DELETE"};

/// http or https, a host, no credentials, no spaces or control characters, at most 8 KiB.
std::optional<std::string> check_url(std::string_view url);
/// The same for a template, as far as its literal beginning goes.
std::optional<std::string> check_url_template(std::string_view text);

/// A token (RFC 9110 section 5.6.2) that the connection or the engine does not set by itself.
std::optional<std::string> check_header_name(std::string_view name);
/// No control characters (RFC 9110 section 5.5), at most 8 KiB.
std::optional<std::string> check_header_value(std::string_view value);
/// Whether by its name a header carries a credential, whose value must not stand in a definition.
bool is_credential_header(std::string_view name);

std::string lower_case(std::string_view text);

}  // namespace avow::workflow
