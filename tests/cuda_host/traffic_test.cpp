// What the kernels move between memory and the device, in sectors of 32 bytes a warp's request, at a size of a video
// model.
#include <gtest/gtest.h>

#include "cuda_host/support/on_emulator.h"

namespace vidrt::kernels::testing {
namespace {

// A copy as cudaMalloc would place it.
class AlignedBytes {
 public:
  explicit AlignedBytes(const Bytes& bytes) : bytes_(bytes.size() + kAlignment) {
    std::copy(bytes.begin(), bytes.end(), data());
  }
  unsigned char* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data());
    return bytes_.data() + (kAlignment - address % kAlignment);
  }

 private:
  static constexpr std::size_t kAlignment = 256;
  Bytes bytes_;
};

struct TrafficCase {
  std::array<std::int64_t, 3> kernel;
  double most;  // times every input and output once
};

class Traffic : public ::testing::TestWithParam<std::tuple<TrafficCase, DataLayout, ElementType>> {};

TEST_P(Traffic, EveryInputAndOutputMovesAboutOnce) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer counts the same traffic in many times as long; other tests run these kernels under it";
#endif
  const auto& [wanted, layout, type] = GetParam();
  ConvCase conv;
  conv.x = {1, 64, 9, 60, 104};
  conv.kernel = wanted.kernel;
  conv.type = type;
  conv.attributes.data_layout = layout;
  conv.attributes.temporal_padding = TemporalPadding::kCausal;
  ConvTensors tensors = make_tensors(conv);
  const DepthwiseConv3dProblem problem = make_problem(conv);
  DepthwiseConv3dTensors view = views(conv, tensors);
  AlignedBytes x(tensors.x);
  AlignedBytes y(tensors.y);
  view.x = x.data();
  view.y = y.data();
  CUstream_st device;
  device.counts_traffic = true;
  declare(problem, view, &device);
  ASSERT_EQ(depthwise_conv3d_cuda(problem, view, &device), cudaSuccess);

  const double ideal = static_cast<double>(tensors.x.size() + tensors.y.size());
  const double ratio = static_cast<double>(device.traffic.bytes()) / ideal;
  RecordProperty("ratio", std::to_string(ratio));
  RecordProperty("blocks", static_cast<int>(device.launches.at(0).blocks));
  RecordProperty("threads", static_cast<int>(device.launches.at(0).threads));
  EXPECT_LE(ratio, wanted.most);
  EXPECT_GE(device.launches.at(0).blocks, 128u);
}

INSTANTIATE_TEST_SUITE_P(Filters, Traffic,
                         ::testing::Combine(::testing::Values(TrafficCase{{3, 3, 3}, 1.25}, TrafficCase{{5, 5, 5}, 1.4},
                                                              TrafficCase{{3, 1, 1}, 1.1},
                                                              TrafficCase{{1, 3, 3}, 1.25}),
                                            ::testing::Values(DataLayout::kNCTHW, DataLayout::kNTHWC),
                                            ::testing::Values(ElementType::kFloat16, ElementType::kFloat32)));

}  // namespace
}  // namespace vidrt::kernels::testing
