// The way from the core to a CUDA device through libvidrt_cuda.so, here one made of the same sources over the emulated
// CUDA runtime: opened by name, its errors caught as the core's.
#include <gtest/gtest.h>
#include <stdlib.h>  // setenv is POSIX

#include <array>

#include "runtime/backends.h"
#include "runtime/gpu_device.h"
#include "support/ort_test.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

class GpuLibrary : public OrtTest {
 protected:
  GpuLibrary() { setenv("VIDRT_LIBRARY_DIR", VIDRT_EMULATED_CUDA_DIR, 1); }
};

TEST_F(GpuLibrary, OpensADevice) {
  ASSERT_TRUE(has_cuda_library());
  const std::shared_ptr<GpuDevice> device = open_gpu_device(0);
  EXPECT_EQ(device->name(), "Emulated GPU");
  const DeviceBuffer memory(*device, 4 * sizeof(float));
  device->fill({memory.data(), DType::kFloat32, {4}}, 1.5f);
  std::array<float, 4> got{};
  device->copy_to_host(got.data(), memory.data(), sizeof(got));
  EXPECT_EQ(got, (std::array<float, 4>{1.5f, 1.5f, 1.5f, 1.5f}));
}

TEST_F(GpuLibrary, ItsErrorsAreTheCores) {
  EXPECT_TRUE(names(message_of<BackendError>([] { open_gpu_device(7); }), {"no CUDA device cuda:7"}));
  const std::shared_ptr<GpuDevice> device = open_gpu_device(0);
  EXPECT_TRUE(
      names(message_of<OutOfMemory>([&] { device->frame_reader(1 << 20, 64, 64, DType::kUInt8); }), {"are free"}));
  EXPECT_THROW(device->fill({nullptr, DType::kFloat32, {-1}}, 0.0f), InvalidArgument);
}

TEST_F(GpuLibrary, ABackendOnAGpuHasItsTensorsThere) {
  const std::shared_ptr<Backend> backend = make_backend("onnxruntime-cuda", "cuda:0");
  EXPECT_EQ(backend->description(), "onnxruntime-cuda " + ort_library().version);
  EXPECT_TRUE(backend->device().queues_work());
  EXPECT_EQ(&backend->device(), &backend->device());
  const std::shared_ptr<Backend> elsewhere = make_backend("onnxruntime-cuda", "cuda:7");  // not opened yet
  EXPECT_TRUE(names(message_of<BackendError>([&] { elsewhere->device(); }), {"no CUDA device cuda:7"}));
  EXPECT_FALSE(make_backend("onnxruntime", "cpu")->device().queues_work());
}

}  // namespace
}  // namespace vidrt::testing
