// The emulator itself: kernels with one fault each, which must be reported, and the same without it.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "kernels/cuda/device.cuh"

namespace vidrt::kernels::testing {
namespace {

using cuda::launch;
using cuda::load_global;
using cuda::load_shared;
using cuda::store_global;
using cuda::store_shared;
using cuda::wait_for_block;
using cuda_host::Fault;
using cuda_host::Rights;

constexpr unsigned kThreads = 64;

// Two buffers of a block's threads times the blocks, the second for results.
class Emulator : public ::testing::Test {
 protected:
  static constexpr unsigned kBlocks = 4;

  Emulator() {
    for (std::size_t i = 0; i < in_.size(); ++i) in_[i] = static_cast<float>(i);
    device_.memory.declare("in", in_.data(), in_.size() * sizeof(float), Rights::kRead);
    device_.memory.declare("out", out_.data(), out_.size() * sizeof(float), Rights::kReadWrite);
  }

  cudaError_t run(void (*kernel)(const float*, float*), unsigned blocks = kBlocks, std::uint32_t shared = 1024) {
    return launch(kernel, {blocks, kThreads, shared}, &device_, static_cast<const float*>(in_.data()), out_.data());
  }

  // The message of the fault that the kernel is, or nothing.
  std::string fault_of(void (*kernel)(const float*, float*), unsigned blocks = kBlocks) {
    try {
      run(kernel, blocks);
    } catch (const Fault& fault) {
      return fault.what();
    }
    return "";
  }

  using Floats = std::array<float, kBlocks * kThreads>;
  alignas(cuda_host::kSectorBytes) Floats in_;  // as memory of a device is
  float between_[8];                            // belongs to neither
  alignas(cuda_host::kSectorBytes) Floats out_;
  CUstream_st device_;
};

unsigned element() { return blockIdx.x * blockDim.x + threadIdx.x; }
float* shared_floats() { return reinterpret_cast<float*>(cuda::shared_memory()); }

// Turns a block's part round, through shared memory.
template <bool kHasBarrier>
void reverse(const float* in, float* out) {
  store_shared(shared_floats() + threadIdx.x, load_global<float>(in + element()));
  if (kHasBarrier) wait_for_block();
  store_global(out + element(), load_shared<float>(shared_floats() + (kThreads - 1 - threadIdx.x)));
}

TEST_F(Emulator, BlocksAndThreadsInAnyOrderGiveTheSame) {
  Floats expected;
  for (unsigned i = 0; i < in_.size(); ++i) expected[i] = in_[i / kThreads * kThreads + kThreads - 1 - i % kThreads];
  for (device_.seed = 0; device_.seed < 8; ++device_.seed) {
    out_.fill(0.0f);
    ASSERT_EQ(run(reverse<true>), cudaSuccess);
    EXPECT_EQ(out_, expected) << device_.seed;
  }
}

TEST_F(Emulator, AMissingBarrierIsARace) {
  EXPECT_NE(fault_of(reverse<false>).find("written by one thread and touched by another"), std::string::npos);
}

// Every thread adds to the same word of shared memory.
void racy_sum(const float* in, float*) {
  const float sum = load_shared<float>(shared_floats()) + load_global<float>(in + element());
  store_shared(shared_floats(), sum);
}

TEST_F(Emulator, ARacyKernelIsFound) {
  EXPECT_NE(fault_of(racy_sum).find("written by one thread and touched by another"), std::string::npos);
}

// Shifts by one in place: a block reads what its neighbour writes. As with cache_in and cache_out in one buffer.
void aliased_shift(const float*, float* out) {
  const unsigned from = (element() + 1) % (blockDim.x * gridDim.x);
  const float value = load_global<float>(out + from);
  wait_for_block();
  store_global(out + element(), value);
}

TEST_F(Emulator, AnAliasedKernelIsFoundInEveryOrderOfItsBlocks) {
  for (device_.seed = 0; device_.seed < 8; ++device_.seed) {
    EXPECT_NE(fault_of(aliased_shift).find("written by one block and touched by another"), std::string::npos);
  }
  EXPECT_EQ(fault_of(aliased_shift, 1), "") << "one block has no neighbour";
}

void write_the_same(const float*, float* out) { store_global(out + threadIdx.x, 1.0f); }

TEST_F(Emulator, TwoBlocksMayNotWriteTheSameByte) {
  EXPECT_NE(fault_of(write_the_same).find("written by one block and touched by another"), std::string::npos);
}

TEST_F(Emulator, ALaterLaunchMayReadWhatAnEarlierOneWrote) {
  const auto copy_back = [](const float*, float* out) {
    const float value = load_global<float>(out + (element() + kThreads) % (blockDim.x * gridDim.x));
    if (value < 0) store_global(out + element(), value);
  };
  ASSERT_EQ(run(reverse<true>), cudaSuccess);
  EXPECT_EQ(fault_of(copy_back), "");
  EXPECT_EQ(run(reverse<true>), cudaSuccess);
}

void read_beyond(const float* in, float*) { load_global<float>(in + element() + 1); }
void write_input(const float* in, float*) { store_global(const_cast<float*>(in) + element(), 0.0f); }
void read_beyond_shared(const float*, float*) { load_shared<float>(shared_floats() + 256 * threadIdx.x); }
void read_misaligned(const float* in, float*) {
  load_global<std::uint64_t>(reinterpret_cast<const char*>(in) + 4 + 8 * (element() / 2));
}

TEST_F(Emulator, AccessesOutsideAndMisalignedOnesAreFound) {
  EXPECT_NE(fault_of(read_beyond).find("outside of global memory, byte 1024 of in"), std::string::npos);
  EXPECT_NE(fault_of(write_input).find("in is an input"), std::string::npos);
  EXPECT_NE(fault_of(read_beyond_shared).find("outside of shared memory"), std::string::npos);
  EXPECT_NE(fault_of(read_misaligned).find("misaligned"), std::string::npos);
}

void divergent_barriers(const float*, float*) {
  if (threadIdx.x < 32) {
    wait_for_block();
  } else {
    wait_for_block();
  }
}
void missed_barrier(const float*, float*) {
  if (threadIdx.x != 5) wait_for_block();
}

TEST_F(Emulator, ThreadsThatPartAtABarrierAreFound) {
  EXPECT_NE(fault_of(divergent_barriers).find("threads part at a barrier"), std::string::npos);
  EXPECT_NE(fault_of(missed_barrier).find("has ended"), std::string::npos);
}

// Every thread copies 16 bytes of its block's part.
template <bool kWaits>
void copy_through_shared(const float* in, float* out) {
  float* mine = shared_floats() + 4 * (threadIdx.x % 16);
  if (threadIdx.x < 16) cuda::copy_async(mine, in + blockIdx.x * kThreads + 4 * threadIdx.x, threadIdx.x != 3);
  cuda::commit_copies();
  if (kWaits) cuda::wait_for_copies<0>();
  wait_for_block();
  store_global(out + element(), load_shared<float>(shared_floats() + threadIdx.x));
}

TEST_F(Emulator, AnAsynchronousCopyIsThereOnceItWasWaitedFor) {
  ASSERT_EQ(run(copy_through_shared<true>), cudaSuccess);
  for (unsigned i = 0; i < out_.size(); ++i) {
    const bool is_zero = i % kThreads / 4 == 3;
    EXPECT_EQ(out_[i], is_zero ? 0.0f : in_[i]) << i;
  }
  EXPECT_NE(fault_of(copy_through_shared<false>).find("still being copied to"), std::string::npos);
}

void sum_of_warp(const float* in, float* out) {
  float sum = load_global<float>(in + element());
  for (unsigned mask = 16; mask > 0; mask /= 2) sum += cuda::shuffle_xor(sum, mask);
  store_global(out + element(), sum);
}
void half_a_warp_shuffles(const float*, float*) {
  if (threadIdx.x % 32 < 16) cuda::shuffle_xor(1.0f, 1);
}

TEST_F(Emulator, LanesOfAWarpExchangeValues) {
  ASSERT_EQ(run(sum_of_warp), cudaSuccess);
  for (unsigned i = 0; i < out_.size(); ++i) {
    const float first = static_cast<float>(i / 32 * 32);
    EXPECT_EQ(out_[i], 32 * first + 496) << i;
  }
  EXPECT_NE(fault_of(half_a_warp_shuffles).find("part at"), std::string::npos);
}

template <unsigned kStride>
void strided_read(const float* in, float*) {
  load_global<float>(in + threadIdx.x * kStride);
}
// Half of the lanes read twice, through the same line.
void read_twice(const float* in, float*) {
  for (unsigned i = 0; i < 1 + threadIdx.x % 2; ++i) load_global<float>(in + threadIdx.x);
}

TEST_F(Emulator, TrafficIsCountedInSectorsOfAWarpsRequest) {
  const auto sectors = [&](void (*kernel)(const float*, float*)) {
    device_.counts_traffic = true;
    device_.traffic = {};
    EXPECT_EQ(run(kernel, 1), cudaSuccess);
    return device_.traffic;
  };
  EXPECT_EQ(sectors(strided_read<1>).read_sectors, 8u);
  EXPECT_EQ(sectors(strided_read<2>).read_sectors, 16u);
  EXPECT_EQ(sectors(strided_read<4>).read_sectors, 32u);
  EXPECT_EQ(sectors(read_twice).read_sectors, 16u);
  const cuda_host::Traffic both = sectors(reverse<true>);
  EXPECT_EQ(both.read_sectors, 8u);
  EXPECT_EQ(both.written_sectors, 8u);
  EXPECT_EQ(both.bytes(), 512u);
}

TEST_F(Emulator, WhatNoDeviceCanStartIsRefused) {
  EXPECT_EQ(run(reverse<true>, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(run(reverse<true>, 1, 49153), cudaErrorInvalidConfiguration);
}

}  // namespace
}  // namespace vidrt::kernels::testing
