// The clip that a video starts from, as a caller gives it: checked, and how much of the way it goes.
#pragma once

#include "vidrt/bundle.h"
#include "vidrt/options.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// That of diffusers' VideoToVideoSDPipeline.
inline constexpr double kDefaultStrength = 0.6;

/// Throws InvalidArgument when the bundle cannot encode clips, options.video is not uint8 of `shape`, (F,H,W,3), or an
/// image is given as well.
void check_video(const Manifest& manifest, const GenerateOptions& options, const Shape& shape);

/// The first of `steps` that is run: min(int(steps * strength), steps) are, the last ones, as in diffusers'
/// get_timesteps(). Throws InvalidArgument for a strength that is not 0 to 1, or that leaves no step.
int first_step(double strength, int steps);

/// Frame `index` of a checked clip, (H,W,3).
TensorView video_frame(const TensorView& video, int index);

}  // namespace vidrt
