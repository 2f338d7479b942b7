// The language that the kernels are written in: accesses, barriers and conversions that nvcc compiles to single
// instructions, and that a host compiler checks one by one (tests/cuda_host/device.h). The only file that asks which.
#pragma once

#ifdef __CUDACC__
#include "kernels/cuda/device_gpu.cuh"
#else
#include "cuda_host/device.h"
#endif
