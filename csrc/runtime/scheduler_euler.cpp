// Euler's method for dx/dsigma = v: x <- x + (sigma' - sigma) v.
#include "runtime/scheduler_algorithms.h"

namespace vidrt {

SchedulerTable make_euler_table(const EulerConfig& config, const StepSpan& steps) {
  const SolverGrid grid = flow_solver_grid(flow_match_grid(config.time, steps.count));
  SchedulerTable table;
  table.name = "euler";
  begin_table(grid, steps.first, &table);
  for (auto i = static_cast<std::size_t>(steps.first); i < grid.timesteps.size(); ++i) {
    StepCoefficients step;
    step.timestep = grid.timesteps[i];
    step.to_m_output = 1.0;
    step.p_sample = 1.0;
    step.p_m = grid.sigmas[i + 1] - grid.sigmas[i];
    table.steps.push_back(step);
  }
  return table;
}

}  // namespace vidrt
