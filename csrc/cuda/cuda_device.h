// A CUDA device through the CUDA runtime: one queue in the device's primary context.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cuda/cuda_handles.h"
#include "cuda/host_upload.h"
#include "runtime/gpu_device.h"

namespace vidrt {

/// Every call makes the device the calling thread's current one, and leaves it so: sessions are run on whatever thread
/// the pipeline is called from.
class CudaDevice : public GpuDevice {
 public:
  /// Throws BackendError where there is no driver, no such device, or one that the kernels do not run on.
  explicit CudaDevice(int index);

  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  std::string memory_state() const override;
  std::optional<std::uint64_t> free_bytes() const override;

  void copy_from_host(void* to, const void* from, std::size_t bytes) override;
  void copy_to_host(void* to, const void* from, std::size_t bytes) override;
  void copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                 std::size_t rows) override;
  void fill(const TensorView& tensor, float value) override;

  void apply_step(const SchedulerTable& table, int step, const StepTensors& tensors) override;
  void end_step() override;
  bool all_finite(const TensorView& tensor) override;
  double mean_difference(const TensorView& a, const TensorView& b) override { return mean(a, b.as<float>()); }
  double mean_magnitude(const TensorView& a) override { return mean(a, nullptr); }

  void blend_tile(const TileBlend& blend) override;
  std::unique_ptr<FrameReader> frame_reader(int max_frames, std::int64_t height, std::int64_t width,
                                            DType output) override;
  bool queues_work() const override { return true; }

  int index() const override { return index_; }
  std::string name() const override { return properties_.name; }
  std::string compute_capability() const override;
  void* stream() const override { return stream_.get(); }
  std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override;
  void synchronize() override;

  /// Make the device the thread's current one.
  void use() const;
  /// Wait where nobody can be told what went wrong.
  void settle() noexcept;

 private:
  static cudaDeviceProp select(int index);
  void wait();
  void check_kernels();
  double mean(const TensorView& a, const float* others);
  /// Copy what a kernel left in device_results_ to results_, and wait.
  void fetch_results(std::size_t bytes);

  int index_;
  cudaDeviceProp properties_;  // first: makes the device current for what follows
  CudaQueue stream_;
  CudaEvent idle_;
  // Of the last two steps, the latest at `last_step_`.
  std::array<CudaEvent, 2> step_ends_;
  std::size_t last_step_ = 0;
  HostUpload upload_;
  PinnedMemory results_;         // verdicts, or sums
  DeviceBuffer device_results_;  // last: waits, when it ends, for what the others are used by
};

}  // namespace vidrt
