// SPDX-License-Identifier: Apache-2.0
#include "connectors/event_stream.h"

#include <algorithm>

namespace avow::connectors {

std::vector<std::string> EventStreamReader::take(std::string_view bytes) {
  std::vector<std::string> messages;
  for (const char c : bytes) {
    const bool ends_crlf = c == '\n' && is_after_cr_;
    is_after_cr_ = c == '\r';
    if (ends_crlf) continue;
    if (c == '\n' || c == '\r') {
      take_line(messages);
    } else {
      line_ += c;
    }
  }
  return messages;
}

void EventStreamReader::take_line(std::vector<std::string>& messages) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::string_view line = line_;
  if (is_first_line_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  is_first_line_ = false;
  if (line.empty()) {
    if (!data_.empty()) {
      data_.pop_back();
      messages.push_back(std::move(data_));
    }
    data_.clear();
  } else if (line == "data" || line.starts_with("data:")) {
    line.remove_prefix(std::min<std::size_t>(5, line.size()));
    if (line.starts_with(' ')) line.remove_prefix(1);
    data_.append(line) += '\n';
  }
  line_.clear();
}

}  // namespace avow::connectors
