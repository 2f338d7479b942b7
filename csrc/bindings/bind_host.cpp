// Facts about this build and this machine that only compiled code knows, for `vidrt doctor`.
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings/bindings.h"
#include "kernels/cpu_isa.h"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

// Those that matter to matrix products and convolutions.
std::vector<std::string> cpu_features() {
  std::vector<std::string> features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) features.emplace_back("avx2");
  if (__builtin_cpu_supports("fma")) features.emplace_back("fma");
  if (__builtin_cpu_supports("avx512f")) features.emplace_back("avx512f");
  if (__builtin_cpu_supports("avx512bw")) features.emplace_back("avx512bw");
  if (__builtin_cpu_supports("avx512vnni")) features.emplace_back("avx512vnni");
#elif defined(__aarch64__) && defined(__linux__)
  const unsigned long hwcap = getauxval(AT_HWCAP);
  if ((hwcap & HWCAP_ASIMD) != 0) features.emplace_back("neon");
  if ((hwcap & HWCAP_ASIMDDP) != 0) features.emplace_back("dotprod");
  if ((hwcap & HWCAP_FPHP) != 0) features.emplace_back("fp16");
  if ((hwcap & HWCAP_SVE) != 0) features.emplace_back("sve");
#endif
  return features;
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const kernels::Isa isa : {kernels::Isa::kAmx, kernels::Isa::kAvx512, kernels::Isa::kAvx2, kernels::Isa::kNeon}) {
    if (kernels::kernels_of(isa) != nullptr) names.emplace_back(kernels::to_string(isa));
  }
  names.emplace_back(kernels::to_string(kernels::Isa::kGeneric));
  return names;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "gcc " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

void bind_host(py::module_& m) {
  m.def("cpu_features", &cpu_features);
  m.def("instruction_sets", &instruction_sets);
  m.def("instruction_set", [] { return kernels::to_string(kernels::cpu_isa()); });
  m.def("compiler", &compiler);
#if defined(NDEBUG)
  m.attr("assertions") = false;
#else
  m.attr("assertions") = true;
#endif
}

}  // namespace vidrt::bindings
