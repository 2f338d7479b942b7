#include "support/secluded_device.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "runtime/memory_plan.h"

namespace vidrt::testing {
namespace {

// No processor has memory at such an address.
constexpr std::uintptr_t kSeclusion = std::uintptr_t{1} << 62;

template <typename T>
T* reach(T* address) {
  return address == nullptr ? nullptr : reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(address) - kSeclusion);
}

TensorView reach(TensorView view) {
  view.data = reach(view.data);
  return view;
}

StepTensors reach(StepTensors tensors) {
  tensors.output_negative = reach(tensors.output_negative);
  tensors.output_positive = reach(tensors.output_positive);
  tensors.sample = reach(tensors.sample);
  tensors.sample_copy = reach(tensors.sample_copy);
  tensors.prev_sample = reach(tensors.prev_sample);
  for (float*& history : tensors.history) history = reach(history);
  tensors.first_frame.values = reach(tensors.first_frame.values);
  return tensors;
}

TileBlend reach(TileBlend blend) {
  blend.frames = reach(blend.frames);
  blend.tile = reach(blend.tile);
  blend.rows = reach(blend.rows);
  blend.columns = reach(blend.columns);
  return blend;
}

TestDevice::Tensors reach(TestDevice::Tensors tensors) {
  for (NamedTensor& tensor : tensors) tensor.view = reach(tensor.view);
  return tensors;
}

// Frames are converted when their turn in the queue comes, into memory of the reader's own.
class SecludedFrameReader : public FrameReader {
 public:
  SecludedFrameReader(SecludedDevice& device, std::int64_t max_pixels, DType output)
      : device_(device), output_(output), max_bytes_(bytes_of(max_pixels)) {}

  void begin(const TensorView& frames, int first, int count) override {
    const std::size_t bytes = bytes_of(count * frames.shape[3] * frames.shape[4]);
    if (bytes > max_bytes_) throw std::length_error("more frames than the reader was made for");
    auto converted = std::make_shared<std::vector<std::uint8_t>>(bytes);
    begun_.push_back(converted);
    device_.queue([view = reach(frames), first, count, converted, output = output_] {
      const auto reader = host_device().frame_reader(count, view.shape[3], view.shape[4], output);
      reader->begin(view, first, count);
      reader->end(converted->data());
    });
  }

  void end(void* rgb) override {
    device_.wait();
    std::copy(begun_.front()->begin(), begun_.front()->end(), static_cast<std::uint8_t*>(rgb));
    begun_.pop_front();
  }

 private:
  std::size_t bytes_of(std::int64_t pixels) const {
    return static_cast<std::size_t>(pixels) * 3 * dtype_bytes(output_);
  }

  SecludedDevice& device_;
  DType output_;
  std::size_t max_bytes_;
  std::deque<std::shared_ptr<std::vector<std::uint8_t>>> begun_;
};

}  // namespace

void SecludedDevice::run(const Tensors& inputs, const Tensors& outputs, Compute compute) {
  queue([in = reach(inputs), out = reach(outputs), compute = std::move(compute)] { compute(in, out); });
}

std::unique_ptr<RecordedWork> SecludedDevice::record(const std::function<void()>& work) {
  struct Recorded : RecordedWork {
    Recorded(SecludedDevice& on, std::deque<std::function<void()>> what) : device(on), queued(std::move(what)) {}
    void replay() override {
      ++device.replays;
      device.queue_.insert(device.queue_.end(), queued.begin(), queued.end());
    }
    SecludedDevice& device;
    const std::deque<std::function<void()>> queued;
  };
  if (!records) return nullptr;
  std::deque<std::function<void()>> queued;
  std::swap(queue_, queued);
  recording_ = true;
  try {
    work();
  } catch (...) {
    std::swap(queue_, queued);
    recording_ = false;
    throw;
  }
  std::swap(queue_, queued);
  recording_ = false;
  ++recordings;
  return std::make_unique<Recorded>(*this, std::move(queued));
}

void SecludedDevice::wait() {
  if (recording_) throw std::logic_error("waiting is not to be recorded");
  while (!queue_.empty()) {
    const std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    try {
      work();
    } catch (...) {
      queue_.clear();
      step_ends_.clear();
      throw;
    }
  }
  step_ends_.clear();
}

void SecludedDevice::settle() noexcept {
  try {
    wait();
  } catch (...) {
  }
}

void* SecludedDevice::allocate(std::size_t bytes) {
  void* memory = host_device().allocate(bytes);
  if (memory == nullptr) return nullptr;
  std::memset(memory, 0xff, bytes);  // NaN: nothing may count on zeros
  ++blocks_;
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(memory) + kSeclusion);
}

void SecludedDevice::release(void* memory) noexcept {
  if (memory == nullptr) return;
  settle();
  --blocks_;
  host_device().release(reach(memory));
}

void SecludedDevice::copy_from_host(void* to, const void* from, std::size_t bytes) {
  std::vector<std::byte> kept(bytes);
  std::memcpy(kept.data(), from, bytes);
  queue([to = reach(to), kept = std::move(kept)] { std::memcpy(to, kept.data(), kept.size()); });
}

void SecludedDevice::copy_to_host(void* to, const void* from, std::size_t bytes) {
  wait();
  std::memcpy(to, reach(from), bytes);
}

void SecludedDevice::copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                               std::size_t bytes, std::size_t rows) {
  queue([=] { host_device().copy_rows(reach(to), to_pitch, reach(from), from_pitch, bytes, rows); });
}

void SecludedDevice::fill(const TensorView& tensor, float value) {
  queue([view = reach(tensor), value] { host_device().fill(view, value); });
}

void SecludedDevice::apply_step(const SchedulerTable& table, int step, const StepTensors& tensors) {
  queue([table, step, reached = reach(tensors)] { vidrt::apply_step(table, step, reached); });
}

void SecludedDevice::end_step() {
  step_ends_.push_back(queue_.size());
  if (step_ends_.size() < 2) return;
  const std::size_t done = step_ends_.front();
  const std::size_t left = queue_.size() - done;
  std::deque<std::function<void()>> later;
  std::move(queue_.begin() + static_cast<std::ptrdiff_t>(done), queue_.end(), std::back_inserter(later));
  queue_.resize(done);
  wait();
  queue_ = std::move(later);
  step_ends_.push_back(left);
}

bool SecludedDevice::all_finite(const TensorView& tensor) {
  wait();
  return host_device().all_finite(reach(tensor));
}

double SecludedDevice::mean_difference(const TensorView& a, const TensorView& b) {
  wait();
  return host_device().mean_difference(reach(a), reach(b));
}

double SecludedDevice::mean_magnitude(const TensorView& a) {
  wait();
  return host_device().mean_magnitude(reach(a));
}

void SecludedDevice::blend_tile(const TileBlend& blend) {
  queue([reached = reach(blend)] { vidrt::blend_tile(reached); });
}

std::unique_ptr<FrameReader> SecludedDevice::frame_reader(int max_frames, std::int64_t height, std::int64_t width,
                                                          DType output) {
  return std::make_unique<SecludedFrameReader>(*this, max_frames * height * width, output);
}

}  // namespace vidrt::testing
