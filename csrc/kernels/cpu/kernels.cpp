// Compiled once for every instruction set, with VIDRT_ISA, VIDRT_LANES and its flags.
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/separable_units.h"
#include "kernels/cpu/winograd_units.h"

namespace vidrt::kernels {

const CpuKernels VIDRT_ISA = {
    kLanes,
    run_depthwise,
    run_separable,
    {kTilePanel, winograd_scratch_floats, winograd_weights, winograd_input, winograd_multiply, winograd_output},
};

}  // namespace vidrt::kernels
