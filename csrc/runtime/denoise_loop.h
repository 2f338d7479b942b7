// The sampling loop: denoiser runs and fused scheduler steps over the tensors of the arena.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/module_set.h"
#include "runtime/scheduler.h"
#include "runtime/step_cache.h"

namespace vidrt {

class DenoiseLoop {
 public:
  /// `tensors` has "condition" filled in where the first latent frame is given, "latents" (row 0 the sample; its first
  /// frame is then put in here) filled in. `text` is what fill_text() returned: the negative prompt in row 0 and the
  /// positive in row 1 (one row where guidance is off).
  DenoiseLoop(ModuleSet& modules, const ArenaTensors& tensors, const std::vector<NamedTensor>& text,
              const GenerationPlan& plan, const SchedulerTable& table, double guidance_scale);

  /// Run all steps; after_step(i) follows each and may throw to stop. `seed` is of the noise that steps add.
  void run(std::uint64_t seed, const std::function<void(int)>& after_step);
  /// The steps, from 0, in which the denoiser did not run: none without a step cache.
  std::vector<int> skipped_steps() const { return cache_ ? cache_->skipped() : std::vector<int>{}; }

 private:
  void condition();
  void run_denoiser();
  void put_noise(std::uint64_t seed, int step);

  ModuleSet& modules_;
  Device& device_;
  const ArenaTensors& tensors_;
  const GenerationPlan& plan_;
  const SchedulerTable& table_;
  StepTensors step_tensors_;
  std::optional<StepCache> cache_;
  // What each step's timestep is written to: all of the tensor, or all but the first latent frame of each row.
  std::vector<TensorView> timesteps_;
  // The bindings of each denoiser run of one step: one, or two where guidance is sequential.
  struct Binding {
    std::vector<NamedTensor> inputs;
    std::vector<NamedTensor> outputs;
  };
  std::vector<Binding> bindings_;
};

}  // namespace vidrt
