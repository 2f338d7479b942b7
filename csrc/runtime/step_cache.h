// Skips runs of the denoiser whose prediction would hardly differ from the last one.
//
// After EasyCache (Zhou et al., "Less is Enough: Training-Free Video Diffusion Acceleration via Runtime-Adaptive
// Caching", 2025, arXiv 2507.02860): how much a prediction changes by the way of its input is measured whenever the
// denoiser has run, and taken for the steps that follow. docs/step_cache.md says what differs from the paper.
#pragma once

#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/device.h"

namespace vidrt {

class StepCache {
 public:
  /// `threshold` is the change of a prediction, in parts of it, up to which it is used again; more than 0.
  StepCache(Device& device, const ArenaTensors& tensors, double threshold, int steps);

  /// Whether the denoiser has to run in this step. Steps are asked for one after another; the sample is the step's.
  bool must_run(int step);
  /// Around a run: the prediction before it is kept, and compared with that after it.
  void before_run();
  void after_run();

  /// The steps, from 0, that used the prediction of an earlier one.
  const std::vector<int>& skipped() const { return skipped_; }

 private:
  void copy(const TensorView& to, const TensorView& from);

  Device& device_;
  const TensorView sample_;       // row 0 of the latents
  const TensorView last_sample_;  // of the step before
  const TensorView prediction_;   // of all prompts
  const TensorView last_prediction_;
  const double threshold_;
  const int steps_;
  bool has_prediction_ = false;
  double way_ = 0.0;   // of the sample since the denoiser ran: the sum of its mean absolute changes
  double rate_ = 0.0;  // the prediction's mean absolute change by the sample's way
  bool has_rate_ = false;
  double size_ = 0.0;  // mean absolute value of the prediction
  std::vector<int> skipped_;
};

}  // namespace vidrt
