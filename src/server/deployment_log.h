// SPDX-License-Identifier: Apache-2.0
// server/deployment_log.h: where a deployment keeps its log's keys and watermark, and how the log
// of an opened store is opened. For the server, and for commands that hold the store alone.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/rng.h"
#include "json/value.h"
#include "store/store.h"
#include "tlog/sequencer.h"

namespace avow::server {

/// Below the data directory.
inline constexpr const char* kKeysFolder = "keys";
inline constexpr const char* kWatermarkFile = "log.watermark";

std::string keys_folder(const std::string& data_directory);
std::string watermark_path(const std::string& data_directory);

/// The keys of the newest log in `store`; what a crash left of a rotation or a recovery is finished
/// or dropped first. Errors: those of tlog::finish_rotation and tlog::load_keys, where a missing
/// file is kUnavailable
Result<tlog::LogKeys> open_keys(store::Store& store, const std::string& data_directory,
                                const Secret& passphrase);

/// Opens the newest log of `store`; it may be sealed. The caller sets it as the store's hook; it
/// must outlive the store's stop(). Errors: those of open_keys and Sequencer::open
Result<std::unique_ptr<tlog::Sequencer>> open_log(store::Store& store,
                                                  const std::string& data_directory, Clock& clock,
                                                  Rng& rng, tlog::SequencerOptions options = {});

/// A change of something that the deployment or a tenant is made of.
struct AdminChange {
  TenantId tenant = {};  ///< Who can list it; zero: the deployment alone.
  Id id = {};
  std::string subject = {};
  std::string change = {};
  std::string actor = {};                  ///< Empty: the engine.
  std::optional<json::Value> record = {};  ///< As it is now, without secrets; absent: removed.
};
/// The admin.changed of it, for Commit::statements.
store::QueuedStatement admin_changed(AdminChange change, Time now, Rng& rng);

/// Commits and waits for the disk. Errors: those of Store::commit
Result<void> commit(store::Store& store, store::Commit changes);

}  // namespace avow::server
