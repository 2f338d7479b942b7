// Compiled once for every instruction set, with VIDRT_ISA, VIDRT_LANES and its flags.
#include "kernels/cpu/depthwise_units.h"
#include "kernels/cpu/kernel_table.h"

namespace vidrt::kernels {

const CpuKernels VIDRT_ISA = {kLanes, run_depthwise};

}  // namespace vidrt::kernels
