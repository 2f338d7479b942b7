#include "runtime/generation_planner.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "runtime/decode_planner.h"
#include "runtime/symbols.h"

namespace vidrt {
namespace {

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

}  // namespace

GenerationLayout plan_generation(const Manifest& manifest, const ModuleSet& modules, const ResolvedOptions& resolved,
                                 const SchedulerTable& table, int chunk, std::uint64_t memory_budget) {
  GenerationPlan base = plan_of_sizes(resolved);
  base.num_inference_steps = resolved.num_inference_steps;
  base.decode_chunk = decode_chunk(manifest.vae, resolved.latent_frames, chunk);

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
  fail_over_budget("even with one stage loaded at a time this generation", smallest, memory_budget,
                   "lower height, width or num_frames");
}

}  // namespace vidrt
