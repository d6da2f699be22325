// SPDX-License-Identifier: Apache-2.0
#include "server/process.h"

#include <pthread.h>
#include <sys/resource.h>

#include <csignal>

#include "base/check.h"
#include "base/log.h"

namespace avow::server {
namespace {

sigset_t shutdown_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void prepare_process() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warning("cannot raise the limit of open files");
}

ShutdownSignals::ShutdownSignals() {
  const sigset_t set = shutdown_set();
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
}

int ShutdownSignals::wait() {
  const sigset_t set = shutdown_set();
  int signal = 0;
  CHECK(sigwait(&set, &signal) == 0);
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  CHECK(pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
  return signal;
}

}  // namespace avow::server
