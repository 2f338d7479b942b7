// What one instruction set's translation unit offers.
#pragma once

#include "kernels/cpu/depthwise_job.h"
#include "kernels/cpu/separable_job.h"
#include "kernels/cpu/winograd_job.h"

namespace vidrt::kernels {

struct CpuKernels {
  int lanes;
  /// Units [begin, end) of a job, with job.scratch_floats floats of scratch, 64-byte aligned.
  void (*depthwise)(const DepthwiseJob& job, std::int64_t begin, std::int64_t end, float* scratch);
  void (*separable)(const SeparableJob& job, std::int64_t begin, std::int64_t end, float* scratch);
  WinogradKernels winograd;
};

// Which of them exist depends on the architecture that is compiled for.
extern const CpuKernels kGenericKernels;
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
extern const CpuKernels kNeonKernels;

}  // namespace vidrt::kernels
