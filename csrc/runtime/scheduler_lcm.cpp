// The sampling of latent consistency models (Luo, Tan, Huang, Li and Zhao, "Latent consistency models: synthesizing
// high-resolution images with few-step inference", 2023, arXiv:2310.04378, algorithm 3), which DMD's students are
// sampled by as well: predict x0, then put fresh noise of the next level in.
#include "runtime/scheduler_algorithms.h"

namespace vidrt {

SchedulerTable make_lcm_table(const LcmConfig& config, const StepSpan& steps) {
  const SolverGrid grid = flow_solver_grid(flow_match_grid(config.time, steps.count));
  SchedulerTable table;
  table.name = "lcm";
  begin_table(grid, steps.first, &table);
  table.adds_noise = true;
  table.num_history = 1;
  for (auto i = static_cast<std::size_t>(steps.first); i < grid.timesteps.size(); ++i) {
    const NoiseLevel& next = grid.levels[i + 1];
    StepCoefficients step;
    step.timestep = grid.timesteps[i];
    set_data_prediction(std::nullopt, grid.levels[i], &step);
    step.p_m = next.alpha;
    step.p_history[0] = next.sigma;
    table.steps.push_back(step);
  }
  return table;
}

}  // namespace vidrt
