// The threads of one block as fibers of one processor thread, with real barriers.
#pragma once

#include <ucontext.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "cuda_host/emulator/global_memory.h"
#include "cuda_host/emulator/shared_memory.h"

namespace vidrt::cuda_host {

/// An asynchronous copy that has not been waited for.
struct PendingCopy {
  void* to;
  const void* from;  // null: zeros
  unsigned group;    // of copies committed together
  Site site;
};

/// Runs blocks, one after another. A kernel's calls (device.h) reach the block that runs through `running()`.
class Block {
 public:
  Block();
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// Which launch the coming blocks belong to. `traffic` may be null: it is not counted then.
  void begin_launch(const std::function<void()>& kernel, unsigned threads, std::size_t shared_bytes,
                    GlobalMemory* global, Traffic* traffic, std::uint64_t seed);
  /// Run one block to its end. Throws Fault.
  void run(std::uint32_t index);

  static Block& running();

  // What the threads call.
  unsigned thread() const { return current_; }
  SharedMemory& shared() { return shared_; }
  /// Null: the thread takes part in its warp's request, and moves nothing.
  void touch_global(const void* address, std::size_t bytes, bool write, const Site& site);
  void touch_shared(const void* address, std::size_t bytes, bool write, const Site& site) {
    shared_.touch(address, bytes, current_, write, site);
  }
  void wait_for_block(const Site& site) { wait(State::kAtBlockBarrier, site); }
  void wait_for_warp(const Site& site) { wait(State::kAtWarpBarrier, site); }
  void begin_copy(void* shared, const void* global, const Site& site);
  void commit_copies();
  /// End all copies but those of the last `groups` groups.
  void wait_for_copies(unsigned groups);
  /// Every lane of the warp gives 64 bytes or less and may read those of the others.
  void exchange(const void* value, std::size_t bytes, const Site& site);
  const void* exchanged(unsigned lane) const { return &slots_[current_ / kWarp * kWarp + lane]; }

 private:
  static constexpr std::size_t kCopyBytes = 16;
  static constexpr std::size_t kSlotBytes = 64;

  enum class State { kReady, kAtBlockBarrier, kAtWarpBarrier, kDone };
  struct Fiber {
    ucontext_t context;
    std::unique_ptr<unsigned char[]> stack;
    void* fake_stack = nullptr;  // AddressSanitizer's
    bool is_started = false;
    State state = State::kReady;
    Site site{};
    unsigned group = 0;
    std::vector<PendingCopy> copies;
  };
  struct alignas(16) Slot {
    unsigned char bytes[kSlotBytes];
  };

  void start(Fiber* fiber);
  static void enter();
  [[noreturn]] void fail(const std::string& message);
  void resume(unsigned thread);
  void leave();
  void wait(State state, const Site& site);
  /// Let those go on whom nothing keeps: throws Fault if that is nobody, because threads wait at different barriers.
  void release();
  bool release_warps();
  void pass_barrier();

  std::function<void()> kernel_;
  unsigned threads_ = 0;
  std::size_t shared_bytes_ = 0;
  GlobalMemory* global_ = nullptr;
  Traffic* traffic_ = nullptr;
  std::mt19937_64 generator_;

  std::deque<Fiber> fibers_;  // grows without moving those that are suspended, whose contexts point into themselves
  std::vector<unsigned> order_;
  std::vector<Slot> slots_;
  std::vector<WarpRequests> requests_;
  SharedMemory shared_;
  ucontext_t scheduler_;
  void* scheduler_fake_stack_ = nullptr;
  const void* scheduler_stack_ = nullptr;
  std::size_t scheduler_stack_bytes_ = 0;
  unsigned current_ = 0;
  std::string fault_;
};

}  // namespace vidrt::cuda_host
