// The instruction sets that vector kernels are tested with.
#pragma once

#include "kernels/cpu_isa.h"

namespace vidrt::kernels::testing {

#if defined(__aarch64__)
constexpr Isa kIsasOfTheArchitecture[] = {Isa::kGeneric, Isa::kNeon};
#else
constexpr Isa kIsasOfTheArchitecture[] = {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512};
#endif

}  // namespace vidrt::kernels::testing
