#include "runtime/step_cache.h"

namespace vidrt {

StepCache::StepCache(Device& device, const ArenaTensors& tensors, double threshold, int steps)
    : device_(device),
      sample_(row(tensors["latents"], 0)),
      last_sample_(tensors["last_sample"]),
      prediction_(tensors["prediction"]),
      last_prediction_(tensors["last_prediction"]),
      threshold_(threshold),
      steps_(steps) {}

bool StepCache::must_run(int step) {
  if (step > 0) way_ += device_.mean_difference(sample_, last_sample_);
  copy(last_sample_, sample_);
  if (!has_rate_ || step == steps_ - 1) return true;
  // A comparison that NaN fails: then the denoiser runs.
  if (!(rate_ * way_ < threshold_ * size_)) return true;
  skipped_.push_back(step);
  return false;
}

void StepCache::before_run() {
  if (has_prediction_) copy(last_prediction_, prediction_);
}

void StepCache::after_run() {
  if (has_prediction_) {
    rate_ = device_.mean_difference(prediction_, last_prediction_) / way_;
    has_rate_ = true;
  }
  size_ = device_.mean_magnitude(prediction_);
  way_ = 0.0;
  has_prediction_ = true;
}

void StepCache::copy(const TensorView& to, const TensorView& from) {
  device_.copy_rows(to.data, to.bytes(), from.data, from.bytes(), from.bytes(), 1);
}

}  // namespace vidrt
