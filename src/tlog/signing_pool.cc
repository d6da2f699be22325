// SPDX-License-Identifier: Apache-2.0
#include "tlog/signing_pool.h"

#include <utility>

#include "base/check.h"
#include "provenance/entry.h"

namespace avow::tlog {

SigningPool::SigningPool(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

SigningPool::~SigningPool() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  ordered_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void SigningPool::order(std::string statement, const crypto::P256PrivateKey& key) {
  {
    const MutexLock lock(mutex_);
    jobs_.push_back({{std::move(statement), {}, {}}, &key});
  }
  ordered_.notify_one();
}

void SigningPool::order_work(std::function<void()> work) {
  {
    const MutexLock lock(mutex_);
    CHECK(!work_ && !is_working_);
    work_ = std::move(work);
  }
  ordered_.notify_one();
}

void SigningPool::join_work() {
  const MutexLock lock(mutex_);
  if (work_) do_work();
  while (is_working_) made_.wait(mutex_);
}

std::vector<SigningPool::Signed> SigningPool::join() {
  const MutexLock lock(mutex_);
  while (begun_ < jobs_.size()) make_one();
  wait_for_others();
  std::vector<Signed> out;
  out.reserve(jobs_.size());
  for (Job& job : jobs_) out.push_back(std::move(job.made));
  jobs_.clear();
  begun_ = 0;
  return out;
}

void SigningPool::drop() {
  const MutexLock lock(mutex_);
  begun_ = jobs_.size();  // so that nobody begins another one
  work_ = nullptr;
  wait_for_others();
  while (is_working_) made_.wait(mutex_);
  jobs_.clear();
  begun_ = 0;
}

void SigningPool::work() {
  const MutexLock lock(mutex_);
  while (true) {
    while (!stopping_ && begun_ == jobs_.size() && !work_) ordered_.wait(mutex_);
    if (stopping_) return;
    work_ ? do_work() : make_one();
  }
}

void SigningPool::make_one() {
  Job& job = jobs_[begun_++];
  ++at_work_;
  mutex_.unlock();
  Signed& made = job.made;
  made.entry = provenance::encode(provenance::make_entry(made.statement, *job.key));
  made.leaf = merkle::hash_leaf(made.entry);
  mutex_.lock();
  if (--at_work_ == 0) made_.notify_all();
}

void SigningPool::do_work() {
  const auto work = std::exchange(work_, nullptr);
  is_working_ = true;
  mutex_.unlock();
  work();
  mutex_.lock();
  is_working_ = false;
  made_.notify_all();
}

void SigningPool::wait_for_others() {
  while (at_work_ > 0) made_.wait(mutex_);
}

}  // namespace avow::tlog
