// Recorded work on the emulated CUDA runtime, and engines' sessions that replay it there.
#include "cuda/cuda_graph.h"

#include <array>

#include "cuda_host/support/emulated_cuda.h"
#include "support/built_backend.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

using cuda_host::Runtime;

class CudaGraphTest : public ::testing::Test {
 protected:
  TensorView view() const { return {buffer.data(), DType::kFloat32, {3}}; }
  std::array<float, 3> values() {
    std::array<float, 3> read{};
    device.copy_to_host(read.data(), buffer.data(), sizeof(read));
    return read;
  }
  Runtime& runtime() { return Runtime::get(); }

  CudaDevice device{0};
  DeviceBuffer buffer{device, 3 * sizeof(float)};
};

TEST_F(CudaGraphTest, WorkIsDoneWhenItIsReplayedAndNotWhenItIsRecorded) {
  device.fill(view(), 1.0f);
  const std::unique_ptr<RecordedWork> work = device.record([&] { device.fill(view(), 2.0f); });
  ASSERT_NE(work, nullptr);
  EXPECT_EQ(values(), (std::array<float, 3>{1.0f, 1.0f, 1.0f}));
  for (int i = 0; i < 2; ++i) {
    device.fill(view(), 3.0f);
    work->replay();
    EXPECT_EQ(values(), (std::array<float, 3>{2.0f, 2.0f, 2.0f}));
  }
}

TEST_F(CudaGraphTest, WorkThatWaitsOrTakesMemoryCannotBeRecordedAndCanBeDone) {
  const std::function<void()> works[] = {
      [&] { device.synchronize(); },
      [&] { DeviceBuffer more(device, 100); },
      [&] {
        device.copy_to_host(std::array<float, 3>{}.data(), buffer.data(), sizeof(float));
      },
  };
  for (const auto& work : works) {
    EXPECT_EQ(device.record(work), nullptr);
    EXPECT_NO_THROW(work());
  }
  device.fill(view(), 4.0f);
  EXPECT_EQ(values()[0], 4.0f);
}

TEST_F(CudaGraphTest, WhatTheWorkThrowsComesOutAndNothingOfItIsLeft) {
  device.fill(view(), 1.0f);
  const auto work = [&] {
    device.fill(view(), 2.0f);
    throw BackendError("enqueueV3 failed");
  };
  EXPECT_EQ(message_of<BackendError>([&] { device.record(work); }), "enqueueV3 failed");
  EXPECT_EQ(values()[0], 1.0f);
}

TEST_F(CudaGraphTest, AGraphThatCannotBeMadeIsAnErrorOrNone) {
  const auto record = [&] { return device.record([&] { device.fill(view(), 2.0f); }); };
  cudaError_t error = cudaErrorNotSupported;
  runtime().before_call = [&](const std::string& call) { return call == "cudaGraphInstantiate" ? error : cudaSuccess; };
  EXPECT_EQ(record(), nullptr);
  error = cudaErrorMemoryAllocation;
  EXPECT_TRUE(names(message_of<BackendError>([&] { record(); }), {"making a graph", "cudaErrorMemoryAllocation"}));
  runtime().before_call = nullptr;
  EXPECT_NE(record(), nullptr);
}

TEST_F(CudaGraphTest, AReplayThatFailsIsAnError) {
  const std::unique_ptr<RecordedWork> work = device.record([&] { device.fill(view(), 2.0f); });
  runtime().before_call = [](const std::string& call) {
    return call == "cudaGraphLaunch" ? cudaErrorLaunchOutOfResources : cudaSuccess;
  };
  EXPECT_TRUE(names(message_of<BackendError>([&] { work->replay(); }), {"replaying recorded work"}));
  runtime().before_call = nullptr;
}

class EnginesOnCuda : public PipelineFixture {};

TEST_F(EnginesOnCuda, FramesAreThoseOfTheHostAndRunsThatRepeatAreReplayed) {
  Pipeline host = open();
  const auto device = std::make_shared<CudaDevice>(0);
  const auto reference = std::make_shared<ReferenceBackend>();
  reference->elsewhere = std::make_shared<EmulatedCuda>(device);
  reference->workspace_bytes = 5000;
  Pipeline pipeline =
      Pipeline::open(Bundle::open(toy.path()), {}, std::make_shared<BuiltBackend>(reference, device));
  for (const double guidance : {1.0, 3.0}) {
    for (const int num_frames : {1, 29}) {
      GenerateOptions options = prompt_options(num_frames);
      options.guidance_scale = guidance;
      EXPECT_EQ(pixels(pipeline.generate(options)), pixels(host.generate(options))) << num_frames << " frames";
    }
  }
  EXPECT_GT(Runtime::get().graphs_launched, Runtime::get().graphs_made);
  EXPECT_GT(Runtime::get().graphs_made, 4);
}

}  // namespace
}  // namespace vidrt::testing
