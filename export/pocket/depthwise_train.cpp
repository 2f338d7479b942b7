// Depthwise 3x3x3 convolution for training on a CPU: channels-last, forward and both gradients.
// PyTorch's own backward falls to a slow generic path on CPUs; this one keeps the channels in vector registers.
#include <torch/extension.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

constexpr int kTaps = 27;
constexpr int kBlock = 32;  // channels a time: two vectors of 16

// GCC's portable vectors: 16 floats, read and written at any alignment.
typedef float Vec __attribute__((vector_size(64), aligned(4), may_alias));
inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Vec*>(p) = v; }

struct Geometry {
  int64_t B, T, H, W, C;
  int64_t front;  // frames before a tap's centre: 1 = same, 2 = causal
};

// y[p] = bias + sum_k w[k] * x[p + offset(k)], zero outside. `sign` -1 gives the gradient of the input.
void correlate(const float* x, const float* w, const float* bias, float* y, const Geometry& g, int sign) {
  const int64_t rows = g.B * g.T * g.H;
  const int64_t first = sign > 0 ? -g.front : g.front - 2;
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t h = row % g.H, t = row / g.H % g.T, b = row / (g.H * g.T);
    for (int64_t c0 = 0; c0 < g.C; c0 += kBlock) {
      for (int64_t v = 0; v < g.W; ++v) {
        Vec acc0{}, acc1{};
        if (bias != nullptr) {
          acc0 = load(bias + c0);
          acc1 = load(bias + c0 + 16);
        }
        for (int64_t kt = std::max<int64_t>(0, -(t + first)); kt < std::min<int64_t>(3, g.T - t - first); ++kt) {
          for (int64_t kh = std::max<int64_t>(0, 1 - h); kh < std::min<int64_t>(3, g.H + 1 - h); ++kh) {
            const float* source = x + (((b * g.T + t + first + kt) * g.H + h - 1 + kh) * g.W + v - 1) * g.C + c0;
            for (int64_t kw = std::max<int64_t>(0, 1 - v); kw < std::min<int64_t>(3, g.W + 1 - v); ++kw) {
              const int64_t tap = (kt * 3 + kh) * 3 + kw;
              const float* weight = w + (sign > 0 ? tap : kTaps - 1 - tap) * g.C + c0;
              acc0 += load(source + kw * g.C) * load(weight);
              acc1 += load(source + kw * g.C + 16) * load(weight + 16);
            }
          }
        }
        float* target = y + (((b * g.T + t) * g.H + h) * g.W + v) * g.C + c0;
        store(target, acc0);
        store(target + 16, acc1);
      }
    }
  }
}

// dw[k][c] = sum_p x[p + offset(k)][c] * dy[p][c], one partial sum a sample.
void weight_gradient(const float* x, const float* dy, float* partial, const Geometry& g) {
#pragma omp parallel for schedule(static)
  for (int64_t b = 0; b < g.B; ++b) {
    float* sums = partial + b * kTaps * g.C;
    for (int64_t c0 = 0; c0 < g.C; c0 += kBlock) {
      for (int tap = 0; tap < kTaps; ++tap) {
        const int64_t dt = tap / 9 - g.front, dh = tap / 3 % 3 - 1, dv = tap % 3 - 1;
        Vec acc0{}, acc1{};
        for (int64_t t = std::max<int64_t>(0, -dt); t < g.T - std::max<int64_t>(0, dt); ++t) {
          for (int64_t h = std::max<int64_t>(0, -dh); h < g.H - std::max<int64_t>(0, dh); ++h) {
            const int64_t v0 = std::max<int64_t>(0, -dv), v1 = g.W - std::max<int64_t>(0, dv);
            const float* d = dy + (((b * g.T + t) * g.H + h) * g.W + v0) * g.C + c0;
            const float* s = x + (((b * g.T + t + dt) * g.H + h + dh) * g.W + v0 + dv) * g.C + c0;
            for (int64_t v = v0; v < v1; ++v, d += g.C, s += g.C) {
              acc0 += load(s) * load(d);
              acc1 += load(s + 16) * load(d + 16);
            }
          }
        }
        store(sums + tap * g.C + c0, acc0);
        store(sums + tap * g.C + c0 + 16, acc1);
      }
    }
  }
}

Geometry geometry(const torch::Tensor& x, int64_t front) {
  TORCH_CHECK(x.dim() == 5 && x.is_contiguous() && x.scalar_type() == torch::kFloat, "expected contiguous float (B,T,H,W,C)");
  TORCH_CHECK(x.size(4) % kBlock == 0, "expected a multiple of 32 channels");
  return {x.size(0), x.size(1), x.size(2), x.size(3), x.size(4), front};
}

torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& w, const torch::Tensor& bias, int64_t front) {
  const Geometry g = geometry(x, front);
  torch::Tensor y = torch::empty_like(x);
  correlate(x.data_ptr<float>(), w.data_ptr<float>(), bias.data_ptr<float>(), y.data_ptr<float>(), g, 1);
  return y;
}

std::vector<torch::Tensor> backward(const torch::Tensor& x, const torch::Tensor& w, const torch::Tensor& dy, int64_t front) {
  const Geometry g = geometry(x, front);
  torch::Tensor dx = torch::empty_like(x);
  correlate(dy.data_ptr<float>(), w.data_ptr<float>(), nullptr, dx.data_ptr<float>(), g, -1);
  torch::Tensor partial = torch::empty({g.B, kTaps, g.C}, x.options());
  weight_gradient(x.data_ptr<float>(), dy.data_ptr<float>(), partial.data_ptr<float>(), g);
  return {dx, partial.sum(0), dy.sum({0, 1, 2, 3})};
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &forward);
  m.def("backward", &backward);
}
