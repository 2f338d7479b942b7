// A clip of more than 2^32 elements on a real device, which needs 17 GiB of its memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "gpu/support/device.h"
#include "kernels/depthwise_conv3d_cuda.h"
#include "support/conv_case.h"

namespace vidrt::kernels::testing {
namespace {

using Param = std::tuple<DataLayout, std::array<std::int64_t, 3>>;

class LargeClipOnGpu : public ::testing::TestWithParam<Param> {};

// The last sample is the one of a small convolution, whose result it must have.
TEST_P(LargeClipOnGpu, OffsetsHaveSixtyFourBits) {
  const std::string reason = why_no_gpu();
  if (!reason.empty()) GTEST_SKIP() << reason;
  ConvCase alone;
  alone.type = ElementType::kFloat16;
  alone.bias = false;
  alone.attributes.data_layout = std::get<0>(GetParam());
  alone.kernel = std::get<1>(GetParam());
  alone.x = {1, 16, 3, 64, 64};
  ConvTensors small = make_tensors(alone);
  depthwise_conv3d_ref(make_problem(alone), views(alone, small));

  ConvCase conv = alone;
  conv.x.n = (std::int64_t{1} << 32) / alone.x.elements() + 2;
  const DepthwiseConv3dProblem problem = make_problem(conv);
  const std::size_t bytes = static_cast<std::size_t>(problem.x.elements()) * size_of(conv.type);
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  if (free < 2 * bytes + (std::size_t{1} << 28)) {
    GTEST_SKIP() << "the device has " << (free >> 20) << " MiB free, " << (2 * bytes >> 20) << " MiB are needed";
  }
  const DeviceMemory x(bytes), y(bytes), weight(small.weight.size());
  const std::size_t last = bytes - small.x.size();
  check(cudaMemset(x.data(), 0, bytes), "cudaMemset");
  check(cudaMemcpy(x.data() + last, small.x.data(), small.x.size(), cudaMemcpyHostToDevice), "the last sample");
  check(cudaMemcpy(weight.data(), small.weight.data(), small.weight.size(), cudaMemcpyHostToDevice), "the filters");
  DepthwiseConv3dTensors tensors;
  tensors.x = x.data();
  tensors.weight = weight.data();
  tensors.y = y.data();
  check(depthwise_conv3d_cuda(problem, tensors, nullptr), "the launch");
  Bytes got(small.y.size());
  check(cudaMemcpy(got.data(), y.data() + last, got.size(), cudaMemcpyDeviceToHost), "the result");

  const std::vector<float> values = to_floats(conv.type, got);
  const std::vector<float> wanted = to_floats(conv.type, small.y);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(values[i], wanted[i], tolerance(conv) * std::max(1.0f, std::abs(wanted[i]))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, LargeClipOnGpu,
                         ::testing::Combine(::testing::Values(DataLayout::kNCTHW, DataLayout::kNTHWC),
                                            ::testing::Values(std::array<std::int64_t, 3>{3, 3, 3},
                                                              std::array<std::int64_t, 3>{1, 1, 3})));

}  // namespace
}  // namespace vidrt::kernels::testing
