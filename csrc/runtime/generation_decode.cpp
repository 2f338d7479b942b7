// The last stage of a generation, and Pipeline::decode_latents, which has no other.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/decode_planner.h"
#include "runtime/decode_search.h"
#include "runtime/frame_stream.h"
#include "runtime/generation.h"
#include "vidrt/errors.h"
#include "vidrt/version.h"

namespace vidrt {
namespace {

void set_pixels(const std::uint8_t* rgb, FramesEvent* event) { event->rgb = rgb; }
void set_pixels(const float* rgb, FramesEvent* event) { event->rgb_float = rgb; }

}  // namespace

GenerationPlan plan_decode_only(const PipelineState& state, const DecodeOptions& options) {
  const Manifest& manifest = state.bundle.manifest();
  const ResolvedOptions resolved = resolve_decode_options(manifest, options);
  return plan_decode(manifest, state.modules, resolved, options.decode_chunk, state.limit()).plan;
}

Video Generation::decode_latents(const DecodeOptions& options) {
  const Manifest& manifest = state_.bundle.manifest();
  const ResolvedOptions resolved = resolve_decode_options(manifest, options);
  const MemoryLimit limit = state_.limit();
  const GenerationLayout layout = plan_decode(manifest, state_.modules, resolved, options.decode_chunk, limit);
  plan_ = layout.plan;
  warn_of_plan(resolved);
  const std::vector<std::string> decoders = decoder_modules(manifest.vae);
  describe_frames(resolved, decoders);
  const double session_ms_before = state_.modules.session_ms();

  // What an earlier generation left loaded counts against a limit as well.
  const bool alone =
      limit.is_budget ? limit.bytes != 0 : !limit.holds(layout.total_bytes() + state_.modules.held_bytes());
  if (plan_.residency == "all") load(decoders, layout, alone);
  state_.arena.reserve(static_cast<std::size_t>(plan_.arena_bytes));
  since_last_step_ = Stopwatch();
  const ArenaTensors tensors(state_.arena, layout);
  const TensorView& latents = tensors["latents"];
  device().copy_from_host(latents.data, options.latents.data, latents.bytes());
  decode(layout, tensors, latents, resolved.output, options.keep_frames);

  video_.timings.total = since_start_.elapsed_ms();
  video_.timings.session = state_.modules.session_ms() - session_ms_before;
  return std::move(video_);
}

void Generation::decode(const GenerationLayout& layout, const ArenaTensors& tensors, const TensorView& latents,
                        DType output, bool keep_frames) {
  const Stopwatch stopwatch;
  const double load_before = video_.timings.load;
  FrameStream stream(state_.modules, tensors, latents, plan_, state_.bundle.manifest().vae, output,
                     [&](const std::string& module) {
                       if (plan_.residency != "all") load({module}, layout, true);
                     });
  if (output == DType::kFloat32) {
    video_.rgb_float = take_frames<float>(&stream, keep_frames);
  } else {
    video_.rgb = take_frames<std::uint8_t>(&stream, keep_frames);
  }
  video_.timings.decode = stopwatch.elapsed_ms() - (video_.timings.load - load_before);
}

template <typename Pixel>
std::shared_ptr<const std::vector<Pixel>> Generation::take_frames(FrameStream* stream, bool keep_frames) {
  const std::size_t frame_size = static_cast<std::size_t>(plan_.height) * static_cast<std::size_t>(plan_.width) * 3;
  // Kept frames lie one after another; else one chunk's room is used again and again.
  std::vector<Pixel> rgb;
  if (keep_frames) rgb.reserve(frame_size * static_cast<std::size_t>(plan_.num_frames));
  announce(Stage::kDecode, 0, plan_.num_frames);
  int done = 0;
  while (!stream->finished()) {
    const int count = stream->next_frames();
    if (!keep_frames) rgb.clear();
    const std::size_t offset = rgb.size();
    rgb.resize(offset + frame_size * static_cast<std::size_t>(count));
    try {
      stream->decode_next(rgb.data() + offset);
    } catch (const OutOfMemory& error) {
      const bool has_tiles = plan_.tiles.rows * plan_.tiles.columns > 1;
      throw OutOfMemory(std::string(error.what()) + " Decode frames in " + (has_tiles ? "smaller " : "") +
                        "tiles, which take less: vae_tiling on, with tile_sample_min_height and " +
                        "tile_sample_min_width less than " + std::to_string(plan_.tiles.height) + " and " +
                        std::to_string(plan_.tiles.width) + ".");
    }
    if (done == 0) {
      video_.timings.first_frame = since_start_.elapsed_ms();
      video_.timings.last_step_to_first_frame = since_last_step_.elapsed_ms();
    }
    if (callbacks_.on_frames) {
      FramesEvent event{done, count, plan_.height, plan_.width, nullptr, nullptr};
      set_pixels(rgb.data() + offset, &event);
      callbacks_.on_frames(event);
    }
    done += count;
    announce(Stage::kDecode, done, plan_.num_frames);
    if (!stream->finished()) {
      check_cancelled("after frame " + std::to_string(done) + " of " + std::to_string(plan_.num_frames));
    }
  }
  return keep_frames ? std::make_shared<const std::vector<Pixel>>(std::move(rgb)) : nullptr;
}

void Generation::warn_of_plan(const ResolvedOptions& resolved) {
  for (const std::string& warning : resolved.warnings) warn(warning);
  const PlannedTiles& tiles = plan_.tiles;
  if (resolved.vae_tiling != "auto" || tiles.rows * tiles.columns == 1) return;
  warn("frames are decoded in " + std::to_string(tiles.rows) + "x" + std::to_string(tiles.columns) + " tiles of " +
       std::to_string(tiles.width) + "x" + std::to_string(tiles.height) +
       " pixels, because whole ones do not fit the memory; vae_tiling off refuses instead.");
}

void Generation::describe_frames(const ResolvedOptions& resolved, const std::vector<std::string>& modules) {
  video_.num_frames = resolved.num_frames;
  video_.height = resolved.height;
  video_.width = resolved.width;
  video_.fps = resolved.fps;
  VideoMetadata& metadata = video_.metadata;
  metadata.bundle = state_.bundle.manifest().name;
  metadata.vidrt_version = VIDRT_VERSION;
  metadata.backend = state_.modules.backend().description();
  metadata.device = state_.options.device;
  for (const std::string& module : modules) metadata.variants[module] = state_.modules.variant(module).id;
  metadata.residency = plan_.residency;
  metadata.decode_chunk = plan_.decode_chunk;
  metadata.tiles = plan_.tiles;
  metadata.arena_bytes = plan_.arena_bytes;
}

}  // namespace vidrt
