// A device whose memory the host cannot touch and whose work is done late, as a GPU's: addresses that it gives out end
// the process when they are read, and what was asked for is done only when somebody waits for it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/gpu_device.h"
#include "support/test_device.h"

namespace vidrt::testing {

class SecludedDevice : public GpuDevice, public TestDevice {
 public:
  int index() const override { return 0; }
  std::string name() const override { return "secluded"; }
  std::string compute_capability() const override { return "8.7"; }
  void* stream() const override { return nullptr; }
  void synchronize() override { wait(); }
  std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override;

  void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  void copy_from_host(void* to, const void* from, std::size_t bytes) override;
  void copy_to_host(void* to, const void* from, std::size_t bytes) override;
  void copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                 std::size_t rows) override;
  void fill(const TensorView& tensor, float value) override;
  void apply_step(const SchedulerTable& table, int step, const StepTensors& tensors) override;
  void end_step() override;
  bool all_finite(const TensorView& tensor) override;
  double mean_difference(const TensorView& a, const TensorView& b) override;
  double mean_magnitude(const TensorView& a) override;
  void blend_tile(const TileBlend& blend) override;
  std::unique_ptr<FrameReader> frame_reader(int max_frames, std::int64_t height, std::int64_t width,
                                            DType output) override;
  bool queues_work() const override { return true; }

  Device& device() override { return *this; }
  void run(const Tensors& inputs, const Tensors& outputs, Compute compute) override;
  void settle() noexcept override;
  std::size_t blocks() const override { return blocks_; }

  /// Do `work` when somebody waits. What it throws comes out there, and the rest of the queue is dropped.
  void queue(std::function<void()> work) { queue_.push_back(std::move(work)); }
  /// Do all that is queued.
  void wait();

  /// Work can be recorded; how often it was, and how often that was replayed.
  bool records = true;
  int recordings = 0;
  int replays = 0;

 private:
  std::size_t blocks_ = 0;
  std::deque<std::function<void()>> queue_;
  bool recording_ = false;
  std::deque<std::size_t> step_ends_;  // how much of the queue is left when a step has been done
};

}  // namespace vidrt::testing
