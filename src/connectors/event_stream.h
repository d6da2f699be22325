// SPDX-License-Identifier: Apache-2.0
// connectors/event_stream.h: reads server-sent events (WHATWG HTML, section 9.2) piece by piece.
// The bytes are untrusted; who feeds it bounds them. One thread at a time.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace avow::connectors {

class EventStreamReader {
 public:
  /// The data of each message that `bytes` complete, in order. Event names and ids are left out:
  /// the APIs that are read with this repeat them in their data.
  std::vector<std::string> take(std::string_view bytes);

 private:
  void take_line(std::vector<std::string>& messages);

  std::string line_;  ///< Begun, not ended.
  std::string data_;  ///< Of the message that has begun; each line with a line feed behind it.
  bool is_first_line_ = true;
  bool is_after_cr_ = false;  ///< A line feed now belongs to the end of the line before.
};

}  // namespace avow::connectors
