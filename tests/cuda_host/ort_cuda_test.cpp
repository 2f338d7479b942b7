// What ONNX Runtime is told about a GPU. Its own functions for that are replaced by ones that write it down: the
// processor's build has no provider for CUDA.
#include "onnxruntime/ort_cuda.h"

#include <array>
#include <map>
#include <string>
#include <vector>

#include "cuda/cuda_device.h"
#include "cuda_host/emulator/runtime.h"
#include "onnxruntime/ort_environment.h"
#include "onnxruntime/ort_session.h"
#include "support/onnx_writer.h"
#include "support/ort_test.h"
#include "support/throws.h"
#include "support/toy_bundle.h"

namespace vidrt::testing {
namespace {

struct Told {
  std::map<std::string, std::string> provider;
  void* stream = nullptr;
  std::map<std::string, std::string> run;
  std::vector<std::string> calls;  // binding and running, in order
};
Told told;

std::string place_of(const OrtValue* value) {
  const OrtApi& api = *ort_library().api;
  const OrtMemoryInfo* memory = nullptr;
  const char* name = nullptr;
  int id = -1;
  check_ort(api, api.GetTensorMemoryInfo(value, &memory), "asking where a tensor lies");
  check_ort(api, api.MemoryInfoGetName(memory, &name), "asking for a name");
  check_ort(api, api.MemoryInfoGetId(memory, &id), "asking for a number");
  return std::string(name) + ":" + std::to_string(id);
}

// The library's functions, but for those that a GPU is needed for.
OrtApi recording_api() {
  OrtApi api = *ort_library().api;
  api.CreateCUDAProviderOptions = [](OrtCUDAProviderOptionsV2** options) noexcept -> OrtStatus* {
    static char provider;
    *options = reinterpret_cast<OrtCUDAProviderOptionsV2*>(&provider);
    return nullptr;
  };
  api.ReleaseCUDAProviderOptions = [](OrtCUDAProviderOptionsV2*) noexcept {};
  api.UpdateCUDAProviderOptions = [](OrtCUDAProviderOptionsV2*, const char* const* keys, const char* const* values,
                                     std::size_t count) noexcept -> OrtStatus* {
    for (std::size_t i = 0; i < count; ++i) told.provider[keys[i]] = values[i];
    return nullptr;
  };
  api.UpdateCUDAProviderOptionsWithValue = [](OrtCUDAProviderOptionsV2*, const char* key,
                                              void* value) noexcept -> OrtStatus* {
    if (std::string(key) == "user_compute_stream") told.stream = value;
    return nullptr;
  };
  api.SessionOptionsAppendExecutionProvider_CUDA_V2 = [](OrtSessionOptions*,
                                                         const OrtCUDAProviderOptionsV2*) noexcept -> OrtStatus* {
    told.calls.push_back("append");
    return nullptr;
  };
  api.AddRunConfigEntry = [](OrtRunOptions*, const char* key, const char* value) noexcept -> OrtStatus* {
    told.run[key] = value;
    return nullptr;
  };
  api.BindInput = [](OrtIoBinding*, const char* name, const OrtValue* value) noexcept -> OrtStatus* {
    told.calls.push_back(std::string("in ") + name + " " + place_of(value));
    return nullptr;
  };
  api.BindOutput = [](OrtIoBinding*, const char* name, const OrtValue* value) noexcept -> OrtStatus* {
    told.calls.push_back(std::string("out ") + name + " " + place_of(value));
    return nullptr;
  };
  api.RunWithBinding = [](::OrtSession*, const OrtRunOptions*, const OrtIoBinding*) noexcept -> OrtStatus* {
    told.calls.push_back("run");
    return nullptr;
  };
  return api;
}

class OrtCuda : public OrtTest {
 protected:
  void SetUp() override {
    OrtTest::SetUp();
    if (IsSkipped()) return;
    told = {};
    api = recording_api();
    device = std::make_shared<CudaDevice>(0);
  }

  // prediction = latents; runs are only written down.
  static std::string graph(const Variant& variant) {
    ProtoWriter graph;
    graph.message(1, ProtoWriter().bytes(1, "latents").bytes(2, "prediction").bytes(4, "Identity"));
    graph.bytes(2, "nothing");
    for (const TensorSpec& spec : variant.inputs) graph.message(11, value_info_proto(spec));
    for (const TensorSpec& spec : variant.outputs) graph.message(12, value_info_proto(spec));
    return model_proto(graph, variant.opset).data();
  }

  OrtSession session(OrtPlace place) {
    const Bundle bundle = Bundle::open(toy.path());
    const std::string module = "denoiser";
    const Variant& variant = bundle.module(module).variants[0];
    const std::string model = graph(variant);
    OrtWeights weights(api, {bundle, module, variant, {}}, {}, {});
    OrtSessionOptions* options = nullptr;
    check_ort(api, api.CreateSessionOptions(&options), "making options");
    const OrtHandle<OrtSessionOptions> owned = own(options, api.ReleaseSessionOptions);
    ::OrtSession* made = nullptr;
    check_ort(api, api.CreateSessionFromArray(ort_environment().get(), model.data(), model.size(), options, &made),
              "making a session");
    return OrtSession(api, module, std::move(weights), own(made, api.ReleaseSession), std::move(place));
  }

  std::vector<std::string> calls_of_two_runs(OrtPlace place) {
    OrtSession made = session(std::move(place));
    std::array<float, 4> in{}, out{};
    const std::vector<NamedTensor> inputs = {{"latents", {in.data(), DType::kFloat32, {4}}}};
    const std::vector<NamedTensor> outputs = {{"prediction", {out.data(), DType::kFloat32, {4}}}};
    for (int i = 0; i < 2; ++i) made.run(inputs, outputs, {});
    return told.calls;
  }

  using Calls = std::vector<std::string>;
  ToyBundle toy;
  OrtApi api;
  std::shared_ptr<CudaDevice> device;
};

TEST_F(OrtCuda, SessionsRunOnTheDevicesStream) {
  append_cuda(api, nullptr, 3, device.get());
  EXPECT_EQ(told.provider["device_id"], "3");
  EXPECT_EQ(told.stream, device->stream());
  EXPECT_EQ(told.calls, Calls{"append"});
}

TEST_F(OrtCuda, WithoutADeviceTheyHaveAStreamOfTheirOwn) {
  append_cuda(api, nullptr, 0, nullptr);
  EXPECT_EQ(told.stream, nullptr);
  EXPECT_EQ(told.calls, Calls{"append"});
}

TEST_F(OrtCuda, TensorsOfTheDeviceAreBoundWhereTheyLieAndRunsAreNotWaitedFor) {
  // Inputs in every run: one that the graph wants in the host's memory is copied while it is bound.
  EXPECT_EQ(calls_of_two_runs({true, device}), (Calls{"in latents Cuda:0", "out prediction Cuda:0", "run",
                                                      "in latents Cuda:0", "run"}));
  EXPECT_EQ(told.run["disable_synchronize_execution_providers"], "1");
}

TEST_F(OrtCuda, TensorsOfTheHostAreCopiedInEveryRunAndRunsAreWaitedFor) {
  EXPECT_EQ(calls_of_two_runs({true, nullptr}), (Calls{"in latents Cpu:0", "out prediction Cpu:0", "run",
                                                       "in latents Cpu:0", "run"}));
  EXPECT_TRUE(told.run.empty());
}

TEST_F(OrtCuda, OnTheProcessorTheSameTensorsAreBoundOnce) {
  EXPECT_EQ(calls_of_two_runs({false, nullptr}),
            (Calls{"in latents Cpu:0", "out prediction Cpu:0", "run", "run"}));
}

TEST_F(OrtCuda, ASessionThatEndsWaitsForItsRuns) {
  bool is_done = false;
  {
    const OrtSession made = session({true, device});
    cuda_host::Runtime::get().queue(static_cast<cudaStream_t>(device->stream()), [&] {
      is_done = true;
      return cudaSuccess;
    });
  }
  EXPECT_TRUE(is_done);
}

TEST_F(OrtCuda, ALibraryWithoutTheProviderSaysWhatToInstall) {
  const OrtApi& real = *ort_library().api;
  OrtSessionOptions* options = nullptr;
  check_ort(real, real.CreateSessionOptions(&options), "making options");
  const OrtHandle<OrtSessionOptions> owned = own(options, real.ReleaseSessionOptions);
  EXPECT_TRUE(names(message_of<BackendError>([&] { append_cuda(real, options, 0, device.get()); }), {"vidrt[cuda]"}));
}

}  // namespace
}  // namespace vidrt::testing
