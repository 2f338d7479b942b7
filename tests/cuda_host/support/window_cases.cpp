#include "cuda_host/support/window_cases.h"

#include <algorithm>
#include <iterator>
#include <random>

namespace vidrt::kernels::testing {

ConvCase window_case(std::uint32_t seed) {
  std::mt19937 generator(seed);
  const auto pick = [&](const auto& choices) {
    return choices[std::uniform_int_distribution<std::size_t>(0, std::size(choices) - 1)(generator)];
  };
  const auto chance = [&] { return std::uniform_int_distribution<int>(0, 1)(generator) == 1; };
  const std::int64_t samples[] = {1, 1, 2};
  const std::int64_t channels[] = {1, 2, 8, 16, 24, 36, 72};
  const std::int64_t frames[] = {1, 2, 3, 5, 9};
  const std::int64_t rows[] = {1, 3, 8, 33};
  const std::int64_t columns[] = {4, 8, 24, 33, 104};
  const ElementType types[] = {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16};
  const std::array<std::int64_t, 3> filters[] = {{3, 3, 3}, {5, 5, 5}, {3, 1, 1}, {1, 3, 3}};
  ConvCase conv;
  conv.seed = seed;
  conv.kernel = filters[seed % 4];
  conv.type = types[seed / 4 % 3];
  DepthwiseConv3dAttributes& a = conv.attributes;
  a.data_layout = seed / 12 % 2 == 0 ? DataLayout::kNCTHW : DataLayout::kNTHWC;
  a.temporal_padding = chance()   ? TemporalPadding::kCausal
                       : chance() ? TemporalPadding::kSame
                                  : TemporalPadding::kValid;
  a.temporal_pad_mode = chance() ? PadMode::kZeros : PadMode::kReplicate;
  a.spatial_padding = chance() || chance() ? SpatialPadding::kSame : SpatialPadding::kValid;
  a.spatial_pad_mode = chance() ? PadMode::kZeros : PadMode::kReplicate;
  a.activation = chance() ? Activation::kSilu : Activation::kGeluTanh;
  conv.x = {pick(samples), pick(channels), pick(frames), pick(rows), pick(columns)};
  if (a.temporal_padding == TemporalPadding::kValid) conv.x.t = std::max(conv.x.t, conv.kernel[0]);
  if (a.spatial_padding == SpatialPadding::kValid) {
    conv.x.h = std::max(conv.x.h, conv.kernel[1]);
    conv.x.w = std::max(conv.x.w, conv.kernel[2]);
  }
  conv.bias = chance();
  conv.residual = chance();
  if (a.temporal_padding == TemporalPadding::kCausal && conv.kernel[0] > 1) {
    conv.cache_in = chance();
    conv.cache_out = chance();
  }
  return conv;
}

}  // namespace vidrt::kernels::testing
