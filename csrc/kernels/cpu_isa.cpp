#include "kernels/cpu_isa.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace vidrt::kernels {
namespace {

constexpr Isa kFromBest[] = {Isa::kAmx, Isa::kAvx512, Isa::kAvx2, Isa::kNeon, Isa::kGeneric};

#if defined(__x86_64__)
// Tiles, products of bfloat16, and the AVX-512 instructions that make bfloat16. Linux saves tile registers of processes
// that ask for it (Documentation/arch/x86/xstate.rst).
bool has_amx() {
#if defined(__linux__)
  static const bool granted = [] {
    constexpr unsigned kBFloat16Tiles = 1U << 22U;  // of EDX
    constexpr unsigned kTiles = 1U << 24U;
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
    if ((edx & kBFloat16Tiles) == 0 || (edx & kTiles) == 0 || !__builtin_cpu_supports("avx512bf16")) return false;
    constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return granted;
#else
  return false;
#endif
}
#endif

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
    case Isa::kAmx:
      return "amx";
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
    case Isa::kAmx:  // tiles are for products; all else is as with AVX-512
      return has_amx() ? kernels_of(Isa::kAvx512) : nullptr;
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
