#include "cuda_host/emulator/block.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cuda_host/emulator/builtins.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace vidrt::cuda_host {
namespace {

constexpr std::size_t kStackBytes = std::size_t{128} << 10;
Block* running_block = nullptr;

// AddressSanitizer has to be told when the stack changes.
void before_switch(void** fake_stack, const void* stack, std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
#else
  (void)fake_stack, (void)stack, (void)bytes;
#endif
}

void after_switch(void* fake_stack, const void** stack, std::size_t* bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, stack, bytes);
#else
  (void)fake_stack, (void)stack, (void)bytes;
#endif
}

}  // namespace

Block::Block() = default;
Block::~Block() = default;

Block& Block::running() { return *running_block; }

void Block::begin_launch(const std::function<void()>& kernel, unsigned threads, std::size_t shared_bytes,
                         GlobalMemory* global, Traffic* traffic, std::uint64_t seed) {
  kernel_ = kernel;
  threads_ = threads;
  shared_bytes_ = shared_bytes;
  global_ = global;
  traffic_ = traffic;
  generator_.seed(seed);
  while (fibers_.size() < threads) {
    fibers_.emplace_back();
    fibers_.back().stack = std::make_unique<unsigned char[]>(kStackBytes);
  }
  order_.resize(threads);
  std::iota(order_.begin(), order_.end(), 0u);
  slots_.resize((threads + kWarp - 1) / kWarp * kWarp);
  requests_.resize((threads + kWarp - 1) / kWarp);
}

void Block::run(std::uint32_t index) {
  running_block = this;
  blockIdx.x = index;
  shared_.reset(shared_bytes_);
  global_->begin_block(index);
  fault_.clear();
  for (unsigned thread = 0; thread < threads_; ++thread) {
    Fiber& fiber = fibers_[thread];
    fiber.state = State::kReady;
    fiber.group = 0;
    fiber.copies.clear();
    if (!fiber.is_started) start(&fiber);
  }
  const auto done = [](const Fiber& fiber) { return fiber.state == State::kDone; };
  while (true) {
    // Between two barriers threads run in any order; a kernel that needs one is wrong.
    std::shuffle(order_.begin(), order_.end(), generator_);
    for (const unsigned thread : order_) {
      if (fibers_[thread].state == State::kReady) resume(thread);
    }
    if (std::all_of(fibers_.begin(), fibers_.begin() + threads_, done)) break;
    release();
  }
  pass_barrier();
}

// Fibers are made once and run a thread of every block: making a stack is far slower than switching to it.
void Block::start(Fiber* fiber) {
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.get();
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = nullptr;
  fiber->fake_stack = nullptr;
  fiber->is_started = true;
  makecontext(&fiber->context, &Block::enter, 0);
}

void Block::enter() {
  Block& block = running();
  after_switch(nullptr, &block.scheduler_stack_, &block.scheduler_stack_bytes_);
  while (true) {
    try {
      block.kernel_();
    } catch (const std::exception& error) {
      block.fault_ = error.what();
    }
    block.fibers_[block.current_].state = State::kDone;
    block.leave();
  }
}

void Block::resume(unsigned thread) {
  current_ = thread;
  threadIdx.x = thread;
  Fiber& fiber = fibers_[thread];
  before_switch(&scheduler_fake_stack_, fiber.stack.get(), kStackBytes);
  swapcontext(&scheduler_, &fiber.context);
  after_switch(scheduler_fake_stack_, nullptr, nullptr);
  if (!fault_.empty()) fail(fault_);
}

void Block::fail(const std::string& message) {
  for (Fiber& fiber : fibers_) fiber.is_started = false;  // some are in the middle of the kernel
  throw Fault(message);
}

void Block::leave() {
  Fiber& fiber = fibers_[current_];
  before_switch(&fiber.fake_stack, scheduler_stack_, scheduler_stack_bytes_);
  swapcontext(&fiber.context, &scheduler_);
  after_switch(fiber.fake_stack, &scheduler_stack_, &scheduler_stack_bytes_);
}

void Block::wait(State state, const Site& site) {
  fibers_[current_].state = state;
  fibers_[current_].site = site;
  leave();
}

void Block::release() {
  if (release_warps()) return;
  const Site site = fibers_[order_[0]].site;
  for (unsigned thread = 0; thread < threads_; ++thread) {
    const Fiber& fiber = fibers_[thread];
    if (fiber.state != State::kAtBlockBarrier || !(fiber.site == site)) {
      fail("threads part at a barrier: thread " + std::to_string(order_[0]) + " came to " + to_string(site) +
           ", thread " + std::to_string(thread) +
           (fiber.state == State::kDone ? " has ended" : " came to " + to_string(fiber.site)));
    }
  }
  for (unsigned thread = 0; thread < threads_; ++thread) fibers_[thread].state = State::kReady;
  pass_barrier();
}

bool Block::release_warps() {
  bool any = false;
  for (unsigned warp = 0; warp < slots_.size(); warp += kWarp) {
    const auto first = fibers_.begin() + warp;
    const auto last = fibers_.begin() + std::min(threads_, warp + kWarp);
    const auto waits = [](const Fiber& fiber) { return fiber.state == State::kAtWarpBarrier; };
    if (std::none_of(first, last, waits)) continue;
    const auto together = [&](const Fiber& fiber) { return waits(fiber) && fiber.site == first->site; };
    if (warp + kWarp > threads_ || !std::all_of(first, last, together)) {
      fail("the lanes of warp " + std::to_string(warp / kWarp) + " part at " + to_string(first->site));
    }
    for (auto fiber = first; fiber != last; ++fiber) fiber->state = State::kReady;
    any = true;
  }
  return any;
}

void Block::pass_barrier() {
  shared_.next_phase();
  if (traffic_ == nullptr) return;
  for (WarpRequests& warp : requests_) warp.flush(traffic_);
}

void Block::touch_global(const void* address, std::size_t bytes, bool write, const Site& site) {
  if (address != nullptr) global_->touch(address, bytes, write, site);
  if (traffic_ != nullptr) requests_[current_ / kWarp].add(current_ % kWarp, address, bytes, write, site);
}

void Block::begin_copy(void* shared, const void* global, const Site& site) {
  touch_global(global, kCopyBytes, false, site);
  shared_.begin_copy(shared, kCopyBytes, current_, site);
  fibers_[current_].copies.push_back({shared, global, fibers_[current_].group, site});
}

void Block::commit_copies() {
  ++fibers_[current_].group;
  if (traffic_ != nullptr) requests_[current_ / kWarp].converge(current_ % kWarp);
}

void Block::wait_for_copies(unsigned groups) {
  Fiber& fiber = fibers_[current_];
  std::size_t ended = 0;
  for (; ended < fiber.copies.size() && fiber.copies[ended].group + groups < fiber.group; ++ended) {
    const PendingCopy& copy = fiber.copies[ended];
    shared_.end_copy(copy.to, kCopyBytes, current_, copy.site);
    if (copy.from != nullptr) {
      std::memcpy(copy.to, copy.from, kCopyBytes);
    } else {
      std::memset(copy.to, 0, kCopyBytes);
    }
  }
  fiber.copies.erase(fiber.copies.begin(), fiber.copies.begin() + static_cast<std::ptrdiff_t>(ended));
}

void Block::exchange(const void* value, std::size_t bytes, const Site& site) {
  wait_for_warp(site);  // the others have read what was there
  std::memcpy(&slots_[current_], value, bytes);
  wait_for_warp(site);
}

}  // namespace vidrt::cuda_host
