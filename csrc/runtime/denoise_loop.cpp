#include "runtime/denoise_loop.h"

#include <string>

#include "runtime/philox.h"

namespace vidrt {
namespace {

const char* history_name(int index) {
  static constexpr const char* kNames[kMaxHistory] = {"history_0", "history_1", "history_2"};
  return kNames[index];
}

}  // namespace

DenoiseLoop::DenoiseLoop(ModuleSet& modules, const ArenaTensors& tensors, const std::vector<NamedTensor>& text,
                         const GenerationPlan& plan, const SchedulerTable& table, double guidance_scale)
    : modules_(modules), device_(modules.backend().device()), tensors_(tensors), plan_(plan), table_(table) {
  const TensorView& latents = tensors["latents"];
  const TensorView& prediction = tensors["prediction"];
  const bool guided = plan.guidance != "off";
  const bool batched = plan.guidance == "batched";

  step_tensors_.sample = row(latents, 0).as<float>();
  step_tensors_.sample_copy = batched ? row(latents, 1).as<float>() : nullptr;
  step_tensors_.output_negative = guided ? row(prediction, 0).as<float>() : nullptr;
  step_tensors_.output_positive = row(prediction, guided ? 1 : 0).as<float>();
  step_tensors_.guidance_scale = static_cast<float>(guidance_scale);
  step_tensors_.prev_sample = table.needs_prev_sample ? tensors["prev_sample"].as<float>() : nullptr;
  for (int i = 0; i < table.num_history; ++i) {
    step_tensors_.history[static_cast<std::size_t>(i)] = tensors[history_name(i)].as<float>();
  }
  step_tensors_.count = row(latents, 0).elements();
  timesteps_ = {tensors["timestep"]};
  if (plan.image_conditioning != "none") condition();
  if (plan.step_cache > 0.0) cache_.emplace(device_, tensors, plan.step_cache, plan.num_inference_steps);

  const int runs = plan.guidance == "sequential" ? 2 : 1;
  for (int i = 0; i < runs; ++i) {
    const auto part = [&](const TensorView& tensor) { return runs == 2 ? row(tensor, i) : tensor; };
    Binding binding;
    binding.inputs = {{"latents", latents}, {"timestep", tensors["timestep"]}};
    for (const NamedTensor& input : text) binding.inputs.push_back({input.name, part(input.view)});
    binding.outputs = {{"prediction", part(prediction)}};
    bindings_.push_back(binding);
  }
}

// The first latent frame is the image's and has no noise in it: its timestep is 0.
void DenoiseLoop::condition() {
  const TensorView& latents = tensors_["latents"];
  const TensorView& condition = tensors_["condition"];
  const std::size_t frame_bytes = condition.bytes() / static_cast<std::size_t>(condition.shape[1]);
  const auto frames = static_cast<std::size_t>(latents.shape[2]);
  step_tensors_.first_frame = {condition.as<float>(), latents.shape[2], latents.shape[3] * latents.shape[4]};
  const TensorView timestep = tensors_["timestep"];
  device_.fill(timestep, 0.0f);
  timesteps_.clear();
  for (std::int64_t i = 0; i < latents.shape[0]; ++i) {
    device_.copy_rows(row(latents, i).data, frames * frame_bytes, condition.data, frame_bytes, frame_bytes,
                      static_cast<std::size_t>(latents.shape[1]));
    timesteps_.push_back({row(timestep, i).as<float>() + 1, DType::kFloat32, {timestep.shape[1] - 1}});
  }
}

void DenoiseLoop::run_denoiser() {
  for (const Binding& binding : bindings_) {
    modules_.run("denoiser", binding.inputs, binding.outputs, tensors_.workspace(kPlanDenoise));
  }
}

void DenoiseLoop::put_noise(std::uint64_t seed, int step) {
  const auto oldest = static_cast<std::size_t>(table_.num_history - 1);
  if (table_.steps[static_cast<std::size_t>(step)].p_history[oldest] == 0.0) return;  // the last step adds none
  std::vector<float> noise(static_cast<std::size_t>(step_tensors_.count));
  fill_standard_normal_range(seed, 0, step_tensors_.count, noise.data(), static_cast<std::uint32_t>(step) + 1);
  device_.copy_from_host(step_tensors_.history[oldest], noise.data(), noise.size() * sizeof(float));
}

void DenoiseLoop::run(std::uint64_t seed, const std::function<void(int)>& after_step) {
  for (int step = 0; step < plan_.num_inference_steps; ++step) {
    const auto timestep = static_cast<float>(table_.steps[static_cast<std::size_t>(step)].timestep);
    for (const TensorView& frames : timesteps_) device_.fill(frames, timestep);
    if (!cache_) {
      run_denoiser();
    } else if (cache_->must_run(step)) {
      cache_->before_run();
      run_denoiser();
      cache_->after_run();
    }
    if (table_.adds_noise) put_noise(seed, step);
    device_.apply_step(table_, step, step_tensors_);
    rotate_history(table_, step_tensors_);
    device_.end_step();
    after_step(step);
  }
}

}  // namespace vidrt
