#include "runtime/block_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace vidrt {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;

TEST(BlockPool, ABlockThatWasGivenBackIsUsedAgain) {
  BlockPool pool;
  void* first = pool.allocate(8 * kMiB);
  pool.release(first);
  EXPECT_EQ(pool.usage().held, 8 * kMiB);
  EXPECT_EQ(pool.allocate(8 * kMiB), first);
  pool.release(first);
}

TEST(BlockPool, HoldsNoMoreThanWasInUseAtOnce) {
  BlockPool pool;
  std::mt19937 random(7);
  std::map<std::uint8_t*, std::size_t> live;
  for (int turn = 0; turn < 4000; ++turn) {
    if (live.size() < 12 && random() % 3 != 0) {
      const std::size_t bytes = 1 + random() % (random() % 8 == 0 ? 16 * kMiB : kMiB / 2);
      auto* block = static_cast<std::uint8_t*>(pool.allocate(bytes));
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u);
      const auto above = live.lower_bound(block);
      ASSERT_TRUE(above == live.end() || block + bytes <= above->first) << turn;
      ASSERT_TRUE(above == live.begin() || std::prev(above)->first + std::prev(above)->second <= block) << turn;
      block[0] = block[bytes - 1] = 1;
      live[block] = bytes;
    } else if (!live.empty()) {
      const auto victim = std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
      pool.release(victim->first);
      live.erase(victim);
    }
    const BlockPool::Usage usage = pool.usage();
    ASSERT_LE(usage.held, usage.peak) << turn;
    ASSERT_LE(usage.in_use, usage.held) << turn;
  }
  for (const auto& [block, bytes] : live) pool.release(block);
  EXPECT_EQ(pool.usage().in_use, 0u);
}

TEST(BlockPool, UsesMostOfABlockOrCutsIt) {
  BlockPool pool;
  pool.release(pool.allocate(64 * kMiB));
  void* most = pool.allocate(64 * kMiB - kMiB / 2);
  EXPECT_EQ(pool.usage().in_use, 64 * kMiB);
  pool.release(most);
  void* part = pool.allocate(16 * kMiB);
  EXPECT_EQ(pool.usage().in_use, 16 * kMiB);
  EXPECT_EQ(pool.usage().held, 16 * kMiB);
  pool.release(part);
}

TEST(BlockPool, TrimmingKeepsLittleAndForgetsThePeak) {
  BlockPool pool;
  void* kept = pool.allocate(4 * kMiB);
  void* large = pool.allocate(256 * kMiB);
  pool.release(large);
  pool.release(pool.allocate(2 * kMiB));
  pool.trim();
  EXPECT_LE(pool.usage().held, 4 * kMiB + 64 * kMiB);
  EXPECT_EQ(pool.usage().peak, 4 * kMiB);
  EXPECT_EQ(pool.usage().in_use, 4 * kMiB);
  pool.release(kept);
}

TEST(BlockPool, SmallBlocksAreNotCounted) {
  BlockPool pool;
  void* small = pool.allocate(BlockPool::kPooled - 1);
  void* nothing = pool.allocate(0);
  ASSERT_NE(nothing, nullptr);
  std::memset(small, 1, BlockPool::kPooled - 1);
  EXPECT_EQ(pool.usage().in_use, 0u);
  pool.release(small);
  pool.release(nothing);
  pool.release(nullptr);
}

TEST(BlockPool, RefusesWhatTheSystemHasNot) {
  BlockPool pool;
  EXPECT_THROW(pool.allocate(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(pool.allocate(SIZE_MAX / 4), std::bad_alloc);
  EXPECT_EQ(pool.usage().in_use, 0u);
  EXPECT_EQ(pool.usage().held, 0u);
}

TEST(BlockPool, ServesSeveralThreads) {
  BlockPool pool;
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&pool, seed] {
      std::mt19937 random(seed);
      for (int turn = 0; turn < 500; ++turn) {
        const std::size_t bytes = 1 + random() % (2 * kMiB);
        auto* block = static_cast<std::uint8_t*>(pool.allocate(bytes));
        block[0] = block[bytes - 1] = static_cast<std::uint8_t>(seed);
        EXPECT_EQ(block[bytes - 1], seed);
        pool.release(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.usage().in_use, 0u);
}

}  // namespace
}  // namespace vidrt
