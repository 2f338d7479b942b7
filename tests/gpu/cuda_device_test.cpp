// The CUDA device through libvidrt_cuda.so on a real GPU: the cases of the emulated one (cuda_host). Have never run on
// a GPU.
#include <stdlib.h>  // setenv is POSIX

#include <cstddef>
#include <utility>

#include "gpu/support/device.h"
#include "runtime/gpu_device.h"
#include "support/device_cases.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

void look_for_the_library() { setenv("VIDRT_LIBRARY_DIR", VIDRT_CUDA_DIR, 1); }

// Sessions compute on the processor, between copies: that waits for the device, and what else it does in between is its
// own.
class RealCuda : public TestDevice {
 public:
  explicit RealCuda(std::shared_ptr<GpuDevice> device) : device_(std::move(device)) {}

  Device& device() override { return *device_; }
  void settle() noexcept override {}

  void run(const Tensors& inputs, const Tensors& outputs, Compute compute) override {
    std::vector<std::vector<std::byte>> memory;
    const auto on_host = [&](Tensors tensors) {
      for (NamedTensor& tensor : tensors) {
        memory.emplace_back(tensor.view.bytes());
        device_->copy_to_host(memory.back().data(), tensor.view.data, tensor.view.bytes());
        tensor.view.data = memory.back().data();
      }
      return tensors;
    };
    const Tensors in = on_host(inputs);
    const Tensors out = on_host(outputs);
    compute(in, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      device_->copy_from_host(outputs[i].view.data, out[i].view.data, out[i].view.bytes());
    }
  }

 private:
  std::shared_ptr<GpuDevice> device_;
};

struct OnGpu {
  static std::string why_not() { return kernels::testing::why_no_gpu(); }
  static std::shared_ptr<TestDevice> open() {
    look_for_the_library();
    return std::make_shared<RealCuda>(open_gpu_device(0));
  }
  static constexpr bool kIsLate = false;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Gpu, DevicePipeline, OnGpu);

class CudaDeviceOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = OnGpu::why_not();
    if (!reason.empty()) GTEST_SKIP() << reason;
    look_for_the_library();
    device = open_gpu_device(0);
  }

  std::shared_ptr<GpuDevice> device;
};

TEST_F(CudaDeviceOnGpu, SaysWhatItIs) {
  EXPECT_EQ(device->index(), 0);
  EXPECT_FALSE(device->name().empty());
  EXPECT_NE(device->stream(), nullptr);
  device->synchronize();
}

TEST_F(CudaDeviceOnGpu, MoreMemoryThanThereIsIsRefusedAndTheDeviceStaysUsable) {
  std::size_t free = 0, total = 0;
  kernels::testing::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  EXPECT_EQ(device->allocate(2 * total), nullptr);
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { DeviceBuffer buffer(*device, 2 * total); }), {"bytes are free"}));
  EXPECT_NO_THROW(DeviceBuffer(*device, 1 << 20));
}

TEST_F(CudaDeviceOnGpu, ADeviceThatIsNotThereIsOneClearError) {
  EXPECT_TRUE(names(message_of<BackendError>([] { open_gpu_device(99); }), {"no CUDA device cuda:99"}));
}

// Here the device is missing, or there: either way the library of this build was opened to find out.
TEST(CudaLibrary, IsThereAndSaysWhyThereIsNoDevice) {
  look_for_the_library();
  ASSERT_TRUE(has_cuda_library());
  if (kernels::testing::why_no_gpu().empty()) GTEST_SKIP() << "there is a device";
  EXPECT_THROW(open_gpu_device(0), BackendError);
}

}  // namespace
}  // namespace vidrt::testing
