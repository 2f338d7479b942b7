#include "cuda_host/support/clip_parts.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vidrt::kernels::testing {
namespace {

// Frames `first` to `first + count` of a clip.
Bytes frames_of(const ConvCase& conv, const Bytes& clip, ClipShape shape, std::int64_t first, std::int64_t count) {
  const bool is_planar = conv.attributes.data_layout == DataLayout::kNCTHW;
  const std::int64_t frame =
      shape.h * shape.w * (is_planar ? 1 : shape.c) * static_cast<std::int64_t>(size_of(conv.type));
  const std::int64_t clips = shape.n * (is_planar ? shape.c : 1);
  Bytes part;
  for (std::int64_t i = 0; i < clips; ++i) {
    const auto begin = clip.begin() + (i * shape.t + first) * frame;
    part.insert(part.end(), begin, begin + count * frame);
  }
  return part;
}

}  // namespace

void expect_parts_as_whole(ConvCase whole, const Depthwise& kernel) {
  if (whole.attributes.temporal_padding != TemporalPadding::kCausal || whole.kernel[0] == 1) return;
  SCOPED_TRACE(to_string(whole));
  whole.x.t = 7;
  whole.x.h = std::min<std::int64_t>(whole.x.h, 8);
  whole.cache_in = whole.cache_out = whole.residual = false;
  ConvTensors expected = make_tensors(whole);
  const ClipShape y_shape = make_problem(whole).y;
  kernel(make_problem(whole), views(whole, expected));
  Bytes cache;
  std::int64_t first = 0;
  for (const std::int64_t count : {1, 2, 4}) {
    ConvCase part = whole;
    part.x.t = count;
    part.cache_in = first > 0;
    part.cache_out = true;
    ConvTensors tensors = make_tensors(part);
    tensors.weight = expected.weight;
    tensors.bias = expected.bias;
    tensors.x = frames_of(whole, expected.x, whole.x, first, count);
    if (part.cache_in) tensors.cache_in = cache;
    kernel(make_problem(part), views(part, tensors));
    EXPECT_EQ(tensors.y, frames_of(whole, expected.y, y_shape, first, count)) << "frames from " << first;
    cache = tensors.cache_out;
    first += count;
  }
}

}  // namespace vidrt::kernels::testing
