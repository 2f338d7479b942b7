// The processor as a device: everything is done at once, in memory that the host reads and writes itself.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <new>
#include <vector>

#include "runtime/device.h"
#include "runtime/memory_plan.h"
#include "runtime/pages.h"

namespace vidrt {
namespace {

// In this order NaN becomes 0.
float level_of(float value) { return std::min(std::max(0.0f, value * 0.5f + 0.5f), 1.0f); }

void write_level(float level, float* to) { *to = level; }
void write_level(float level, std::uint8_t* to) { *to = static_cast<std::uint8_t>(std::nearbyintf(level * 255.0f)); }

struct BegunFrames {
  TensorView view;
  int first;
  int count;
};

/// Pixel: std::uint8_t or float.
template <typename Pixel>
class HostFrameReader : public FrameReader {
 public:
  void begin(const TensorView& frames, int first, int count) override { begun_.push_back({frames, first, count}); }

  void end(void* rgb) override {
    const BegunFrames frames = begun_.front();
    begun_.pop_front();
    const std::int64_t num_frames = frames.view.shape[2];
    const std::int64_t pixels = frames.view.shape[3] * frames.view.shape[4];
    for (std::int64_t f = 0; f < frames.count; ++f) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const float* source = frames.view.as<float>() + (channel * num_frames + frames.first + f) * pixels;
        Pixel* target = static_cast<Pixel*>(rgb) + f * pixels * 3 + channel;
        for (std::int64_t i = 0; i < pixels; ++i) write_level(level_of(source[i]), target + i * 3);
      }
    }
  }

 private:
  std::deque<BegunFrames> begun_;
};

// `other` gives what is subtracted from element i.
template <typename Other>
double mean_over_lanes(const TensorView& a, const Other& other) {
  const float* values = a.as<float>();
  const std::int64_t count = a.elements();
  std::vector<float> sums(kDifferenceLanes, 0.0f);
  for (std::int64_t begin = 0; begin < count; begin += kDifferenceLanes) {
    const std::int64_t lanes = std::min<std::int64_t>(kDifferenceLanes, count - begin);
    for (std::int64_t j = 0; j < lanes; ++j) {
      sums[static_cast<std::size_t>(j)] += std::fabs(values[begin + j] - other(begin + j));
    }
  }
  return mean_of_lanes(sums.data(), count);
}

class HostDevice : public Device {
 public:
  void* allocate(std::size_t bytes) override {
    return ::operator new (bytes, std::align_val_t{kArenaAlignment}, std::nothrow);
  }
  void release(void* memory) noexcept override { ::operator delete (memory, std::align_val_t{kArenaAlignment}); }

  bool takes_memory_as_written() const override { return true; }
  void discard(void* memory, std::size_t bytes) override { discard_pages(memory, bytes); }

  void copy_from_host(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void copy_to_host(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                 std::size_t rows) override {
    for (std::size_t row = 0; row < rows; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * to_pitch, static_cast<const std::byte*>(from) + row * from_pitch,
                  bytes);
    }
  }
  void fill(const TensorView& tensor, float value) override {
    std::fill_n(tensor.as<float>(), tensor.elements(), value);
  }

  void apply_step(const SchedulerTable& table, int step, const StepTensors& tensors) override {
    vidrt::apply_step(table, step, tensors);
  }
  void end_step() override {}
  bool all_finite(const TensorView& tensor) override {
    const float* values = tensor.as<float>();
    return std::all_of(values, values + tensor.elements(), [](float value) { return std::isfinite(value); });
  }

  double mean_difference(const TensorView& a, const TensorView& b) override {
    const float* others = b.as<float>();
    return mean_over_lanes(a, [others](std::int64_t i) { return others[i]; });
  }
  double mean_magnitude(const TensorView& a) override {
    return mean_over_lanes(a, [](std::int64_t) { return 0.0f; });
  }

  void blend_tile(const TileBlend& blend) override { vidrt::blend_tile(blend); }
  std::unique_ptr<FrameReader> frame_reader(int, std::int64_t, std::int64_t, DType output) override {
    if (output == DType::kFloat32) return std::make_unique<HostFrameReader<float>>();
    return std::make_unique<HostFrameReader<std::uint8_t>>();
  }
  bool queues_work() const override { return false; }
};

}  // namespace

Device& host_device() {
  static HostDevice device;
  return device;
}

}  // namespace vidrt
