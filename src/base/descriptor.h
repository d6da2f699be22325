// SPDX-License-Identifier: Apache-2.0
// base/descriptor.h: an open file that is closed when its owner goes. One thread at a time.
#pragma once
#include <unistd.h>

namespace avow {

class Descriptor {
 public:
  /// Takes what open() gave; a negative number is no file, and the caller's to look at.
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  const int number_;
};

}  // namespace avow
