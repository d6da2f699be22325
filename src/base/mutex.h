// SPDX-License-Identifier: Apache-2.0
// base/mutex.h: std::mutex with the annotations that clang's thread-safety analysis reads.
#pragma once
#include <mutex>

#if defined(__clang__)
#define AVOW_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define AVOW_THREAD_ATTRIBUTE(x)
#endif
#define GUARDED_BY(x) AVOW_THREAD_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) AVOW_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))

namespace avow {

class AVOW_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() AVOW_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() AVOW_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class AVOW_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) AVOW_THREAD_ATTRIBUTE(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() AVOW_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace avow
