// A CUDA device, as backends that run on one see it. Nothing here knows CUDA.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/device.h"

namespace vidrt {

/// Work that was recorded once, to be queued again and again at the cost of one launch. Ends before its device.
class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  /// Queue it. Throws BackendError.
  virtual void replay() = 0;
};

/// All work is queued on one stream, in the device's primary context, which every library of the process shares.
class GpuDevice : public Device {
 public:
  /// N of "cuda:N".
  virtual int index() const = 0;
  /// The device's name as its driver gives it.
  virtual std::string name() const = 0;
  /// "8.7".
  virtual std::string compute_capability() const = 0;
  /// The cudaStream_t on which this device's work, and so that of sessions, is queued.
  virtual void* stream() const = 0;
  /// Record what `work` queues on the stream, and do nothing of it yet. Null where that cannot be recorded: nothing is
  /// left of the attempt then. What `work` throws comes out, with nothing left either.
  virtual std::unique_ptr<RecordedWork> record(const std::function<void()>& work) = 0;
  /// Wait for all that is queued. Throws BackendError with what went wrong in it.
  virtual void synchronize() = 0;
};

/// Whether vidrt's CUDA library is there: it is left out where vidrt was built without CUDA.
bool has_cuda_library();

/// Open device N. vidrt's CUDA library is loaded when this is first called. Throws BackendError where the library, a
/// driver or the device is missing; the message says what to install and lists where was looked.
std::shared_ptr<GpuDevice> open_gpu_device(int index);

}  // namespace vidrt
