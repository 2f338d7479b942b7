// The CUDA device's own code (csrc/cuda) on the emulated CUDA runtime: the whole toy pipeline, and every failure.
#include "cuda/cuda_device.h"

#include <algorithm>
#include <array>
#include <thread>

#include "cuda_host/support/emulated_cuda.h"
#include "support/device_cases.h"

namespace vidrt::testing {
namespace {

using cuda_host::Runtime;

struct OnEmulator {
  static std::string why_not() {
    Runtime::get().reset();
    return "";
  }
  static std::shared_ptr<TestDevice> open() {
    return std::make_shared<EmulatedCuda>(std::make_shared<CudaDevice>(Runtime::get().devices - 1));
  }
  static constexpr bool kIsLate = true;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Cuda, DevicePipeline, OnEmulator);

// After every test: no fault that a GPU would not forgive, and nothing left.
class NothingIsLeft : public ::testing::EmptyTestEventListener {
  void OnTestEnd(const ::testing::TestInfo&) override {
    EXPECT_EQ(Runtime::get().faults, std::vector<std::string>());
    EXPECT_EQ(Runtime::get().alive(), 0u);
    Runtime::get().reset();
  }
};
[[maybe_unused]] const bool kListens = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new NothingIsLeft);
  return true;
}();

class CudaDeviceTest : public DevicePipeline<OnEmulator> {
 protected:
  Runtime& runtime() { return Runtime::get(); }

  static std::string refusal_to_open(int index) {
    return message_of<BackendError>([&] { CudaDevice device(index); });
  }
};

TEST_F(CudaDeviceTest, SaysWhatItIs) {
  runtime().devices = 3;
  const CudaDevice device(2);
  EXPECT_EQ(device.index(), 2);
  EXPECT_EQ(device.name(), "Emulated GPU");
  EXPECT_EQ(device.compute_capability(), "9.1");
  EXPECT_NE(device.stream(), nullptr);
  EXPECT_TRUE(device.queues_work());
}

TEST_F(CudaDeviceTest, WhatOnnxRuntimeCopiesThroughTheDefaultStreamIsInOrder) {
  const CudaDevice device(0);
  EXPECT_TRUE(runtime().waits_for_default(static_cast<cudaStream_t>(device.stream())));
}

TEST_F(CudaDeviceTest, ADeviceThatIsNotThereIsNamedWithThoseThatAre) {
  runtime().devices = 2;
  EXPECT_TRUE(names(refusal_to_open(2), {"no CUDA device cuda:2", "sees 2, the last is cuda:1"}));
  runtime().devices = 0;
  EXPECT_TRUE(names(refusal_to_open(0), {"no CUDA device cuda:0", "sees none", "device cpu"}));
}

TEST_F(CudaDeviceTest, WithoutADriverItSaysWhatToInstall) {
  runtime().driver = cudaErrorInsufficientDriver;
  EXPECT_TRUE(names(refusal_to_open(0), {"cudaErrorInsufficientDriver", "Install NVIDIA's driver"}));
}

TEST_F(CudaDeviceTest, ADeviceThatIsTooOldOrThatTheBuildHasNoCodeForIsRefused) {
  runtime().major = 7;
  EXPECT_TRUE(names(refusal_to_open(0), {"compute capability 7.1", "8.0 or later"}));
  runtime().major = 8;
  runtime().before_call = [](const std::string& call) {
    return call == "cudaLaunchKernelExC" ? cudaErrorNoKernelImageForDevice : cudaSuccess;
  };
  EXPECT_TRUE(names(refusal_to_open(0), {"no code for Emulated GPU", "-DVIDRT_CUDA_ARCHITECTURES=81"}));
}

TEST_F(CudaDeviceTest, MemoryThatIsRefusedIsNullAndTheMessageSaysHowMuchThereIs) {
  CudaDevice device(0);
  EXPECT_EQ(device.allocate(std::size_t{2} << 30), nullptr);
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { DeviceBuffer buffer(device, std::size_t{2} << 30); }),
                    {"refused 2147483648 bytes", " of 1073741824 bytes are free on Emulated GPU"}));
  EXPECT_TRUE(
      names(message_of<OutOfMemory>([&] { device.frame_reader(1 << 20, 64, 64, DType::kUInt8); }), {"are free"}));
  void* nothing = device.allocate(0);
  EXPECT_NE(nothing, nullptr);
  device.release(nothing);
  device.release(nullptr);
}

TEST_F(CudaDeviceTest, WithoutABudgetAPlanKeepsToWhatIsFree) {
  Pipeline pipeline = open_there();
  const std::size_t used = runtime().total_bytes - runtime().free_bytes();
  const GenerationPlan roomy = pipeline.plan(prompt_options(21));
  runtime().total_bytes = used + roomy.arena_bytes + roomy.weight_bytes - 1;
  const GenerationPlan tight = pipeline.plan(prompt_options(21));
  EXPECT_EQ(roomy.residency + " " + roomy.guidance, "all batched");
  EXPECT_NE(tight.residency + " " + tight.guidance, "all batched");
  EXPECT_EQ(pixels(pipeline.generate(prompt_options(21))), pixels(open().generate(prompt_options(21))));
  // What it holds by now is its own to use again.
  EXPECT_EQ(pipeline.plan(prompt_options(21)).arena_bytes, tight.arena_bytes);
}

TEST_F(CudaDeviceTest, AGenerationThatDoesNotFitSaysHowMuchThereIsAndTheLengthThatItNamesIsDone) {
  Pipeline pipeline = open_there();
  const GenerationPlan small = pipeline.plan(prompt_options(5));
  const std::size_t used = runtime().total_bytes - runtime().free_bytes();
  runtime().total_bytes = used;
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { pipeline.plan(prompt_options(5)); }), {"no num_frames fits"}));
  runtime().total_bytes = used + (small.arena_bytes + small.weight_bytes) * 16 / 15 + 1;
  const std::string refused = message_of<OutOfMemory>([&] { pipeline.generate(prompt_options(61)); });
  EXPECT_TRUE(names(refused, {"needs at least", "the device has", "are free on Emulated GPU", "num_frames to "}));
  const int named = std::stoi(refused.substr(refused.find("num_frames to ") + 14));
  EXPECT_GE(named, 5);
  EXPECT_THROW(pipeline.plan(prompt_options(named + 4)), OutOfMemory);
  EXPECT_EQ(pixels(pipeline.generate(prompt_options(named))), pixels(open().generate(prompt_options(named))));
}

TEST_F(CudaDeviceTest, MemoryThatIsRefusedUnderABudgetIsAnErrorWithWhatIsFree) {
  PipelineOptions options;
  options.memory_budget = std::uint64_t{1} << 40U;
  Pipeline pipeline = open_there(options);
  runtime().total_bytes = runtime().total_bytes - runtime().free_bytes() + 1000;
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { pipeline.generate(prompt_options(21)); }), {"refused", "are free"}));
}

// The device's calls, each on a thread of its own, whose current device is the first, and the device another.
TEST_F(CudaDeviceTest, IsUsedFromAnyThread) {
  runtime().devices = 2;
  CudaDevice device(1);
  const auto elsewhere = [](auto call) { std::thread(call).join(); };
  void* memory = nullptr;
  elsewhere([&] { memory = device.allocate(12 * sizeof(float)); });
  const TensorView tensor{memory, DType::kFloat32, {1, 3, 2, 1, 2}};
  const std::array<float, 12> values{};
  std::array<float, 12> got{};
  std::array<std::uint8_t, 12> rgb{};
  std::unique_ptr<FrameReader> reader;
  StepTensors step;
  const SchedulerTable table = make_scheduler_table(R"({"_class_name": "FlowMatchEulerDiscreteScheduler"})", "", 1);
  elsewhere([&] { device.copy_from_host(memory, values.data(), sizeof(values)); });
  elsewhere([&] { device.copy_rows(memory, 8, tensor.as<float>() + 6, 8, 8, 2); });
  elsewhere([&] { device.fill(tensor, 1.0f); });
  elsewhere([&] {
    step.output_positive = tensor.as<float>();
    step.sample = tensor.as<float>() + 4;
    step.count = 4;
    device.apply_step(table, 0, step);
  });
  elsewhere([&] { device.end_step(); });
  elsewhere([&] { EXPECT_TRUE(device.all_finite(tensor)); });
  elsewhere([&] { reader = device.frame_reader(2, 1, 2, DType::kUInt8); });
  elsewhere([&] { reader->begin(tensor, 0, 2); });
  elsewhere([&] { reader->end(rgb.data()); });
  elsewhere([&] { device.synchronize(); });
  elsewhere([&] { device.copy_to_host(got.data(), memory, sizeof(got)); });
  elsewhere([&] { reader.reset(); });
  elsewhere([&] { device.release(memory); });
  EXPECT_EQ(got[0], 1.0f);
  EXPECT_EQ(rgb[0], 255);
}

// Every call of CUDA in a generation fails once, one after another.
TEST_F(CudaDeviceTest, AnyCallThatFailsIsOneErrorThatNamesItAndThePipelineStaysUsable) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options(5)));
  Pipeline pipeline = open_there();
  int failing = 0;
  for (bool failed = true; failed; ++failing) {
    failed = false;
    int calls = 0;
    runtime().before_call = [&](const std::string& call) {
      // Those in destructors cannot be reported, nor those that only make a message better.
      if (call == "cudaStreamSynchronize" || call == "cudaMemGetInfo" || calls++ != failing) return cudaSuccess;
      failed = true;
      return cudaErrorLaunchOutOfResources;
    };
    try {
      EXPECT_EQ(pixels(pipeline.generate(prompt_options(5))), expected);
    } catch (const BackendError& error) {
      EXPECT_TRUE(names(error.what(), {"failed in CUDA: cudaErrorLaunchOutOfResources"}));
    }
    runtime().before_call = nullptr;
    ASSERT_EQ(pixels(pipeline.generate(prompt_options(5))), expected) << "after call " << failing << " failed";
  }
  EXPECT_GT(failing, 50);
}

TEST_F(CudaDeviceTest, AnyCallThatFailsWhileADeviceIsOpenedLeavesNothing) {
  int failing = 0;
  for (bool failed = true; failed; ++failing) {
    failed = false;
    int calls = 0;
    runtime().before_call = [&](const std::string& call) {
      if (call == "cudaStreamSynchronize" || calls++ != failing) return cudaSuccess;
      failed = true;
      return cudaErrorMemoryAllocation;
    };
    try {
      CudaDevice device(0);
    } catch (const Error& error) {
      EXPECT_TRUE(names(error.what(), {"memory"}));
    }
    EXPECT_EQ(runtime().alive(), 0u) << "after call " << failing << " failed";
  }
  EXPECT_GT(failing, 10);
}

TEST_F(CudaDeviceTest, ALostDeviceIsAnErrorOfEveryLaterCallAndEndsNoProcess) {
  for (const char* lost : {"text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"}) {
    Pipeline pipeline = open_there();
    there->before_run = [&](const std::string& module) {
      if (module == lost) throw BackendError("only the emulated device sees this");
    };
    EXPECT_TRUE(names(message_of<BackendError>([&] { pipeline.generate(prompt_options()); }),
                      {"cudaErrorLaunchFailure", "start it again"}));
    there->before_run = nullptr;
    EXPECT_THROW(pipeline.generate(prompt_options()), BackendError);
    Runtime::get().reset();  // a new process, but for what the pipeline still has to give back
  }
}

TEST_F(CudaDeviceTest, AKernelThatTouchesWhatItMayNotIsReported) {
  CudaDevice device(0);
  float host = 0.0f;
  device.fill({&host, DType::kFloat32, {1}}, 1.0f);  // not memory of the device
  EXPECT_TRUE(names(message_of<BackendError>([&] { device.synchronize(); }), {"cudaErrorIllegalAddress"}));
  EXPECT_EQ(runtime().faults.size(), 1u);
  runtime().faults.clear();
}

TEST_F(CudaDeviceTest, FramesAreTakenInTheirOrderAndWhatIsNeverTakenIsDropped) {
  CudaDevice device(0);
  const DeviceBuffer memory(device, 3 * 4 * sizeof(float));
  const TensorView frames{memory.data(), DType::kFloat32, {1, 3, 2, 1, 2}};
  const auto reader = device.frame_reader(2, 1, 2, DType::kUInt8);
  std::array<std::uint8_t, 6> rgb{};
  for (int i = 0; i < 5; ++i) {
    device.fill(frames, -1.0f);
    reader->begin(frames, 0, 1);
    device.fill(frames, 1.0f);
    reader->begin(frames, 1, 1);
    device.fill(frames, 0.0f);  // what the frames lay in is written anew
    reader->end(rgb.data());
    EXPECT_EQ(rgb, (std::array<std::uint8_t, 6>{0, 0, 0, 0, 0, 0}));
    reader->end(rgb.data());
    EXPECT_EQ(rgb, (std::array<std::uint8_t, 6>{255, 255, 255, 255, 255, 255}));
  }
  reader->begin(frames, 0, 2);
  reader->begin(frames, 0, 2);
  EXPECT_THROW(reader->begin(frames, 0, 2), std::logic_error);
}

TEST_F(CudaDeviceTest, FloatFramesAreThoseOfTheProcessor) {
  CudaDevice device(0);
  const DeviceBuffer memory(device, 3 * 2 * sizeof(float));
  const TensorView frames{memory.data(), DType::kFloat32, {1, 3, 1, 1, 2}};
  const auto reader = device.frame_reader(1, 1, 2, DType::kFloat32);
  std::array<float, 6> rgb{};
  for (const float value : {0.3f, -1.7f, 1.0f}) {
    device.fill(frames, value);
    reader->begin(frames, 0, 1);
    reader->end(rgb.data());
    std::array<float, 6> expected{};
    expected.fill(std::min(std::max(value * 0.5f + 0.5f, 0.0f), 1.0f));
    EXPECT_EQ(rgb, expected) << value;
  }
}

TEST_F(CudaDeviceTest, FramesAreThereWhileLaterWorkIsStillQueued) {
  CudaDevice device(0);
  const DeviceBuffer memory(device, 3 * sizeof(float));
  const TensorView frames{memory.data(), DType::kFloat32, {1, 3, 1, 1, 1}};
  const auto reader = device.frame_reader(1, 1, 1, DType::kUInt8);
  device.fill(frames, 1.0f);
  reader->begin(frames, 0, 1);
  bool is_done = false;
  runtime().queue(static_cast<cudaStream_t>(device.stream()), [&] {
    is_done = true;
    return cudaSuccess;
  });
  std::array<std::uint8_t, 3> rgb{};
  reader->end(rgb.data());
  EXPECT_EQ(rgb, (std::array<std::uint8_t, 3>{255, 255, 255}));
  EXPECT_FALSE(is_done);
}

}  // namespace
}  // namespace vidrt::testing
