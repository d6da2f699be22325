// SPDX-License-Identifier: Apache-2.0
#include "tlog/signing_pool.h"

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
  bool is_worth_waking = false;
  {
    const MutexLock lock(mutex_);
    jobs_.push_back({{std::move(statement), {}, {}}, &key});
    is_worth_waking = jobs_.size() - begun_ > 1;
  }
  if (is_worth_waking) ordered_.notify_one();
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
  wait_for_others();
  jobs_.clear();
  begun_ = 0;
}

void SigningPool::work() {
  const MutexLock lock(mutex_);
  while (true) {
    while (!stopping_ && begun_ == jobs_.size()) ordered_.wait(mutex_);
    if (stopping_) return;
    make_one();
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

void SigningPool::wait_for_others() {
  while (at_work_ > 0) made_.wait(mutex_);
}

}  // namespace avow::tlog
