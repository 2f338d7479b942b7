// Latents to the calls of a decoder that turn them into frames, and what these calls need.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/layout_builder.h"
#include "runtime/module_set.h"
#include "runtime/resolved_options.h"
#include "runtime/symbols.h"

namespace vidrt {

/// One run of a decoder. A decoder of form "whole" that is run over parts of a clip is given more than is asked of it,
/// and what it makes of that is dropped.
struct DecodeCall {
  int latent = 0;  // the first latent frame whose frames are wanted
  int count = 0;   // how many
  int given = 0;   // the first latent frame that the decoder is given
  int given_count = 0;
  int frames = 0;   // that the decoder gives
  int skipped = 0;  // of them, before the wanted ones
  int wanted = 0;
};

/// Names of the modules that decode this bundle's latents, in the order in which they run.
std::vector<std::string> decoder_modules(const VaeConfig& vae);

/// The frames that a clip of `latent_frames` latent frames has, and the latent frames that `num_frames` frames have.
int frames_of_clip(const VaeConfig& vae, int latent_frames);
int latent_frames_of_clip(const VaeConfig& vae, int num_frames);

/// The latent frames a call decodes: `asked`, or the least where it is 0; all of them where the decoder can do no less
/// or need not. Throws InvalidArgument for a chunk that the decoder cannot do.
int decode_chunk(const VaeConfig& vae, int latent_frames, int asked);

/// The calls that decode a clip, each `chunk` latent frames (a causal decoder's first call: 1).
std::vector<DecodeCall> decode_calls(const VaeConfig& vae, int latent_frames, int chunk);

/// Symbols of the manifest's shapes for a call of the decoder on one of the plan's tiles.
SymbolValues decode_symbols(const GenerationPlan& plan, const DecodeCall& call);

/// Tilings in which frames may be decoded, the best first.
std::vector<PlannedTiles> tilings(const ResolvedOptions& resolved);

/// For a message about memory: to turn tiling on, where it was off and where that `fits`; else nothing. What `fits` is
/// given are the options with it on.
std::string tiles_remedy(const ResolvedOptions& resolved, const std::function<bool(const ResolvedOptions&)>& fits);

/// Sizes of a plan, latents included.
GenerationPlan plan_of_sizes(const ResolvedOptions& resolved);

/// Add the decoder and what decoding plan.latent_frames in chunks of plan.decode_chunk and in plan.tiles needs, the
/// latents themselves aside. Returns the bytes of its weights that are on the device.
std::uint64_t add_decoder(LayoutBuilder& builder, const Manifest& manifest, const ModuleSet& modules,
                          const GenerationPlan& plan);

}  // namespace vidrt
