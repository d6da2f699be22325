// SPDX-License-Identifier: Apache-2.0
// Comes between a program and its file system (LD_PRELOAD), and does what a file with orders says
// (faults.h writes it):
//
//   kill MOMENT N PART  at the N-th call, since the process began, that has PART in its name
//   full N DISK         as long as the file says so, N writes find room and the next ones do not;
//                       another word for DISK is another such disk
//   no-sync PART        as long as the file says so, every sync fails whose name ends in PART
//
// The name of a call is such as "pwrite:/data/avow.db-wal".
// What counts is a call that changes or syncs something below AVOW_FAULT_FOLDER: write, pwrite,
// ftruncate, rename, unlink, fsync, fdatasync. Nobody is killed at SQLite's "-shm": it is made anew
// after a crash. AVOW_FAULT_ORDERS names the file with orders; what was met is written to the file
// of that name with ".met". Not for a program with sanitizers, which come between as well.
//
// MOMENT  before | after  the call
//         half            in the middle of a write; of another call: before
//         power           before the call, and what is not synced is lost: all of it, or, for every
//                         second N, about half of the writes, which is what a disk that writes in
//                         an order of its own leaves. Renames last when their folder is synced.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

// The real calls. Not dlsym: these are short, and work from the first instruction on.
ssize_t real_pwrite(int file, const void* bytes, std::size_t count, off_t offset) {
  return ::syscall(SYS_pwrite64, file, bytes, count, offset);
}
ssize_t real_write(int file, const void* bytes, std::size_t count) {
  return ::syscall(SYS_write, file, bytes, count);
}
int real_rename(const char* from, const char* to) {
  return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::optional<std::string> read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string text;
  std::array<char, 4096> buffer{};
  const auto read_more = [&] {
    return ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
  };
  for (ssize_t n = 0; (n = read_more()) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(file);
  return text;
}

void write_file(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return;
  (void)real_write(file, text.data(), text.size());
  ::close(file);
}

/// The path of a file or folder; empty for anything else, such as a socket.
std::string path_of(int file) {
  struct stat status{};
  if (::fstat(file, &status) != 0) return {};
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return {};
  std::array<char, 4096> buffer{};
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return length > 0 ? std::string(buffer.data(), static_cast<std::size_t>(length)) : "";
}

struct Orders {
  std::string verb;  ///< Empty: none.
  std::string moment;
  std::uint64_t number = 0;
  std::string part;  ///< Or name.
};

/// A write or rename that a loss of power can undo.
struct Unsynced {
  std::string path;                   ///< That was written, or renamed to.
  std::string folder;                 ///< Of a rename: whose sync makes it last.
  std::string from;                   ///< Of a rename.
  std::optional<std::string> before;  ///< The bytes that were there; of a rename: the whole file.
  off_t offset = 0;
  off_t size = 0;  ///< Of the file before.
};

class Faults {
 public:
  /// What a call has to do. `errno` is set where it must fail.
  enum class Verdict { kGoOn, kFail };

  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }
  [[nodiscard]] bool concerns(std::string_view path) const {
    return !folder_.empty() && path.starts_with(folder_);
  }

  /// Before a call `verb` on `path`, which concerns us. `halve` does half of a write.
  template <class Halve>
  Verdict before(std::string_view verb, const std::string& path, bool needs_room, bool is_sync,
                 const Halve& halve) {
    const std::string name = std::string(verb) + ":" + path.substr(folder_.rfind('/'));
    orders_ = read_orders();
    is_due_ = false;
    if (orders_.verb == "full" && needs_room && is_full()) return fail(ENOSPC, name);
    if (orders_.verb == "no-sync" && is_sync && name.ends_with(orders_.part)) {
      return fail(EIO, name);
    }
    const bool counts = name.find(orders_.part) != std::string::npos && !name.ends_with("-shm");
    if (orders_.verb != "kill" || !counts || ++count_ != orders_.number) return Verdict::kGoOn;
    is_due_ = true;
    report(name);
    if (orders_.moment == "after") return Verdict::kGoOn;
    if (orders_.moment == "half") halve();
    if (orders_.moment == "power") lose_power();
    die();
    return Verdict::kFail;
  }
  void after() const {
    if (is_due_) die();
  }

  // Around calls that concern us, once the orders were read.
  void note_write(int file, const std::string& path, std::size_t count, off_t offset) {
    if (orders_.moment != "power") return;
    struct stat status{};
    (void)::fstat(file, &status);
    const int reader = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::string old(count, '\0');
    if (reader >= 0) (void)::pread(reader, old.data(), count, offset);
    ::close(reader);
    unsynced_.push_back({path, {}, {}, std::move(old), offset, status.st_size});
  }
  void note_truncation(int file, const std::string& path, off_t size) {
    struct stat status{};
    if (orders_.moment != "power" || ::fstat(file, &status) != 0) return;
    const off_t lost = std::max<off_t>(status.st_size - size, 0);
    note_write(file, path, static_cast<std::size_t>(lost), size);
  }
  void note_rename(const std::string& from, const std::string& to) {
    if (orders_.moment != "power") return;
    unsynced_.push_back({to, to.substr(0, to.rfind('/')), from, read_file(to), 0, 0});
  }
  void note_sync(const std::string& path) {
    std::erase_if(unsynced_, [&](const Unsynced& one) {
      return one.folder.empty() ? one.path == path : one.folder == path;
    });
    // A rename moves what is not synced yet of the file with it; we rename only what is synced.
  }

 private:
  [[nodiscard]] Orders read_orders() const {
    Orders out;
    std::istringstream words(read_file(orders_path_).value_or(""));
    words >> out.verb;
    if (out.verb == "kill") words >> out.moment;
    if (out.verb == "kill" || out.verb == "full") words >> out.number;
    words >> out.part;
    return out;
  }
  bool is_full() {
    if (disk_ != orders_.part) count_ = 0;
    disk_ = orders_.part;
    return ++count_ > orders_.number;
  }
  void report(std::string_view name) const { write_file(orders_path_ + ".met", name); }
  Verdict fail(int number, std::string_view name) const {
    report(name);
    errno = number;
    return Verdict::kFail;
  }
  [[noreturn]] static void die() {
    ::kill(::getpid(), SIGKILL);
    std::abort();  // not reached: nothing outlives that signal
  }

  /// By a child, while all threads of this process are stopped: they map the files that it cuts.
  void lose_power() {
    const pid_t server = ::getpid();
    if (::fork() != 0) {
      for (;;) ::pause();  // until the child kills this process
    }
    ::kill(server, SIGSTOP);
    while (!is_stopped(server)) ::sched_yield();
    lose_unsynced();
    // Not to hold what the server held, its lock among it, for a moment longer than it does.
    (void)::syscall(SYS_close_range, 0, ~0U, 0);
    ::kill(server, SIGKILL);
    ::_exit(0);
  }
  /// Whether all its threads are, or it is no more.
  static bool is_stopped(pid_t process) {
    std::error_code gone;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
      // "<id> (<name>) <state> ..."
      const std::string line = read_file(thread.path() / "stat").value_or("");
      const std::size_t name_end = line.rfind(')');
      if (name_end == std::string::npos) continue;
      const char state = line.substr(name_end).at(2);
      if (state != 'T' && state != 'Z' && state != 'X') return false;
    }
    return true;
  }
  void lose_unsynced() {
    const bool is_all = orders_.number % 2 == 0;
    std::uint64_t chance = orders_.number;
    for (auto one = unsynced_.rbegin(); one != unsynced_.rend(); ++one) {
      chance = chance * 6364136223846793005U + 1442695040888963407U;
      if (!is_all && (chance >> 63U) == 0) continue;
      if (one->folder.empty()) {
        undo_write(*one, is_all);
      } else {
        (void)real_rename(one->path.c_str(), one->from.c_str());
        if (one->before) write_file(one->path, *one->before);
      }
    }
  }
  /// Without its truncation to the old size where a later write may stay: then zeros are left, as
  /// in a block that was never written.
  static void undo_write(const Unsynced& one, bool has_size) {
    const int file = ::open(one.path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    (void)real_pwrite(file, one.before->data(), one.before->size(), one.offset);
    const off_t end = one.offset + static_cast<off_t>(one.before->size());
    if (has_size && end > one.size) (void)::syscall(SYS_ftruncate, file, one.size);
    ::close(file);
  }

  const std::string folder_ = environment("AVOW_FAULT_FOLDER");
  const std::string orders_path_ = environment("AVOW_FAULT_ORDERS");
  std::mutex mutex_;
  Orders orders_;
  std::uint64_t count_ = 0;  ///< Calls that the order is about.
  std::string disk_;
  bool is_due_ = false;
  std::vector<Unsynced> unsynced_;
};

/// Made at the first call, and never destroyed: other threads write until the very end.
Faults& faults() {
  static Faults& the = *new Faults();
  return the;
}

constexpr auto kNoHalf = [] {};  // of a call that cannot be half done

template <class Real>
int sync(std::string_view name, int file, const Real& real) {
  const std::string path = path_of(file);
  if (!faults().concerns(path)) return real();
  const auto lock = faults().lock();
  if (faults().before(name, path, false, true, kNoHalf) == Faults::Verdict::kFail) return -1;
  const int done = real();
  if (done == 0) faults().note_sync(path);
  faults().after();
  return done;
}

template <class Real>
ssize_t write_at(std::string_view name, int file, std::size_t count, off_t offset,
                 const Real& real) {
  const std::string path = path_of(file);
  if (!faults().concerns(path)) return real(count);
  const auto lock = faults().lock();
  const auto halve = [&] { (void)real(count / 2); };
  if (faults().before(name, path, true, false, halve) == Faults::Verdict::kFail) return -1;
  faults().note_write(file, path, count, offset);
  const ssize_t done = real(count);
  faults().after();
  return done;
}

/// `note` is called before a call that concerns us. `needs_room`: it makes something new.
template <class Note, class Real>
int change(std::string_view name, const std::string& path, bool needs_room, const Note& note,
           const Real& real) {
  if (!faults().concerns(path)) return real();
  const auto lock = faults().lock();
  if (faults().before(name, path, needs_room, false, kNoHalf) == Faults::Verdict::kFail) return -1;
  note();
  const int done = real();
  faults().after();
  return done;
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* bytes, std::size_t count) {
  return write_at("write", file, count, ::lseek(file, 0, SEEK_CUR),
                  [=](std::size_t n) { return real_write(file, bytes, n); });
}
ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t offset) {
  return write_at("pwrite", file, count, offset,
                  [=](std::size_t n) { return real_pwrite(file, bytes, n, offset); });
}
ssize_t pwrite64(int file, const void* bytes, std::size_t count, off64_t offset) {
  return pwrite(file, bytes, count, offset);
}
int fsync(int file) {
  return sync("fsync", file, [=] { return static_cast<int>(::syscall(SYS_fsync, file)); });
}
int fdatasync(int file) {
  return sync("fdatasync", file, [=] { return static_cast<int>(::syscall(SYS_fdatasync, file)); });
}
int ftruncate(int file, off_t size) noexcept {
  struct stat status{};
  const bool grows = ::fstat(file, &status) == 0 && size > status.st_size;
  const std::string path = path_of(file);
  return change(
      "ftruncate", path, grows, [&] { faults().note_truncation(file, path, size); },
      [&] { return static_cast<int>(::syscall(SYS_ftruncate, file, size)); });
}
int ftruncate64(int file, off64_t size) noexcept { return ftruncate(file, size); }
int rename(const char* from, const char* to) noexcept {
  return change(
      "rename", to, false, [&] { faults().note_rename(from, to); },
      [&] { return real_rename(from, to); });
}
/// LIMITATION: lasts at once.
int unlink(const char* path) noexcept {
  return change(
      "unlink", path, false, [] {},
      [&] { return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0)); });
}

}  // extern "C"
