#include "runtime/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

TEST(Arena, ViewsAreAlignedWritableAndWhereThePlanPutThem) {
  Arena arena;
  arena.reserve(1000);
  EXPECT_GE(arena.capacity(), 1000u);
  const TensorView first = arena.view(0, DType::kFloat32, {4, 16});
  const TensorView second = arena.view(256, DType::kInt64, {8});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.data) % kArenaAlignment, 0u);
  EXPECT_EQ(static_cast<std::byte*>(second.data) - static_cast<std::byte*>(first.data), 256);
  std::memset(first.data, 1, first.bytes());
  std::memset(second.data, 2, second.bytes());
  EXPECT_EQ(first.as<unsigned char>()[255], 1);
  EXPECT_EQ(second.shape, (Shape{8}));
  EXPECT_EQ(second.dtype, DType::kInt64);
}

// What was written once is memory of the process until it is discarded, but for pages that begin or end elsewhere.
TEST(Arena, DiscardedMemoryIsGivenBackAndCanBeWrittenAgain) {
  constexpr std::int64_t kBytes = std::int64_t{8} << 20;
  Arena arena;
  arena.reserve(kBytes);
  const TensorView all = arena.view(0, DType::kUInt8, {kBytes});
  std::memset(all.data, 1, all.bytes());
  arena.discard();
  const auto* bytes = all.as<unsigned char>();
  EXPECT_EQ(std::count(bytes, bytes + kBytes, 0) / 4096, kBytes / 4096 - 1);
  std::memset(all.data, 2, all.bytes());
  EXPECT_EQ(std::count(bytes, bytes + kBytes, 2), kBytes);
}

TEST(Arena, ReserveKeepsABlockThatIsLargeEnough) {
  Arena arena;
  arena.reserve(4096);
  const void* before = arena.view(0, DType::kUInt8, {1}).data;
  arena.reserve(100);
  EXPECT_EQ(arena.view(0, DType::kUInt8, {1}).data, before);
  EXPECT_EQ(arena.capacity(), 4096u);
  arena.reserve(5000);
  EXPECT_GE(arena.capacity(), 5000u);
}

TEST(Arena, ReleaseGivesTheBlockBackAndReserveTakesANewOne) {
  Arena arena;
  arena.reserve(4096);
  arena.release();
  EXPECT_EQ(arena.capacity(), 0u);
  EXPECT_THROW(arena.view(0, DType::kUInt8, {1}), InvalidArgument);
  arena.reserve(kArenaAlignment);
  EXPECT_EQ(arena.capacity(), kArenaAlignment);
}

TEST(Arena, RefusesAViewThatLeavesTheBlock) {
  Arena arena;
  arena.reserve(1024);
  EXPECT_NO_THROW(arena.view(0, DType::kFloat32, {256}));
  EXPECT_THROW(arena.view(0, DType::kFloat32, {257}), InvalidArgument);
  EXPECT_THROW(arena.view(1024, DType::kUInt8, {1}), InvalidArgument);
  EXPECT_THROW(arena.view(2048, DType::kUInt8, {0}), InvalidArgument);
  EXPECT_THROW(arena.view(std::numeric_limits<std::size_t>::max() - 3, DType::kFloat32, {1}), InvalidArgument);
}

TEST(Arena, RefusesAShapeWhoseBytesWouldOverflow) {
  Arena arena;
  arena.reserve(1024);
  EXPECT_THROW(arena.view(0, DType::kFloat32, {std::int64_t{1} << 62}), InvalidArgument);
  EXPECT_THROW(arena.view(0, DType::kUInt8, {std::int64_t{1} << 40, std::int64_t{1} << 40}), InvalidArgument);
  EXPECT_THROW(arena.view(0, DType::kUInt8, {-1}), InvalidArgument);
}

TEST(Arena, RefusesAnOffsetBetweenElements) {
  Arena arena;
  arena.reserve(1024);
  EXPECT_THROW(arena.view(2, DType::kFloat32, {1}), InvalidArgument);
  EXPECT_NO_THROW(arena.view(2, DType::kFloat16, {1}));
}

// Sanitizers end the process where the system's allocator would return null.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kAllocatorAborts = true;
#else
constexpr bool kAllocatorAborts = false;
#endif

TEST(Arena, SaysHowMuchMemoryTheSystemRefusedAndStaysUsable) {
  Arena arena;
  arena.reserve(kArenaAlignment);
  // Neither a size that cannot be rounded up nor one that no machine has.
  constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
  for (std::size_t bytes : {kMax, kMax - kArenaAlignment, kMax / 4}) {
    if (bytes == kMax / 4 && kAllocatorAborts) continue;
    try {
      arena.reserve(bytes);
      FAIL() << "reserved " << bytes << " bytes";
    } catch (const OutOfMemory& error) {
      EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(arena.capacity(), 0u);
  arena.reserve(kArenaAlignment);
  EXPECT_EQ(arena.capacity(), kArenaAlignment);
}

}  // namespace
}  // namespace vidrt
