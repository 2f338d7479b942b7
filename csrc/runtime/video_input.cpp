#include "runtime/video_input.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>

#include "runtime/module_contract.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

int steps_run(double strength, int steps) { return std::min(static_cast<int>(steps * strength), steps); }

// The least strength of four digits that leaves a step.
double least_strength(int steps) {
  double least = std::ceil(1e4 / steps) / 1e4;
  if (steps_run(least, steps) == 0) least += 1e-4;  // rounded below it
  return least;
}

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

void check_video(const Manifest& manifest, const GenerateOptions& options, const Shape& shape) {
  require_clip_encoder(manifest);
  if (options.image.has_value()) {
    throw InvalidArgument("got both image and video; expected one of them.");
  }
  const TensorView& video = *options.video;
  if (video.data == nullptr || video.dtype != DType::kUInt8 || video.shape != shape) {
    throw InvalidArgument("video must be uint8 " + shape_string(shape) + ", (num_frames, height, width, 3), got " +
                          dtype_name(video.dtype) + " " + shape_string(video.shape) +
                          "; cut and resize it, or set num_frames, height and width to what it has.");
  }
}

int first_step(double strength, int steps) {
  if (!(strength >= 0.0 && strength <= 1.0)) {  // in this form NaN is refused as well
    throw InvalidArgument("strength must be 0 to 1, got " + number(strength) + ".");
  }
  const int run = steps_run(strength, steps);
  if (run > 0) return steps - run;
  throw InvalidArgument("a strength of " + number(strength) + " leaves none of " + std::to_string(steps) +
                        " num_inference_steps, and the video would stay as it is; expected a strength of at least " +
                        number(least_strength(steps)) + ", or more steps.");
}

TensorView video_frame(const TensorView& video, int index) {
  TensorView frame{nullptr, video.dtype, {video.shape.begin() + 1, video.shape.end()}};
  frame.data = video.as<std::uint8_t>() + static_cast<std::size_t>(index) * frame.bytes();
  return frame;
}

}  // namespace vidrt
