// Runs one depthwise convolution some times and does nothing else: benchmarks/neon_instructions.py counts what it
// takes. vidrt_kernel_once plain|generic|neon|avx2|avx512 RUNS kT kH kW C T H W
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/depthwise_conv3d_cpu.h"

namespace {

using namespace vidrt::kernels;

// As anybody would write it: zeros around the picture, causal in time.
void plain_loops(const DepthwiseConv3dProblem& p, const float* x, const float* weight, const float* bias, float* y) {
  const auto [kt, kh, kw] = p.kernel;
  for (std::int64_t c = 0; c < p.x.c; ++c) {
    for (std::int64_t t = 0; t < p.x.t; ++t) {
      for (std::int64_t h = 0; h < p.x.h; ++h) {
        for (std::int64_t w = 0; w < p.x.w; ++w) {
          float sum = bias[c];
          for (std::int64_t i = 0; i < kt; ++i) {
            const std::int64_t ti = t + i - kt + 1;
            if (ti < 0) continue;
            for (std::int64_t j = 0; j < kh; ++j) {
              const std::int64_t hj = h + j - kh / 2;
              if (hj < 0 || hj >= p.x.h) continue;
              for (std::int64_t k = 0; k < kw; ++k) {
                const std::int64_t wk = w + k - kw / 2;
                if (wk < 0 || wk >= p.x.w) continue;
                sum += x[((c * p.x.t + ti) * p.x.h + hj) * p.x.w + wk] * weight[((c * kt + i) * kh + j) * kw + k];
              }
            }
          }
          y[((c * p.x.t + t) * p.x.h + h) * p.x.w + w] = sum;
        }
      }
    }
  }
}

Isa isa_named(const std::string& name) {
  for (const Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512, Isa::kNeon}) {
    if (name == to_string(isa) && kernels_of(isa) != nullptr) return isa;
  }
  throw std::invalid_argument("this processor has no '" + name + "'");
}

void run(const std::string& form, int runs, const std::int64_t (&sizes)[7]) {
  DepthwiseConv3dAttributes attributes;
  attributes.temporal_padding = TemporalPadding::kCausal;
  DepthwiseConv3dInputs inputs;
  inputs.x = {1, sizes[3], sizes[4], sizes[5], sizes[6]};
  inputs.weight = {sizes[3], 1, sizes[0], sizes[1], sizes[2]};
  inputs.bias = sizes[3];
  const DepthwiseConv3dProblem problem = make_depthwise_conv3d_problem(attributes, ElementType::kFloat32, inputs);
  std::vector<float> x(static_cast<std::size_t>(problem.x.elements()), 0.5f);
  std::vector<float> y(x.size());
  const std::vector<float> weight(static_cast<std::size_t>(sizes[0] * sizes[1] * sizes[2] * sizes[3]), 0.1f);
  const std::vector<float> bias(static_cast<std::size_t>(sizes[3]), 1.0f);
  const PackedDepthwise packed = pack_depthwise(problem.kernel, problem.x.c, problem.type, weight.data(), bias.data());
  DepthwiseConv3dTensors tensors;
  tensors.x = x.data();
  tensors.y = y.data();
  for (int i = 0; i < runs; ++i) {
    if (form == "plain") {
      plain_loops(problem, x.data(), weight.data(), bias.data(), y.data());
    } else {
      depthwise_conv3d_cpu(problem, packed, tensors, sequential(), isa_named(form));
    }
  }
  std::printf("%.6f\n", static_cast<double>(y.back()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 10) {
    std::fprintf(stderr, "usage: %s plain|generic|neon|avx2|avx512 RUNS kT kH kW C T H W\n", argv[0]);
    return 2;
  }
  std::int64_t sizes[7];
  for (int i = 0; i < 7; ++i) sizes[i] = std::atoll(argv[3 + i]);
  try {
    run(argv[1], std::atoi(argv[2]), sizes);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
