// SPDX-License-Identifier: Apache-2.0
// cli/log_source.h: where the files of a log are read from: a web server, a folder that holds them,
// or the data directory of a server that does not run. One thread; reads block.
#pragma once
#include <memory>

#include "base/time.h"
#include "cli/log_audit.h"
#include "net/http_client.h"

namespace avow::cli {

class LogSource {
 public:
  virtual ~LogSource() = default;
  /// See ReadLogFile.
  virtual Result<std::string> read(const std::string& path) = 0;
  [[nodiscard]] ReadLogFile reader() {
    return [this](const std::string& path) { return read(path); };
  }
};

/// Of an http(s) URL or a folder. A URL without a path means the log of an Avow server, below
/// "/log", or the host's root, if there is no checkpoint: which one, the checkpoint's first read
/// finds out.
std::unique_ptr<LogSource> open_log_source(const std::string& url_or_folder,
                                           const std::string& ca_file);

/// Of the newest log in a data directory, which it holds alone as long as it lives. What it gives
/// is about to leave: the store is compared with the watermark as a start of the server does it,
/// and the watermark raised to the checkpoint before. Errors: kUnavailable  the log did not grow
/// from what was seen, or there is no watermark
///         kNotFound     no log
///         kCorruption   its head cannot be believed
///         those of SqliteStore::open and Watermark
Result<std::unique_ptr<LogSource>> open_stored_log(const std::string& data_directory);

/// "http://host/" is "http://host".
std::string without_trailing_slash(std::string url);

/// The user names the server, so any address will do.
net::AddressPolicy anywhere();

}  // namespace avow::cli
