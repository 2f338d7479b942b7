#include "runtime/generation_planner.h"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <utility>

#include "runtime/memory_plan.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kDefaultDecodeChunk = 1;  // latent frames: the least memory, and the earliest first frame

// Collects the tensors of a layout, then places them.
class LayoutBuilder {
 public:
  void add(std::string name, DType dtype, Shape shape, int first, int last) {
    TensorView sized{nullptr, dtype, shape};
    wanted_.push_back({name, sized.bytes(), first, last});
    layout_.tensors.push_back({{std::move(name), wanted_.back().bytes, 0, first, last}, dtype, std::move(shape)});
  }

  GenerationLayout finish(GenerationPlan plan) {
    const MemoryPlan placed = plan_memory(wanted_);
    plan.arena_bytes = placed.arena_bytes;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      layout_.tensors[i].place.offset = placed.offsets[i];
      plan.tensors.push_back(layout_.tensors[i].place);
      plan.unshared_bytes += (wanted_[i].bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    }
    layout_.plan = std::move(plan);
    return std::move(layout_);
  }

 private:
  std::vector<PlanTensor> wanted_;
  GenerationLayout layout_;
};

std::int64_t embeds_dim(const Variant& denoiser) {
  const TensorSpec* embeds = find_tensor(denoiser.inputs, "text_embeds");
  return evaluate_dimension(embeds->shape.at(2), {});
}

void add_denoise_tensors(LayoutBuilder& builder, const Manifest& manifest, const Variant& denoiser,
                         const GenerationPlan& plan, const SchedulerTable& table) {
  const std::int64_t prompts = plan.guidance == "off" ? 1 : 2;
  const std::int64_t batch = plan.guidance == "batched" ? 2 : 1;
  const Shape latents{1, manifest.vae.latent_channels, plan.latent_frames, plan.latent_height, plan.latent_width};
  Shape batched = latents;
  batched[0] = batch;
  Shape predictions = latents;
  predictions[0] = prompts;
  // Row 0 of `latents` is the sample itself; it lives on as the decoder's input.
  builder.add("latents", DType::kFloat32, batched, kPlanDenoise, kPlanDecodeNext);
  builder.add("prediction", DType::kFloat32, predictions, kPlanDenoise, kPlanDenoise);
  builder.add("timestep", DType::kFloat32, {batch, plan.latent_frames}, kPlanDenoise, kPlanDenoise);
  builder.add("text_embeds", DType::kFloat32, {prompts, manifest.text_length, embeds_dim(denoiser)}, kPlanDenoise,
              kPlanDenoise);
  if (find_tensor(denoiser.inputs, "text_mask") != nullptr) {
    builder.add("text_mask", DType::kInt64, {prompts, manifest.text_length}, kPlanDenoise, kPlanDenoise);
  }
  if (table.needs_prev_sample) builder.add("prev_sample", DType::kFloat32, latents, kPlanDenoise, kPlanDenoise);
  for (int i = 0; i < table.num_history; ++i) {
    builder.add("history_" + std::to_string(i), DType::kFloat32, latents, kPlanDenoise, kPlanDenoise);
  }
}

void add_decode_tensors(LayoutBuilder& builder, const Manifest& manifest, const ModuleSet& modules,
                        const GenerationPlan& plan) {
  const VaeConfig& vae = manifest.vae;
  const auto frames_shape = [&](int latent_frames, bool from_start) {
    return Shape{1, 3, decoded_frames(vae, latent_frames, from_start), plan.height, plan.width};
  };
  // The decoder takes a contiguous (1,C,k,h,w), a slice of `latents` along T; hence the copy.
  const int first = first_chunk_frames(vae, plan);
  const int rest = plan.latent_frames - first;
  const Shape latents{1, vae.latent_channels, std::max(first, std::min(plan.decode_chunk, rest)), plan.latent_height,
                      plan.latent_width};
  builder.add("decode_latents", DType::kFloat32, latents, kPlanDecodeFirst, kPlanDecodeNext);
  builder.add("frames_first", DType::kFloat32, frames_shape(first, true), kPlanDecodeFirst, kPlanDecodeFirst);
  if (rest > 0) {
    builder.add("frames_next", DType::kFloat32, frames_shape(std::min(plan.decode_chunk, rest), false),
                kPlanDecodeNext, kPlanDecodeNext);
  }
  if (vae.form != "causal") return;
  const SymbolValues symbols = decode_symbols(vae, plan, first, true);
  for (const TensorSpec& spec : modules.variant("vae_decoder_first").outputs) {
    if (spec.name.rfind("cache_out_", 0) != 0) continue;
    const std::string index = spec.name.substr(10);
    const Shape shape = evaluate_shape(spec, symbols);
    // Two banks: a step reads one and writes the other, so no cache is ever copied.
    builder.add("cache_a_" + index, spec.dtype, shape, kPlanDecodeFirst, kPlanDecodeNext);
    if (rest > 0) builder.add("cache_b_" + index, spec.dtype, shape, kPlanDecodeNext, kPlanDecodeNext);
  }
}

// Decoder steps share one set of weights, so of several modules of a stage the largest counts.
std::uint64_t stage_weights(const ModuleSet& modules, const std::vector<std::string>& names) {
  std::uint64_t bytes = 0;
  for (const std::string& name : names) bytes = std::max(bytes, loaded_weight_bytes(modules.variant(name)));
  return bytes;
}

// "1234567 bytes (1.2 MiB)": exact, because a budget may miss by little.
std::string byte_string(std::uint64_t bytes) {
  std::ostringstream text;
  text << bytes << " bytes (" << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (1024.0 * 1024.0)
       << " MiB)";
  return text.str();
}

}  // namespace

std::vector<std::string> decoder_modules(const VaeConfig& vae) {
  if (vae.form == "causal") return {"vae_decoder_first", "vae_decoder_next"};
  return {"vae_decoder"};
}

int first_chunk_frames(const VaeConfig& vae, const GenerationPlan& plan) {
  if (vae.form == "causal") return 1;
  return std::min(plan.decode_chunk, plan.latent_frames);
}

int decoded_frames(const VaeConfig& vae, int latent_frames, bool from_start) {
  const bool single_first = vae.form == "causal" && from_start;
  return single_first ? (latent_frames - 1) * vae.temporal_ratio + 1 : latent_frames * vae.temporal_ratio;
}

SymbolValues decode_symbols(const VaeConfig& vae, const GenerationPlan& plan, int latent_frames, bool from_start) {
  return {{"B", 1},
          {"T", latent_frames},
          {"k", latent_frames},
          {"h", plan.latent_height},
          {"w", plan.latent_width},
          {"F", decoded_frames(vae, latent_frames, from_start)},
          {"H", plan.height},
          {"W", plan.width}};
}

std::uint64_t loaded_weight_bytes(const Variant& variant) {
  const bool widened = variant.precision == "fp32" && variant.storage != "fp32";
  return variant.weight_bytes * (widened ? 2 : 1);
}

GenerationLayout plan_generation(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                                 const SchedulerTable& table, int decode_chunk, std::uint64_t memory_budget) {
  GenerationPlan base;
  base.height = resolved.height;
  base.width = resolved.width;
  base.num_frames = resolved.num_frames;
  base.latent_frames = resolved.latent_frames;
  base.latent_height = resolved.latent_height;
  base.latent_width = resolved.latent_width;
  base.num_inference_steps = resolved.num_inference_steps;
  base.stages = {"denoise", "decode_first", "decode_next"};
  // A decoder that needs the whole clip cannot be given less.
  base.decode_chunk = manifest.vae.form == "whole" ? resolved.latent_frames
                                                   : (decode_chunk == 0 ? kDefaultDecodeChunk : decode_chunk);
  if (manifest.vae.form == "whole" && decode_chunk != 0 && decode_chunk != resolved.latent_frames) {
    throw InvalidArgument("decode_chunk is " + std::to_string(decode_chunk) +
                          ", but this bundle's decoder needs all " + std::to_string(resolved.latent_frames) +
                          " latent frames at once; leave decode_chunk out.");
  }

  const std::uint64_t text_encoder = stage_weights(modules, {"text_encoder"});
  const std::uint64_t denoiser = stage_weights(modules, {"denoiser"});
  const std::uint64_t decoder = stage_weights(modules, decoder_modules(manifest.vae));
  const std::uint64_t resident = text_encoder + denoiser + decoder;
  const std::uint64_t staged = std::max({text_encoder, denoiser, decoder});

  std::uint64_t smallest = 0;
  const std::vector<std::string> guidance_choices =
      resolved.guided ? std::vector<std::string>{"batched", "sequential"} : std::vector<std::string>{"off"};
  for (const auto& [residency, weights] : {std::pair{"all", resident}, std::pair{"stage_by_stage", staged}}) {
    for (const std::string& guidance : guidance_choices) {
      GenerationPlan plan = base;
      plan.residency = residency;
      plan.weight_bytes = weights;
      plan.guidance = guidance;
      LayoutBuilder builder;
      add_denoise_tensors(builder, manifest, modules.variant("denoiser"), plan, table);
      add_decode_tensors(builder, manifest, modules, plan);
      GenerationLayout layout = builder.finish(plan);
      smallest = layout.plan.arena_bytes + weights;
      if (memory_budget == 0 || smallest <= memory_budget) return layout;
    }
  }
  throw OutOfMemory("this generation needs at least " + byte_string(smallest) +
                    " for weights and tensors even with one stage loaded at a time, but memory_budget is " +
                    byte_string(memory_budget) + "; raise the budget, or lower height, width or num_frames.");
}

}  // namespace vidrt
