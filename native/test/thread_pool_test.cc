#include "cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "cpu/gate.h"

namespace espalier {
namespace {

TEST(ThreadPool, EachPartRunsOnce) {
  ThreadPool pool(3);
  for (int parts : {0, 1, 2, 3, 4, 7, 100}) {
    for (int threads : {1, 2, 4, 9}) {
      std::vector<int> runs(parts, 0);
      pool.run(parts, threads, [&](int part) { ++runs[part]; });
      EXPECT_EQ(runs, std::vector<int>(parts, 1)) << parts << " parts, " << threads << " threads";
    }
  }
}

TEST(ThreadPool, WhatPartsWroteIsThereAfterwards) {
  ThreadPool pool(2);
  std::vector<int> data(3000);
  for (int round = 0; round < 2000; ++round) {
    pool.run(3, 3, [&](int part) {
      for (int i = part * 1000; i < (part + 1) * 1000; ++i) data[i] = round + i;
    });
    for (int i = 0; i < 3000; i += 97) ASSERT_EQ(data[i], round + i);
  }
}

TEST(ThreadPool, WakesFromSleep) {
  ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> runs{0};
    pool.run(8, 3, [&](int) { ++runs; });
    EXPECT_EQ(runs, 8);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(ThreadPool, ServesSeveralCallers) {
  ThreadPool pool(3);
  std::atomic<bool> wrong{false};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) {
        int sums[5] = {};
        pool.run(5, 4, [&](int part) { sums[part] = part + round; });
        const int sum = std::accumulate(sums, sums + 5, 0);
        if (sum != 10 + 5 * round) wrong = true;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_FALSE(wrong);
}

TEST(ThreadPool, PartsMayRunJobsThemselves) {
  ThreadPool pool(2);
  std::atomic<int> runs{0};
  pool.run(4, 3, [&](int) { pool.run(4, 3, [&](int) { ++runs; }); });
  EXPECT_EQ(runs, 16);
}

TEST(ThreadPool, ComesAndGoesWithoutWork) {
  for (int i = 0; i < 20; ++i) ThreadPool pool(4);
  for (int i = 0; i < 20; ++i) {
    ThreadPool pool(2);
    int runs = 0;
    pool.run(1, 2, [&](int) { ++runs; });
    EXPECT_EQ(runs, 1);
  }
}

TEST(ThreadPool, SharedOneIsOneAndHasAThreadForEachProcessorAtMost) {
  const auto pool = ThreadPool::shared();
  EXPECT_EQ(pool, ThreadPool::shared());
  EXPECT_GE(pool->size(), 1);
}

TEST(Gate, WritersAreAloneAndReadersTogether) {
  Gate gate;
  int value = 0;  // guarded by the gate
  std::atomic<bool> wrong{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        if (t == 0 && i % 10 == 0) {
          gate.lock();
          ++value;
          ++value;
          gate.unlock();
        } else {
          gate.lock_shared();
          if (value % 2 != 0) wrong = true;
          gate.unlock_shared();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(wrong);
  EXPECT_EQ(value, 400);
}

}  // namespace
}  // namespace espalier
