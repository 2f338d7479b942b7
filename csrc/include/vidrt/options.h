// What a caller sets: plain structs with defaults, checked once, before anything heavy starts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vidrt/prompt_embeds.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// How a bundle is opened.
struct PipelineOptions {
  std::string backend = "auto";     // auto | onnxruntime | onnxruntime-cuda | tensorrt | tensorrt-rtx
  std::string device;               // cpu | cuda:N; empty = what the backend runs on: cpu, or cuda:0
  int threads = 0;                  // compute threads; 0 = one per physical core
  std::uint64_t memory_budget = 0;  // bytes for weights and arena together; 0 = no limit
  bool cuda_graphs = true;          // TensorRT: record runs that repeat, and replay them at the cost of one launch
  // Bytes that embeddings of prompts may take in the user's cache folder, where later processes find them; 0 = none.
  std::uint64_t embeds_cache = 0;
  // Time every layer of every run, for Pipeline::take_layer_profile(). Slower: TensorRT waits for each run and replays
  // none as a CUDA graph, ONNX Runtime writes events. Not with onnxruntime-cuda, which times launches alone.
  bool profile_layers = false;
  std::string variant;  // variant id to insist on where a module has it; empty = the first that can run
};

/// Decoding frames in tiles that overlap and are blended, so that the decoder's activations stay small
/// (docs/vae_tiling.md). Names are those of diffusers; sizes in pixels, multiples of the bundle's spatial ratio.
struct VaeTiling {
  std::string mode = "auto";          // on | off | auto: where whole frames do not fit the memory that the plan has
  int tile_sample_min_height = 0;     // of a tile; 0 = 256, or the nearest below that the bundle takes
  int tile_sample_min_width = 0;      // likewise
  int tile_sample_stride_height = 0;  // from a tile to the next, at most; 0 = three quarters of the tile
  int tile_sample_stride_width = 0;   // likewise
};

/// What to generate. Unset values take the bundle's defaults. Names are those of diffusers.
struct GenerateOptions {
  std::string prompt;
  std::optional<std::string> negative_prompt;
  std::optional<int> height;  // pixels
  std::optional<int> width;   // pixels
  std::optional<int> num_frames;
  std::optional<int> num_inference_steps;
  std::optional<double> guidance_scale;
  std::optional<std::uint64_t> seed;  // unset = drawn at random and recorded in Video::metadata
  std::optional<double> fps;          // written to the video's metadata only
  std::string scheduler;              // empty = the bundle's; else one of docs/schedulers.md
  // The change of a prediction, in parts of it, up to which it is used again; 0 = the denoiser runs in every step.
  double step_cache = 0.0;
  bool truncate = false;  // cut an overlong prompt instead of refusing it
  int decode_chunk = 0;   // latent frames a decode call takes; 0 = chosen by the plan
  VaeTiling vae_tiling;
  // uint8 | float32: the same frames, not rounded, in [0,1] (docs/frames.md).
  std::string output_type = "uint8";
  bool keep_frames = true;  // false: frames go to on_frames only, and memory stays flat with their number
  // Initial noise instead of the seed's: (C,T,h,w) or (1,C,T,h,w) float32 at sigma 1, read only, not kept.
  std::optional<TensorView> latents;
  // What the clip begins with, where the bundle takes one (image_conditioning): of the video's height and width,
  // (H,W,3) uint8 RGB or (3,H,W) float32 in [-1,1]; read only, not kept.
  std::optional<TensorView> image;
  // What the clip starts from (docs/video_to_video.md), where the bundle can encode one: (num_frames,height,width,3)
  // uint8 RGB, read only, not kept.
  std::optional<TensorView> video;
  // How much of the way the video goes, from 0 to 1: of the steps, this part is run, on `video` with as much noise as
  // belongs there. Unset = 0.6; only with `video`.
  std::optional<double> strength;
  // Given embeddings replace the prompts and the text encoder. Kept alive by the caller during generate().
  const PromptEmbeds* prompt_embeds = nullptr;
  const PromptEmbeds* negative_prompt_embeds = nullptr;
};

/// What to decode, with a bundle of a decoder alone or with any other.
struct DecodeOptions {
  TensorView latents;         // (C,T,h,w) or (1,C,T,h,w) float32, in the space of the denoiser; read only, not kept
  std::optional<double> fps;  // written to the video's metadata only
  int decode_chunk = 0;       // latent frames a decode call takes; 0 = chosen by the plan
  VaeTiling vae_tiling;
  std::string output_type = "uint8";  // uint8 | float32, as in GenerateOptions
  bool keep_frames = true;            // false: frames go to on_frames only
};

}  // namespace vidrt
