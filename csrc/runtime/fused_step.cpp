// A scheduler step in one pass over memory: block by block, so that intermediate values stay in the first-level cache
// and every inner loop is a plain one that compilers turn into vector instructions.
#include <algorithm>
#include <array>
#include <utility>

#include "runtime/scheduler.h"

namespace vidrt {
namespace {

constexpr std::int64_t kBlock = 1024;  // floats; five blocks take 20 KiB
using Block = std::array<float, kBlock>;

void add_scaled(double coefficient, const float* source, std::int64_t count, float* sum) {
  // Not only for speed: what a step has no coefficient for may never have been written.
  if (coefficient == 0.0) return;
  const float factor = static_cast<float>(coefficient);
  for (std::int64_t i = 0; i < count; ++i) sum[i] += factor * source[i];
}

void scale(double coefficient, const float* source, std::int64_t count, float* out) {
  const float factor = static_cast<float>(coefficient);
  for (std::int64_t i = 0; i < count; ++i) out[i] = factor * source[i];
}

class BlockStep {
 public:
  BlockStep(const SchedulerTable& table, const StepCoefficients& step, const StepTensors& tensors)
      : table_(table), step_(step), tensors_(tensors) {}

  void run(std::int64_t begin, std::int64_t count) {
    const float* sample = tensors_.sample + begin;
    load_output(begin, count);
    scale(step_.to_m_output, output_.data(), count, m_.data());
    add_scaled(step_.to_m_sample, sample, count, m_.data());

    const float* current = sample;
    if (step_.correct) {
      scale(step_.c_prev, tensors_.prev_sample + begin, count, corrected_.data());
      add_history(step_.c_history, begin, count, corrected_.data());
      add_scaled(step_.c_m, m_.data(), count, corrected_.data());
      current = corrected_.data();
    }
    scale(step_.p_sample, current, count, next_.data());
    add_history(step_.p_history, begin, count, next_.data());
    add_scaled(step_.p_m, m_.data(), count, next_.data());
    put_first_frame(begin, count);

    // Only now: the oldest history and the previous sample have been read.
    if (table_.needs_prev_sample) std::copy_n(current, count, tensors_.prev_sample + begin);
    if (table_.num_history > 0) std::copy_n(m_.data(), count, oldest() + begin);
    std::copy_n(next_.data(), count, tensors_.sample + begin);
    if (tensors_.sample_copy != nullptr) std::copy_n(next_.data(), count, tensors_.sample_copy + begin);
  }

 private:
  void load_output(std::int64_t begin, std::int64_t count) {
    const float* positive = tensors_.output_positive + begin;
    if (tensors_.output_negative == nullptr) {
      std::copy_n(positive, count, output_.data());
      return;
    }
    const float* negative = tensors_.output_negative + begin;
    const float guidance = tensors_.guidance_scale;
    for (std::int64_t i = 0; i < count; ++i) {
      output_[static_cast<std::size_t>(i)] = negative[i] + guidance * (positive[i] - negative[i]);
    }
  }

  void add_history(const std::array<double, kMaxHistory>& coefficients, std::int64_t begin, std::int64_t count,
                   float* sum) const {
    for (std::size_t j = 0; j < static_cast<std::size_t>(table_.num_history); ++j) {
      add_scaled(coefficients[j], tensors_.history[j] + begin, count, sum);
    }
  }

  void put_first_frame(std::int64_t begin, std::int64_t count) {
    const FirstFrame& first = tensors_.first_frame;
    if (first.values == nullptr) return;
    const std::int64_t channel_size = first.frames * first.frame_size;
    for (std::int64_t channel = begin / channel_size; channel * channel_size < begin + count; ++channel) {
      const std::int64_t frame = channel * channel_size;  // where the channel's first frame begins
      const std::int64_t from = std::max(begin, frame);
      const std::int64_t to = std::min(begin + count, frame + first.frame_size);
      if (from >= to) continue;
      std::copy_n(first.values + channel * first.frame_size + (from - frame), to - from, next_.data() + (from - begin));
    }
  }

  float* oldest() const { return tensors_.history[static_cast<std::size_t>(table_.num_history - 1)]; }

  const SchedulerTable& table_;
  const StepCoefficients& step_;
  const StepTensors& tensors_;
  Block output_, m_, corrected_, next_;
};

}  // namespace

void apply_step(const SchedulerTable& table, int step, const StepTensors& tensors) {
  BlockStep block(table, table.steps.at(static_cast<std::size_t>(step)), tensors);
  for (std::int64_t begin = 0; begin < tensors.count; begin += kBlock) {
    block.run(begin, std::min(kBlock, tensors.count - begin));
  }
}

void rotate_history(const SchedulerTable& table, StepTensors& tensors) {
  const auto first = tensors.history.begin();
  if (table.num_history > 1) std::rotate(first, first + (table.num_history - 1), first + table.num_history);
}

}  // namespace vidrt
