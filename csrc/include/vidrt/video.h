// The result of a generation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vidrt/api.h"
#include "vidrt/plan.h"

namespace vidrt {

/// Where the time went, in milliseconds. `session` is the part spent inside backend sessions.
struct Timings {
  double load = 0.0;
  double encode = 0.0;        // prompts
  double encode_image = 0.0;  // of an image, or of the frames of a clip; 0 where none was given
  double denoise = 0.0;
  double decode = 0.0;
  double last_step_to_first_frame = 0.0;
  double first_frame = 0.0;  // from the call of generate() to the first on_frames
  double total = 0.0;
  double session = 0.0;
};

/// What made a video, so that it can be made again.
struct VideoMetadata {
  std::string bundle;  // the manifest's name
  std::string vidrt_version;
  std::string backend;  // with its version: "onnxruntime 1.32.0"
  std::string device;
  std::map<std::string, std::string> variants;  // module -> variant id
  std::string prompt;
  std::string negative_prompt;
  std::string image_sha256;  // of the image's values as they were given; empty where none was
  std::string video_sha256;  // of the clip that it started from, likewise
  double strength = 0.0;     // of the steps, the part that ran; 0 where no clip was given
  std::uint64_t seed = 0;
  int num_inference_steps = 0;  // as asked for
  double guidance_scale = 0.0;
  std::string scheduler;
  double step_cache = 0.0;         // threshold; 0 = every step ran the denoiser
  std::vector<int> skipped_steps;  // from 0: those that used an earlier prediction
  std::string guidance;            // "batched" | "sequential" | "off"
  std::string residency;           // "all" | "stage_by_stage"
  int decode_chunk = 0;
  PlannedTiles tiles;
  std::uint64_t arena_bytes = 0;
  std::vector<std::string> warnings;
};

/// RGB frames (num_frames, height, width, 3): `rgb` of the output type uint8, `rgb_float` in [0,1] of float32
/// (docs/frames.md). The other one is null, both are where keep_frames was false. Copies share the pixels.
struct VIDRT_API Video {
  std::shared_ptr<const std::vector<std::uint8_t>> rgb;
  std::shared_ptr<const std::vector<float>> rgb_float;
  int num_frames = 0;
  int height = 0;
  int width = 0;
  double fps = 0.0;
  VideoMetadata metadata;
  Timings timings;
};

}  // namespace vidrt
