// Where a backend's tensors live, and the pipeline's own arithmetic there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "runtime/scheduler.h"
#include "runtime/tile_blend.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// Hands finished frames to the host, as uint8 or as float32. Frames are begun and ended in the same order, and at most
/// two are begun and not yet ended; what was never ended is dropped with the reader.
class FrameReader {
 public:
  virtual ~FrameReader() = default;
  /// Frames `first` to `first + count` of (1,3,F,H,W) float32 in [-1,1] are finished as far as the device's queue goes.
  /// What they lie in may be written anew by work that is queued later.
  virtual void begin(const TensorView& frames, int first, int count) = 0;
  /// Write the oldest that were begun as (count,H,W,3) RGB: clamp(x / 2 + 1/2) to [0,1] as float32, with NaN as 0, and
  /// 255 times that, rounded with ties to even, as uint8. Both are those of diffusers' VaeImageProcessor (denormalize,
  /// numpy_to_pil). Waits until they are there.
  virtual void end(void* rgb) = 0;
};

/// Element i belongs to lane i % kDifferenceLanes. Enough for a GPU's threads, few enough for a processor's cache.
inline constexpr int kDifferenceLanes = 8192;
/// The mean of `count` elements from the sums of their lanes.
double mean_of_lanes(const float* sums, std::int64_t count);

/// Memory and arithmetic of one device. Unless said otherwise, memory is the device's: the host only hands addresses
/// on. Work, that of sessions included, is done in the order in which it was asked for; a device may queue it, and
/// then its errors come with the next call that waits. Not thread-safe.
class Device {
 public:
  virtual ~Device() = default;

  /// Memory aligned to kArenaAlignment, or null where there is not enough.
  virtual void* allocate(std::size_t bytes) = 0;
  /// Give memory back (null is nothing), once work that uses it has ended.
  virtual void release(void* memory) noexcept = 0;
  /// Whether memory that is allocated is taken page by page, as it is written for the first time.
  virtual bool takes_memory_as_written() const { return false; }
  /// What a block of memory holds is of no use any more: where pages are taken as they are written, they go back.
  virtual void discard(void* /*memory*/, std::size_t /*bytes*/) {}
  /// "1024 of 4096 bytes are free on ...", or nothing where that is not known. For messages.
  virtual std::string memory_state() const { return ""; }
  /// Bytes that could be allocated now, those of other processes not among them; nothing where that is not known, as of
  /// a host that swaps. From any thread.
  virtual std::optional<std::uint64_t> free_bytes() const { return std::nullopt; }

  /// From the host's memory, which may change or end as soon as this returns.
  virtual void copy_from_host(void* to, const void* from, std::size_t bytes) = 0;
  /// To the host's memory. Waits.
  virtual void copy_to_host(void* to, const void* from, std::size_t bytes) = 0;
  /// `rows` pieces of `bytes`, a pitch of bytes apart on either side, which do not overlap.
  virtual void copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                         std::size_t rows) = 0;
  /// Set every element of a float32 tensor.
  virtual void fill(const TensorView& tensor, float value) = 0;

  /// See apply_step() in runtime/scheduler.h.
  virtual void apply_step(const SchedulerTable& table, int step, const StepTensors& tensors) = 0;
  /// A denoising step has been asked for. Waits until at most this one is queued, so that progress is true, a cancel
  /// counts soon, and the device never runs dry.
  virtual void end_step() = 0;
  /// Whether a float32 tensor has no infinity and no NaN. Waits.
  virtual bool all_finite(const TensorView& tensor) = 0;

  /// The mean of |a - b| over two float32 tensors of one shape, and of |a| over one. In kDifferenceLanes sums of fp32,
  /// each in the order of its elements, added in fp64: the same bits on every device. Waits.
  virtual double mean_difference(const TensorView& a, const TensorView& b) = 0;
  virtual double mean_magnitude(const TensorView& a) = 0;

  /// See blend_tile() in runtime/tile_blend.h.
  virtual void blend_tile(const TileBlend& blend) = 0;
  /// A reader for at most `max_frames` of (height, width) at a time, given out as `output`: kUInt8 or kFloat32. Throws
  /// OutOfMemory.
  virtual std::unique_ptr<FrameReader> frame_reader(int max_frames, std::int64_t height, std::int64_t width,
                                                    DType output) = 0;
  /// Whether work is queued and goes on while the host does something else.
  virtual bool queues_work() const = 0;
};

/// The processor and its memory: nothing is queued.
Device& host_device();

/// For a message about memory that `device` refused: how much, and how much there is.
std::string refusal(const Device& device, std::size_t bytes);

/// A block of a device's memory that ends with this.
class DeviceBuffer {
 public:
  /// Throws OutOfMemory.
  DeviceBuffer(Device& device, std::size_t bytes);
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() { device_.release(data_); }

  void* data() const { return data_; }

 private:
  Device& device_;
  void* data_;
};

}  // namespace vidrt
