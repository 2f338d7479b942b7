// Clips of more than 2^32 elements: offsets fit neither sign of 32 bits. Only what the last blocks touch takes memory.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "cuda_host/support/on_emulator.h"
#include "kernels/cuda/window_plan.h"
#include "kernels/half_types.h"

namespace vidrt::kernels::testing {
namespace {

// Pages of zeros that exist once they are touched.
class SparseHalves {
 public:
  explicit SparseHalves(std::int64_t count) : bytes_(static_cast<std::size_t>(count) * sizeof(Float16)) {
    void* data = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<Float16*>(data);
  }
  SparseHalves(const SparseHalves&) = delete;
  SparseHalves& operator=(const SparseHalves&) = delete;
  ~SparseHalves() { munmap(data_, bytes_); }

  Float16* data() { return data_; }

 private:
  std::size_t bytes_;
  Float16* data_;
};

// The clip's last sample is the one of a small convolution, whose result it must have.
void expect_last_sample_as_alone(const ConvCase& alone) {
  ConvTensors small = make_tensors(alone);
  depthwise_conv3d_ref(make_problem(alone), views(alone, small));

  ConvCase conv = alone;
  const std::int64_t of_sample = alone.x.elements();
  conv.x.n = (std::int64_t{1} << 32) / of_sample + 2;
  ASSERT_GT(conv.x.elements(), std::int64_t{1} << 32);
  const DepthwiseConv3dProblem problem = make_problem(conv);
  SparseHalves x(problem.x.elements());
  SparseHalves y(problem.y.elements());
  const std::int64_t last_x = problem.x.elements() - of_sample;
  std::copy_n(small.x.data(), small.x.size(), reinterpret_cast<unsigned char*>(x.data() + last_x));
  DepthwiseConv3dTensors view = views(alone, small);
  view.x = x.data();
  view.y = y.data();
  CUstream_st device;
  declare(problem, view, &device);
  std::uint32_t blocks = 0;
  device.only = [&](std::uint32_t block) {
    blocks = std::max(blocks, block + 1);
    return false;
  };
  ASSERT_EQ(depthwise_conv3d_cuda(problem, view, &device), cudaSuccess);
  // More than those of one sample.
  device.only = [&](std::uint32_t block) { return block + 64 >= blocks; };
  ASSERT_EQ(depthwise_conv3d_cuda(problem, view, &device), cudaSuccess);

  const std::int64_t y_of_sample = problem.y.elements() / conv.x.n;
  const auto* got = reinterpret_cast<const unsigned char*>(y.data() + problem.y.elements() - y_of_sample);
  const std::vector<float> values = to_floats(conv.type, Bytes(got, got + small.y.size()));
  const std::vector<float> wanted = to_floats(conv.type, small.y);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(values[i], wanted[i], tolerance(conv) * std::max(1.0f, std::abs(wanted[i]))) << i;
  }
}

class LargeClip : public ::testing::TestWithParam<std::tuple<DataLayout, std::array<std::int64_t, 3>>> {};

TEST_P(LargeClip, OffsetsHaveSixtyFourBits) {
  ConvCase conv;
  conv.type = ElementType::kFloat16;
  conv.attributes.data_layout = std::get<0>(GetParam());
  conv.kernel = std::get<1>(GetParam());
  conv.x = {1, 16, 3, 8, 16};
  expect_last_sample_as_alone(conv);
}

// A filter with windows in shared memory, and one for the general kernel.
INSTANTIATE_TEST_SUITE_P(Layouts, LargeClip,
                         ::testing::Combine(::testing::Values(DataLayout::kNCTHW, DataLayout::kNTHWC),
                                            ::testing::Values(std::array<std::int64_t, 3>{3, 3, 3},
                                                              std::array<std::int64_t, 3>{1, 1, 3})));

TEST(LargePlane, OffsetsInAPlaneHaveSixtyFourBits) {
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    ConvCase conv;
    conv.type = ElementType::kFloat16;
    conv.attributes.data_layout = layout;
    conv.bias = false;
    conv.x = {1, 1, 1, 1, 1};
    ConvTensors one = make_tensors(conv);
    conv.x = {1, 1, 1, 66000, 66000};
    const DepthwiseConv3dProblem problem = make_problem(conv);
    SparseHalves x(problem.x.elements());
    SparseHalves y(problem.y.elements());
    DepthwiseConv3dTensors view = views(conv, one);
    view.x = x.data();
    view.y = y.data();
    const std::int64_t last = problem.x.elements() - 1;
    x.data()[last] = to_float16(2.0f);
    CUstream_st device;
    declare(problem, view, &device);
    const std::uint32_t blocks = cuda::plan_window(problem)->shape.blocks;
    device.only = [&](std::uint32_t block) { return block + 1 == blocks; };
    ASSERT_EQ(depthwise_conv3d_cuda(problem, view, &device), cudaSuccess);
    const std::vector<float> weight = to_floats(conv.type, one.weight);
    EXPECT_EQ(to_float(y.data()[last]), 2 * weight[13]);
    EXPECT_EQ(to_float(y.data()[last - 1]), 2 * weight[14]);
    EXPECT_EQ(to_float(y.data()[last - 66000]), 2 * weight[16]);
  }
}

}  // namespace
}  // namespace vidrt::kernels::testing
