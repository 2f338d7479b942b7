// How a processor kernel spreads its work: whoever owns the threads says how.
#pragma once

#include <cstddef>

namespace vidrt::kernels {

/// Calls `body(context, index)` for every index under `count`, in any order and on any threads, and returns when all
/// are done. `body` does not throw.
struct ParallelFor {
  using Body = void (*)(void* context, std::size_t index);

  void (*run)(void* pool, std::size_t count, Body body, void* context) = nullptr;
  void* pool = nullptr;
  int threads = 1;  // how many may run at once

  /// Run a callable as the body.
  template <typename F>
  void operator()(std::size_t count, F&& f) const {
    const auto body = [](void* context, std::size_t index) { (*static_cast<F*>(context))(index); };
    run(pool, count, body, &f);
  }
};

/// One index after another on the calling thread.
inline ParallelFor sequential() {
  return {[](void*, std::size_t count, ParallelFor::Body body, void* context) {
            for (std::size_t i = 0; i < count; ++i) body(context, i);
          },
          nullptr, 1};
}

}  // namespace vidrt::kernels
