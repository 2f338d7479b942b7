// Takes the calls of several threads one after another and refuses a call from inside a callback of another.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "vidrt/errors.h"

namespace vidrt {

class CallGuard {
 public:
  class Scope {
   public:
    explicit Scope(CallGuard& guard) : guard_(guard) {
      if (guard.owner_.load() == std::this_thread::get_id()) {
        throw InvalidArgument("this pipeline is already running a generation on this thread; "
                              "call it after the callback has returned, or open a second pipeline.");
      }
      guard.mutex_.lock();
      guard.owner_.store(std::this_thread::get_id());
    }
    ~Scope() {
      guard_.owner_.store(std::thread::id());
      guard_.mutex_.unlock();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    CallGuard& guard_;
  };

 private:
  std::mutex mutex_;
  std::atomic<std::thread::id> owner_{};
};

}  // namespace vidrt
