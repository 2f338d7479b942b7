// Threads for kernels under test.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "kernels/parallel.h"

namespace vidrt::kernels::testing {

/// Threads that take the next index as they come free.
inline ParallelFor threads(int count) {
  static thread_local int wanted;
  wanted = count;
  return {[](void* pool, std::size_t total, ParallelFor::Body body, void* context) {
            std::atomic<std::size_t> next{0};
            std::vector<std::thread> workers;
            for (int i = 0; i < *static_cast<int*>(pool); ++i) {
              workers.emplace_back([&] {
                for (std::size_t index = next++; index < total; index = next++) body(context, index);
              });
            }
            for (std::thread& worker : workers) worker.join();
          },
          &wanted, count};
}

}  // namespace vidrt::kernels::testing
