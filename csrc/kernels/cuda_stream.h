// What the launchers of CUDA kernels take and return, without CUDA's headers: the stream is only passed on.
#pragma once

struct CUstream_st;  // what a cudaStream_t points to

namespace vidrt::kernels {

using CudaStream = CUstream_st*;  // cudaStream_t
using CudaError = int;            // a cudaError_t, whose enumeration cannot be declared ahead; 0 is cudaSuccess

}  // namespace vidrt::kernels
