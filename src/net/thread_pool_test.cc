// SPDX-License-Identifier: Apache-2.0
#include "net/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

namespace avow::net {
namespace {

struct Pool {
  explicit Pool(int threads, std::size_t queue_max = 1024)
      : pool("test", threads, clock, queue_max) {}
  ~Pool() { pool.stop(); }
  SystemClock clock;
  ThreadPool pool;
};

TEST(Strand, RunsTasksInTheOrderOfTheirPostsAndOneAtATime) {
  Pool p(4);
  const auto strand = p.pool.make_strand();
  std::vector<int>
      seen;  // guarded by the strand itself, which is what is tested (and TSan sees it)
  std::promise<void> done;
  constexpr int kTasks = 10'000;
  for (int i = 0; i < kTasks; ++i) strand->post([&seen, i] { seen.push_back(i); });
  strand->post([&done] { done.set_value(); });
  done.get_future().wait();
  ASSERT_EQ(seen.size(), std::size_t{kTasks});
  for (int i = 0; i < kTasks; ++i) ASSERT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(Strand, LosesNoTaskWhenManyThreadsPost) {
  Pool p(3);
  const auto strand = p.pool.make_strand();
  int count = 0;
  constexpr int kEach = 5'000;
  std::latch all(4 * kEach);
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        strand->post([&] {
          ++count;
          all.count_down();
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  all.wait();
  EXPECT_EQ(count, 4 * kEach);
}

TEST(Strand, DoesNotRunATaskInsidePost) {
  Pool p(1);
  const auto strand = p.pool.make_strand();
  std::promise<bool> ran_inside;
  const auto inner = std::make_shared<bool>(false);
  strand->post([&] {
    strand->post([inner] { *inner = true; });
    ran_inside.set_value(*inner);
  });
  EXPECT_FALSE(ran_inside.get_future().get());
}

TEST(Strand, FiresTimersInTheOrderOfTheirTimesAndNeverEarly) {
  Pool p(2);
  const auto strand = p.pool.make_strand();
  const Time start = p.clock.now();
  std::vector<int> order;
  std::promise<Time> last;
  strand->post_at(start + Duration(60), [&] {
    order.push_back(3);
    last.set_value(p.clock.now());
  });
  strand->post_at(start + Duration(20), [&] { order.push_back(1); });
  strand->post_at(start + Duration(20), [&] { order.push_back(2); });
  strand->post_at(start - Duration(1), [&] { order.push_back(0); });
  EXPECT_GE(last.get_future().get(), start + Duration(60));
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(ThreadPool, RunsTasksOfDifferentStrandsSideBySide) {
  Pool p(2);
  const auto a = p.pool.make_strand();
  const auto b = p.pool.make_strand();
  std::latch both(2);
  std::promise<void> done_a, done_b;
  // Each waits for the other: with one thread this would never end.
  a->post([&] {
    both.arrive_and_wait();
    done_a.set_value();
  });
  b->post([&] {
    both.arrive_and_wait();
    done_b.set_value();
  });
  done_a.get_future().wait();
  done_b.get_future().wait();
}

TEST(ThreadPool, RefusesATaskWhenTheBoundedQueueIsFull) {
  Pool p(1, 2);
  std::promise<void> started, go;
  ASSERT_TRUE(p.pool.try_post([&] {
    started.set_value();
    go.get_future().wait();
  }));
  started.get_future().wait();
  std::latch rest(2);
  EXPECT_TRUE(p.pool.try_post([&] { rest.count_down(); }));
  EXPECT_TRUE(p.pool.try_post([&] { rest.count_down(); }));
  EXPECT_FALSE(p.pool.try_post([] { FAIL(); }));
  go.set_value();
  rest.wait();
  std::promise<void> again;
  EXPECT_TRUE(p.pool.try_post([&] { again.set_value(); }));
  again.get_future().wait();
}

TEST(ThreadPool, RunsWhatWaitsWhenItStopsAndDropsTimersAndLaterPosts) {
  SystemClock clock;
  ThreadPool pool("test", 1, clock);
  const auto strand = pool.make_strand();
  std::promise<void> started, go;
  int ran = 0;
  strand->post([&] {
    started.set_value();
    go.get_future().wait();
  });
  started.get_future().wait();
  constexpr int kWaiting = 100;  // more than one turn of a strand
  for (int i = 0; i < kWaiting; ++i) strand->post([&] { ++ran; });
  strand->post_at(clock.now() + std::chrono::hours(1), [&] { ran = -1; });
  std::thread stopper([&] { pool.stop(); });
  go.set_value();
  stopper.join();
  EXPECT_EQ(ran, kWaiting);
  strand->post([&] { ran = -1; });
  strand->post_at(clock.now(), [&] { ran = -1; });
  EXPECT_FALSE(pool.try_post([&] { ran = -1; }));
  EXPECT_EQ(ran, kWaiting);
}

TEST(ThreadPool, MayDieBeforeItsStrands) {
  std::unique_ptr<Executor> strand;
  {
    Pool p(1);
    strand = p.pool.make_strand();
  }
  strand->post([] { FAIL(); });
}

TEST(ThreadPoolDeathTest, ChecksThatItWasStopped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SystemClock clock;
        ThreadPool pool("test", 1, clock);
      },
      "CHECK failed");
}

}  // namespace
}  // namespace avow::net
