// What a running generation tells its caller, and how the caller stops it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "vidrt/api.h"

namespace vidrt {

/// kEncode is that of prompts. kEncodeImage runs after it where an image is given, or a clip, whose frames it counts.
enum class Stage { kLoad, kEncode, kDenoise, kDecode, kEncodeImage };

/// "load", "encode", "denoise", "decode", "encode_image".
VIDRT_API const char* stage_name(Stage stage);

/// Progress of one stage: `done` of `total` units (modules, prompts, images, steps, frames). done = 0 announces the
/// stage.
struct StageEvent {
  Stage stage;
  int done;
  int total;
};

/// A finished denoising step. `timestep` is the one just used, in the units of training.
struct StepEvent {
  int step;  // 0-based
  int num_inference_steps;
  double timestep;
};

/// Finished frames, (num_frames, height, width, 3), valid during the callback only: `rgb` of the output type uint8,
/// `rgb_float` of float32. The other one is null.
struct FramesEvent {
  int first_frame;  // index of the first of these frames in the clip
  int num_frames;
  int height;
  int width;
  const std::uint8_t* rgb;
  const float* rgb_float;
};

/// Ask a running generation to stop, from any thread or signal handler. Checked between steps and decoded chunks.
class CancelToken {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  void reset() noexcept { cancelled_.store(false, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

/// All are called on the thread that called generate(). An exception from one ends the generation and leaves through
/// generate(); the pipeline stays usable.
struct Callbacks {
  std::function<void(const StageEvent&)> on_stage;
  std::function<void(const StepEvent&)> on_step;
  std::function<void(const FramesEvent&)> on_frames;
  std::function<void(const std::string&)> on_warning;  // unset: warnings go to the Video's metadata only
  const CancelToken* cancel = nullptr;                 // kept alive by the caller during generate()
};

}  // namespace vidrt
