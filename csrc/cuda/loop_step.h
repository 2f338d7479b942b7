// A scheduler's step as the kernel takes it.
#pragma once

#include "kernels/loop/loop_kernels.h"
#include "runtime/scheduler.h"

namespace vidrt {

kernels::LoopStep make_loop_step(const SchedulerTable& table, int step, const StepTensors& tensors);

}  // namespace vidrt
