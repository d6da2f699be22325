// SPDX-License-Identifier: Apache-2.0
// server/init.h: makes the data directory of a new deployment: store, keys, first tenant, and the
// first entries of its log, which witness them.
#pragma once
#include <string>

#include "base/id.h"
#include "base/rng.h"
#include "base/secret.h"

namespace avow::server {

inline constexpr std::string_view kDefaultOrigin = "avow.local";

struct InitOptions {
  std::string data_directory;
  std::string tenant = "default";
  std::string origin = std::string(kDefaultOrigin);
  Secret keys_passphrase = {};  ///< Encrypts the private keys; empty: they are not.
};

/// What is shown once.
struct Deployment {
  TenantId tenant;
  Secret api_key;  ///< Of the tenant, with `*:*`.
  Secret platform_key;
  std::string log_key;  ///< The log's public key as a C2SP signed-note vkey.
  std::string origin;
};

/// Makes the data directory, mode 0700. All or nothing: it is made in a folder beside it that takes
/// its name at the end (inside it, if it is there and empty). A crash leaves that folder, named
/// "<name>.init-XXXXXX", and no store.
/// Errors: kInvalidArgument  an origin that is no bare host name, or a tenant's name that is none
///         kConflict         a store, or anything else, is there
///         kUnavailable, kResourceExhausted  it cannot be written
Result<Deployment> initialise(const InitOptions& options, Clock& clock, Rng& rng);

/// Whether `text` is a bare lower-case host name: labels of letters, digits and inner hyphens.
bool is_host_name(std::string_view text);

}  // namespace avow::server
