// SPDX-License-Identifier: Apache-2.0
// server/settings_record.h: which settings and secrets a deployment runs with, as a record of its
// store and statements of its log, so that a change of them shows. Values of secrets, and of what
// may hold one (headers, query parameters, the proxy's URL), are never written: only their HMAC
// under a random key that is kept beside it.
#pragma once
#include "connectors/secrets.h"
#include "server/config.h"
#include "store/store.h"

namespace avow::server {

/// Compares `config` and `secrets` with what the start before ran with, and commits what changed:
/// the record, and an admin.changed for the settings as a whole and for each secret. At start,
/// before anything uses them. Errors: kCorruption (the record), and those of Store::commit
Result<void> record_settings(store::Store& store, const Config& config,
                             const connectors::SecretStore& secrets, Clock& clock, Rng& rng);

}  // namespace avow::server
