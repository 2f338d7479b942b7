#include "kernels/cpu_isa.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace vidrt::kernels {
namespace {

constexpr Isa kFromBest[] = {Isa::kAvx512, Isa::kAvx2, Isa::kNeon, Isa::kGeneric};

Isa choose() {
  const char* wanted = std::getenv("VIDRT_ISA");
  std::string available;
  for (const Isa isa : kFromBest) {
    if (kernels_of(isa) == nullptr) continue;
    if (wanted == nullptr || *wanted == '\0' || std::string(wanted) == to_string(isa)) return isa;
    available += (available.empty() ? "" : ", ") + std::string(to_string(isa));
  }
  throw std::invalid_argument(std::string("VIDRT_ISA: got '") + wanted +
                              "', expected one that this processor has: " + available + "; unset it for the best.");
}

}  // namespace

const char* to_string(Isa isa) {
  switch (isa) {
    case Isa::kGeneric:
      return "generic";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
  }
  return "unknown";
}

const CpuKernels* kernels_of(Isa isa) {
  switch (isa) {
    case Isa::kGeneric:
      return &kGenericKernels;
#if defined(__x86_64__)
    // These ask the operating system too whether it saves the wide registers.
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kAvx2Kernels : nullptr;
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                 ? &kAvx512Kernels
                 : nullptr;
#elif defined(__aarch64__)
    case Isa::kNeon:
      return &kNeonKernels;
#endif
    default:
      return nullptr;
  }
}

Isa cpu_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace vidrt::kernels
