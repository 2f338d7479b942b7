// GenerateOptions checked against a manifest, with the bundle's defaults filled in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vidrt/bundle.h"
#include "vidrt/options.h"
#include "vidrt/plan.h"
#include "vidrt/tensor.h"

namespace vidrt {

struct ResolvedOptions {
  int height = 0, width = 0, num_frames = 0;
  int latent_frames = 0, latent_height = 0, latent_width = 0;
  int num_inference_steps = 0;  // as asked for
  int first_step = 0;           // the first of them that is run
  double guidance_scale = 1.0;
  bool guided = false;  // the negative prompt is run as well
  bool has_image = false;
  double strength = 0.0;  // with a clip to start from; 0 = none is given
  double step_cache = 0.0;
  std::string vae_tiling;        // "auto" | "on" | "off"
  PlannedTiles tiles;            // of the frames where they are decoded in tiles
  DType output = DType::kUInt8;  // of frames: kUInt8 or kFloat32
  double fps = 0.0;
  std::string negative_prompt;
  std::vector<std::string> warnings;  // sizes outside the range in which quality was measured
};

/// Check everything that can be checked without loading anything. Throws InvalidArgument: what, got, expected, nearest.
ResolvedOptions resolve_options(const Manifest& manifest, const GenerateOptions& options);

/// The same for decoding alone: sizes follow from the latents. What belongs to sampling stays as it is.
ResolvedOptions resolve_decode_options(const Manifest& manifest, const DecodeOptions& options);

}  // namespace vidrt
