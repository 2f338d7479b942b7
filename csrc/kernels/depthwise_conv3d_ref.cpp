// The reference of both operators: plain loops, sums in fp64, nothing rounded before the result.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/depthwise_conv3d.h"
#include "kernels/depthwise_separable_conv3d.h"
#include "kernels/half_types.h"

namespace vidrt::kernels {
namespace {

// Elements of a contiguous clip by their five coordinates.
struct ClipIndex {
  ClipShape shape;
  DataLayout layout;

  std::int64_t operator()(std::int64_t n, std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) const {
    if (layout == DataLayout::kNCTHW) return (((n * shape.c + c) * shape.t + t) * shape.h + h) * shape.w + w;
    return (((n * shape.t + t) * shape.h + h) * shape.w + w) * shape.c + c;
  }
};

double activate(double value, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return value;
    case Activation::kRelu:
      return std::max(value, 0.0);
    case Activation::kSilu:
      return value / (1.0 + std::exp(-value));
    case Activation::kGelu:
      return 0.5 * value * (1.0 + std::erf(value / std::sqrt(2.0)));
    case Activation::kGeluTanh: {
      // Hendrycks and Gimpel, 2016, section 2.
      const double inner = std::sqrt(2.0 / 3.14159265358979323846) * (value + 0.044715 * value * value * value);
      return 0.5 * value * (1.0 + std::tanh(inner));
    }
  }
  return value;
}

template <typename T>
class Reference {
 public:
  Reference(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors)
      : problem_(problem),
        tensors_(tensors),
        x_at_{problem.x, problem.attributes.data_layout},
        cache_at_{problem.cache(), problem.attributes.data_layout} {}

  // activation(conv + B) at a position of the result.
  double at(std::int64_t n, std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) const {
    const DepthwiseConv3dAttributes& a = problem_.attributes;
    const auto [kt, kh, kw] = problem_.kernel;
    const T* weight = static_cast<const T*>(tensors_.weight) + c * kt * kh * kw;
    double sum = tensors_.bias != nullptr ? to_float(static_cast<const T*>(tensors_.bias)[c]) : 0.0;
    for (std::int64_t i = 0; i < kt; ++i) {
      for (std::int64_t j = 0; j < kh; ++j) {
        for (std::int64_t k = 0; k < kw; ++k) {
          sum += static_cast<double>(to_float(weight[(i * kh + j) * kw + k])) *
                 input(n, c, t * a.strides[0] + i * a.dilations[0] - problem_.pad_before[0],
                       h * a.strides[1] + j * a.dilations[1] - problem_.pad_before[1],
                       w * a.strides[2] + k * a.dilations[2] - problem_.pad_before[2]);
        }
      }
    }
    return activate(sum, a.activation);
  }

  void write_cache() const {
    if (tensors_.cache_out == nullptr) return;
    const ClipShape cache = problem_.cache();
    for (std::int64_t n = 0; n < cache.n; ++n) {
      for (std::int64_t c = 0; c < cache.c; ++c) {
        for (std::int64_t t = 0; t < cache.t; ++t) {
          for (std::int64_t h = 0; h < cache.h; ++h) {
            for (std::int64_t w = 0; w < cache.w; ++w) {
              static_cast<T*>(tensors_.cache_out)[cache_at_(n, c, t, h, w)] =
                  frame(n, c, problem_.x.t - cache.t + t, h, w);
            }
          }
        }
      }
    }
  }

 private:
  // X and what lies before and after it in time, at a position inside the picture.
  T frame(std::int64_t n, std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) const {
    if (t < 0 && tensors_.cache_in != nullptr) {
      return static_cast<const T*>(tensors_.cache_in)[cache_at_(n, c, problem_.cache_frames + t, h, w)];
    }
    if (t < 0 || t >= problem_.x.t) {
      if (problem_.attributes.temporal_pad_mode == PadMode::kZeros) return from_float<T>(0.0f);
      t = std::clamp<std::int64_t>(t, 0, problem_.x.t - 1);
    }
    return static_cast<const T*>(tensors_.x)[x_at_(n, c, t, h, w)];
  }

  double input(std::int64_t n, std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) const {
    if (h < 0 || h >= problem_.x.h || w < 0 || w >= problem_.x.w) {
      if (problem_.attributes.spatial_pad_mode == PadMode::kZeros) return 0.0;
      h = std::clamp<std::int64_t>(h, 0, problem_.x.h - 1);
      w = std::clamp<std::int64_t>(w, 0, problem_.x.w - 1);
    }
    return to_float(frame(n, c, t, h, w));
  }

  const DepthwiseConv3dProblem& problem_;
  const DepthwiseConv3dTensors& tensors_;
  ClipIndex x_at_;
  ClipIndex cache_at_;
};

template <typename T>
void run_depthwise(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors) {
  const Reference<T> reference(problem, tensors);
  const ClipIndex y_at{problem.y, problem.attributes.data_layout};
  const T* residual = static_cast<const T*>(tensors.residual);
  for (std::int64_t n = 0; n < problem.y.n; ++n) {
    for (std::int64_t c = 0; c < problem.y.c; ++c) {
      for (std::int64_t t = 0; t < problem.y.t; ++t) {
        for (std::int64_t h = 0; h < problem.y.h; ++h) {
          for (std::int64_t w = 0; w < problem.y.w; ++w) {
            const std::int64_t index = y_at(n, c, t, h, w);
            double value = reference.at(n, c, t, h, w);
            if (residual != nullptr) value += to_float(residual[index]);
            static_cast<T*>(tensors.y)[index] = from_float<T>(static_cast<float>(value));
          }
        }
      }
    }
  }
  reference.write_cache();
}

template <typename T>
void run_separable(const DepthwiseSeparableConv3dProblem& problem, const DepthwiseSeparableConv3dTensors& tensors) {
  const Reference<T> reference(problem.depthwise, tensors.depthwise);
  const ClipIndex y_at{problem.y, problem.depthwise.attributes.data_layout};
  const T* residual = static_cast<const T*>(tensors.depthwise.residual);
  const T* pointwise = static_cast<const T*>(tensors.pointwise);
  const T* bias = static_cast<const T*>(tensors.pointwise_bias);
  const std::int64_t channels = problem.depthwise.x.c;
  std::vector<double> between(static_cast<std::size_t>(channels));
  for (std::int64_t n = 0; n < problem.y.n; ++n) {
    for (std::int64_t t = 0; t < problem.y.t; ++t) {
      for (std::int64_t h = 0; h < problem.y.h; ++h) {
        for (std::int64_t w = 0; w < problem.y.w; ++w) {
          for (std::int64_t c = 0; c < channels; ++c) between[c] = reference.at(n, c, t, h, w);
          for (std::int64_t o = 0; o < problem.y.c; ++o) {
            double value = bias != nullptr ? to_float(bias[o]) : 0.0;
            for (std::int64_t c = 0; c < channels; ++c) {
              value += static_cast<double>(to_float(pointwise[o * channels + c])) * between[c];
            }
            value = activate(value, problem.output_activation);
            const std::int64_t index = y_at(n, o, t, h, w);
            if (residual != nullptr) value += to_float(residual[index]);
            static_cast<T*>(tensors.depthwise.y)[index] = from_float<T>(static_cast<float>(value));
          }
        }
      }
    }
  }
  reference.write_cache();
}

}  // namespace

void depthwise_conv3d_ref(const DepthwiseConv3dProblem& problem, const DepthwiseConv3dTensors& tensors) {
  switch (problem.type) {
    case ElementType::kFloat32:
      return run_depthwise<float>(problem, tensors);
    case ElementType::kFloat16:
      return run_depthwise<Float16>(problem, tensors);
    case ElementType::kBFloat16:
      return run_depthwise<BFloat16>(problem, tensors);
  }
}

void depthwise_separable_conv3d_ref(const DepthwiseSeparableConv3dProblem& problem,
                                    const DepthwiseSeparableConv3dTensors& tensors) {
  switch (problem.depthwise.type) {
    case ElementType::kFloat32:
      return run_separable<float>(problem, tensors);
    case ElementType::kFloat16:
      return run_separable<Float16>(problem, tensors);
    case ElementType::kBFloat16:
      return run_separable<BFloat16>(problem, tensors);
  }
}

}  // namespace vidrt::kernels
