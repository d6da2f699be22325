// SPDX-License-Identifier: Apache-2.0
#include "api/metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace avow::api {
namespace {

template <class... Args>
void line(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
  out += '\n';
}

void head(std::string& out, std::string_view name, std::string_view kind, std::string_view help) {
  line(out, "# HELP {} {}", name, help);
  line(out, "# TYPE {} {}", name, kind);
}

template <class Number>
void single(std::string& out, std::string_view name, std::string_view kind, std::string_view help,
            Number value) {
  head(out, name, kind, help);
  line(out, "{} {}", name, value);
}

std::string labels_of(const Route* route) {
  if (route == nullptr) return R"(method="",route="")";
  return fmt::format(R"(method="{}",route="{}")", route->method, route->path);
}

void write_engine(const engine::Engine::Figures& figures, std::string& out) {
  head(out, "avow_runs_total", "counter", "Runs by what became of them.");
  line(out, R"(avow_runs_total{{event="started"}} {})", figures.runs_started);
  line(out, R"(avow_runs_total{{event="completed"}} {})", figures.runs_completed);
  line(out, R"(avow_runs_total{{event="failed"}} {})", figures.runs_failed);
  line(out, R"(avow_runs_total{{event="cancelled"}} {})", figures.runs_cancelled);
  single(out, "avow_events_total", "counter", "Events written to journals.", figures.events);
  single(out, "avow_calls_total", "counter", "Outside calls begun.", figures.calls);
  single(out, "avow_calls_in_doubt_total", "counter", "Calls whose outcome a crash left open.",
         figures.in_doubt);
  single(out, "avow_runs_loaded", "gauge", "Runs in memory.", figures.runs_loaded);
  single(out, "avow_calls_in_flight", "gauge", "Outside calls under way.", figures.calls_in_flight);
  single(out, "avow_runs_waiting_for_slots", "gauge", "Runs with a step that waits for capacity.",
         figures.runs_waiting_for_slots);
  single(out, "avow_tasks", "gauge", "Tasks that wait for a worker or are leased.", figures.tasks);
}

void write_store(const store::Store::Figures& figures, std::string& out) {
  single(out, "avow_store_commits_total", "counter", "Commits written.", figures.commits);
  single(out, "avow_store_transactions_total", "counter", "Groups of commits; one sync each.",
         figures.transactions);
  single(out, "avow_store_queue_bytes", "gauge", "Bytes of commits that wait.",
         figures.queue_bytes);
}

void write_log(const tlog::Log::Figures& figures, std::string& out) {
  single(out, "avow_log_entries", "gauge", "Entries of the log.", figures.size);
  single(out, "avow_log_published_entries", "gauge", "Entries of the checkpoint that is out.",
         figures.published_size);
  single(out, "avow_log_witnessed_entries", "gauge", "Entries of the newest witnessed checkpoint.",
         figures.witnessed_size);
  single(out, "avow_log_witness_rounds_total", "counter", "Times that the witnesses were asked.",
         figures.witness_rounds);
  single(out, "avow_log_witness_failures_total", "counter",
         "Answers of witnesses that were no cosignature.", figures.witness_failures);
  single(out, "avow_log_alarmed", "gauge", "1: a witness says that the log forked.",
         figures.is_alarmed ? 1 : 0);
  single(out, "avow_log_sealed", "gauge", "1: nothing is signed or written any more.",
         figures.is_sealed ? 1 : 0);
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages_in_all = 0;
  std::uint64_t pages_resident = 0;
  if (!(file >> pages_in_all >> pages_resident)) return 0;
  return pages_resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void Metrics::count(const Route* route, int status, std::chrono::duration<double> took) {
  const auto bucket = static_cast<std::size_t>(
      std::lower_bound(kBounds.begin(), kBounds.end(), took.count()) - kBounds.begin());
  const MutexLock lock(mutex_);
  ++answers_[{route, status}];
  Latency& latency = latencies_[route];
  ++latency.buckets.at(bucket);
  latency.sum += took.count();
}

void Metrics::write_requests(std::string& out) {
  const MutexLock lock(mutex_);
  head(out, "avow_http_requests_total", "counter", "Answered requests.");
  for (const auto& [key, count] : answers_) {
    line(out, R"(avow_http_requests_total{{{},status="{}"}} {})", labels_of(key.first), key.second,
         count);
  }
  constexpr std::string_view kName = "avow_http_request_duration_seconds";
  head(out, kName, "histogram", "From the whole request to its answer.");
  for (const auto& [route, latency] : latencies_) {
    const std::string labels = labels_of(route);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      count += latency.buckets[i];
      line(out, R"({}_bucket{{{},le="{}"}} {})", kName, labels, kBounds[i], count);
    }
    count += latency.buckets.back();
    line(out, R"({}_bucket{{{},le="+Inf"}} {})", kName, labels, count);
    line(out, "{}_sum{{{}}} {}", kName, labels, latency.sum);
    line(out, "{}_count{{{}}} {}", kName, labels, count);
  }
}

std::string Metrics::text(Services& services) {
  std::string out;
  write_requests(out);
  write_engine(services.engine.figures(), out);
  write_store(services.store.figures(), out);
  write_log(services.log.figures(), out);
  single(out, "process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes());
  single(out, "process_cpu_seconds_total", "counter", "CPU time used.", cpu_seconds());
  return out;
}

}  // namespace avow::api
