// Which instruction set the processor's kernels use.
#pragma once

#include "kernels/cpu/kernel_table.h"

namespace vidrt::kernels {

/// Instruction sets that the kernels are compiled for; which exist depends on the processor's architecture.
enum class Isa { kGeneric, kAvx2, kAvx512, kAmx, kNeon };  // kAmx: AVX-512 and the tiles of AMX with bfloat16

const char* to_string(Isa isa);

/// The best that the processor has, or what the environment variable VIDRT_ISA names (generic, avx2, avx512, amx,
/// neon).
/// Decided once. Throws std::invalid_argument for a name that is unknown, or that this processor does not have.
Isa cpu_isa();

/// The kernels of an instruction set, or null where this processor does not have it.
const CpuKernels* kernels_of(Isa isa);

}  // namespace vidrt::kernels
