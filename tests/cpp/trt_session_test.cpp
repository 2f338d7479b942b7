// Engines as sessions: what is set when, what is recorded, replayed and forgotten, and what is refused.
#include "tensorrt/backend/trt_session.h"

#include "support/built_backend.h"
#include "support/pipeline_fixture.h"
#include "support/secluded_device.h"
#include "tensorrt/backend/engine_failure.h"

namespace vidrt::testing {
namespace {

using trt::Port;
using trt::TrtSession;

struct Calls {
  int shapes = 0, workspaces = 0, enqueues = 0, done = 0;
  std::map<std::string, void*> bound;  // in the run that was done last
  Shape shape;                         // likewise
  void* workspace = nullptr;
};

// An engine with the input x and the output y, y's shape being x's.
class CountingContext : public trt::EngineContext {
 public:
  CountingContext(SecludedDevice& device, Calls& calls) : device_(device), calls_(calls) {}
  const std::vector<Port>& ports() const override { return ports_; }
  void set_input_shape(const std::string&, const Shape& shape) override {
    if (shape.size() != 1 || shape[0] > 100) throw BackendError("outside the profile");
    ++calls_.shapes;
    shape_ = shape;
  }
  Shape output_shape(const std::string&) override { return shape_; }
  std::size_t workspace_bytes() override { return static_cast<std::size_t>(shape_[0]) * 10; }
  void use_workspace(void* data, std::size_t bytes) override {
    if (bytes < workspace_bytes()) throw BackendError("too small a workspace");
    ++calls_.workspaces;
    calls_.workspace = data;
  }
  void bind(const std::string& name, void* data) override { bound_[name] = data; }
  void enqueue() override {
    ++calls_.enqueues;
    if (sink_) sink_("first layer", 1.0);
    if (fails) throw BackendError("enqueueV3 failed");
    device_.queue([this, bound = bound_, shape = shape_] {
      ++calls_.done;
      calls_.shape = shape;
      calls_.bound = bound;
    });
    if (!sink_) return;
    device_.wait();
    sink_("second layer", static_cast<double>(calls_.done));
  }
  void tell_layers(trt::LayerSink sink) override { sink_ = std::move(sink); }
  bool fails = false;

 private:
  SecludedDevice& device_;
  Calls& calls_;
  std::vector<Port> ports_{{"x", DType::kFloat32, true}, {"y", DType::kFloat32, false}};
  Shape shape_;
  std::map<std::string, void*> bound_;
  trt::LayerSink sink_;
};

class TrtSessionTest : public ::testing::Test {
 protected:
  TrtSessionTest() { make(true); }

  void make(bool cuda_graphs, bool profile_layers = false) {
    auto owned = std::make_unique<CountingContext>(device, calls);
    context = owned.get();
    session = std::make_unique<TrtSession>(
        device, std::move(owned),
        trt::TrtSessionOptions{
            "denoiser", {{"height", {8, 64}}}, cuda_graphs, profile_layers, [this](const std::string& warning) {
              warnings.push_back(warning);
            }});
  }

  static NamedTensor tensor(const char* name, int place, std::int64_t size = 4) {
    return {name, {reinterpret_cast<void*>(static_cast<std::uintptr_t>(place)), DType::kFloat32, {size}}};
  }

  void run(int place, std::int64_t size = 4, Workspace workspace = {&device_memory, 1000}) {
    session->run({tensor("x", place, size)}, {tensor("y", place + 1, size)}, workspace);
  }

  std::string error_of(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs) {
    return message_of<BackendError>([&] { session->run(inputs, outputs, {&device_memory, 1000}); });
  }

  // A run, and which input it was done on.
  void* done_on(int place, std::int64_t size = 4) {
    run(place, size);
    device.wait();
    return calls.bound.at("x");
  }

  SecludedDevice device;
  Calls calls;
  std::vector<std::string> warnings;
  inline static int device_memory = 0;
  CountingContext* context = nullptr;
  std::unique_ptr<TrtSession> session;
};

TEST_F(TrtSessionTest, TheSecondRunOnTheSameTensorsIsRecordedAndLaterOnesAreReplayed) {
  for (int i = 0; i < 5; ++i) run(16);
  device.wait();
  EXPECT_EQ(calls.done, 5);
  EXPECT_EQ(calls.enqueues, 2);  // the plain run, and the one that was recorded
  EXPECT_EQ(device.recordings, 1);
  EXPECT_EQ(device.replays, 4);
  EXPECT_EQ(calls.shapes, 1);
  EXPECT_EQ(calls.workspaces, 1);
}

TEST_F(TrtSessionTest, TensorsInTurnsAreEachReplayed) {
  for (int i = 0; i < 10; ++i) {
    const int place = i % 2 == 0 ? 16 : 32;
    EXPECT_EQ(done_on(place), tensor("x", place).view.data) << i;
  }
  EXPECT_EQ(device.recordings, 2);
  EXPECT_EQ(device.replays, 8);
  EXPECT_EQ(calls.shapes, 1);
}

TEST_F(TrtSessionTest, OtherShapesAreSetAndWhatWasRecordedForTheOldOnesIsForgotten) {
  run(16);
  run(16);
  run(16, 5);
  EXPECT_EQ(calls.shapes, 2);
  EXPECT_EQ(calls.workspaces, 2);
  run(16);
  device.wait();
  EXPECT_EQ(calls.shapes, 3);
  EXPECT_EQ(device.replays, 1);
  EXPECT_EQ(calls.enqueues, 4);
  run(16);
  EXPECT_EQ(device.recordings, 2);
}

TEST_F(TrtSessionTest, AnotherWorkspaceIsSetAndWhatWasRecordedWithTheOldOneIsForgotten) {
  int elsewhere = 0;
  run(16);
  run(16);
  run(16, 4, {&elsewhere, 1000});
  EXPECT_EQ(calls.workspaces, 2);
  EXPECT_EQ(calls.shapes, 1);
  run(16);
  EXPECT_EQ(device.replays, 1);
}

TEST_F(TrtSessionTest, NoMoreIsKeptThanLoopsTakeTurnsWith) {
  for (const int place : {16, 32, 48, 64, 80}) run(place);
  run(80);
  EXPECT_EQ(device.recordings, 1);
  run(16);  // forgotten: a plain run again
  EXPECT_EQ(device.recordings, 1);
  EXPECT_EQ(done_on(80), tensor("x", 80).view.data);
}

TEST_F(TrtSessionTest, WhatCannotBeRecordedIsRunPlainlyAndNotTriedAgain) {
  device.records = false;
  run(16);
  run(16);
  device.records = true;
  run(16);
  device.wait();
  EXPECT_EQ(calls.done, 3);
  EXPECT_EQ(device.recordings, 0);
}

TEST_F(TrtSessionTest, WithoutGraphsNothingIsRecorded) {
  make(false);
  for (int i = 0; i < 3; ++i) run(16);
  device.wait();
  EXPECT_EQ(calls.done, 3);
  EXPECT_EQ(device.recordings, 0);
}

TEST_F(TrtSessionTest, ProfiledRunsAreNotReplayedAndTellWhatTheirLayersTook) {
  make(true, true);
  for (int i = 0; i < 3; ++i) run(16);
  EXPECT_EQ(calls.done, 3);  // each was waited for
  EXPECT_EQ(device.recordings, 0);
  const ModuleProfile profile = session->take_layer_times().profile();
  EXPECT_EQ(profile.runs, 3);
  EXPECT_GT(profile.run_ms, 0.0);
  ASSERT_EQ(profile.layers.size(), 2u);
  EXPECT_EQ(profile.layers[0].name, "second layer");
  EXPECT_DOUBLE_EQ(profile.layers[0].median_ms, 2.0);
  EXPECT_DOUBLE_EQ(profile.layers[1].share, 1.0 / 3);
  EXPECT_EQ(session->take_layer_times().runs(), 0);
}

TEST_F(TrtSessionTest, ARunThatFailsLeavesNothingInTheProfile) {
  make(true, true);
  context->fails = true;
  EXPECT_THROW(run(16), BackendError);
  context->fails = false;
  run(16);
  const ModuleProfile profile = session->take_layer_times().profile();
  EXPECT_EQ(profile.runs, 1);
  EXPECT_DOUBLE_EQ(profile.layers[0].median_ms, 1.0);
}

TEST_F(TrtSessionTest, ARunThatFailsWhileItIsRecordedIsAnErrorAndTheNextOneWorks) {
  run(16);
  context->fails = true;
  EXPECT_THROW(run(16), BackendError);
  context->fails = false;
  run(16);
  run(16);
  device.wait();
  EXPECT_EQ(calls.done, 3);
}

TEST_F(TrtSessionTest, AShapeThatTheEngineRefusesLeavesTheSessionUsable) {
  run(16);
  run(16);
  EXPECT_THROW(run(16, 101), BackendError);
  EXPECT_EQ(done_on(16), tensor("x", 16).view.data);
  EXPECT_EQ(done_on(16), tensor("x", 16).view.data);
  EXPECT_EQ(calls.done, 4);
}

TEST_F(TrtSessionTest, WhereTooLittleIsLentItTakesItsOwnWithAWarningAndGivesItBack) {
  run(16, 4, {&device_memory, 39});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(names(warnings[0], {"denoiser computes in 40 bytes", "sidecar says 39"}));
  EXPECT_NE(calls.workspace, &device_memory);
  EXPECT_EQ(device.blocks(), 1u);
  for (int i = 0; i < 3; ++i) run(16, 4, {&device_memory, 39});
  EXPECT_EQ(warnings.size(), 1u);
  run(16, 4, {&device_memory, 40});
  EXPECT_EQ(calls.workspace, &device_memory);
  run(16, 50, {&device_memory, 40});
  EXPECT_EQ(device.blocks(), 1u);
  session.reset();
  EXPECT_EQ(device.blocks(), 0u);
  EXPECT_EQ(calls.done, 6);
}

TEST_F(TrtSessionTest, WhatAFailedRunLeftSetIsSetAgain) {
  run(16);
  EXPECT_THROW(session->run({tensor("x", 16, 100)}, {tensor("y", 17, 99)}, {&device_memory, 1000}), BackendError);
  done_on(16);
  EXPECT_EQ(calls.shape, Shape{4});
}

TEST_F(TrtSessionTest, AnEngineOfOtherTensorsIsRefusedWithWhatDiffers) {
  EXPECT_TRUE(names(error_of({}, {tensor("y", 1)}), {"denoiser", "input x"}));
  EXPECT_TRUE(names(error_of({tensor("x", 1)}, {}), {"output y"}));
  EXPECT_TRUE(names(error_of({tensor("x", 1), tensor("z", 1)}, {tensor("y", 1)}), {"no input z"}));
  EXPECT_TRUE(names(error_of({tensor("x", 1)}, {tensor("y", 1), tensor("x", 1)}), {"no output x"}));
  NamedTensor half = tensor("x", 1);
  half.view.dtype = DType::kFloat16;
  EXPECT_TRUE(names(error_of({half}, {tensor("y", 1)}), {"input x is float32, expected float16"}));
  EXPECT_TRUE(names(error_of({tensor("x", 1)}, {tensor("y", 1, 5)}), {"gives y as (4,), expected (5,)"}));
  EXPECT_EQ(calls.enqueues, 0);
}

TEST_F(TrtSessionTest, TakesTheSizesThatItsEngineWasBuiltFor) {
  EXPECT_TRUE(session->takes({{"height", {8, 64}}, {"width", {1, 9999}}}));
  EXPECT_FALSE(session->takes({{"height", {8, 65}}}));
  EXPECT_FALSE(session->takes({{"height", {7, 8}}}));
}

TEST_F(TrtSessionTest, ItEndsOnlyWhenItsRunsHave) {
  run(16);
  session.reset();
  EXPECT_EQ(calls.done, 1);
}

class FullDevice : public SecludedDevice {
 public:
  std::string memory_state() const override { return "10 of 100 bytes are free on a full device"; }
};

TEST(EngineFailure, MemoryThatTensorRtIsRefusedIsAnErrorOfItsOwnWithWhatWasAskedAndWhatIsFree) {
  FullDevice device;
  const auto message = [&](const char* said, std::uint64_t bytes) {
    return message_of<OutOfMemory>([&] { trt::fail_in_tensorrt("denoiser: no context", said, device, bytes); });
  };
  for (const char* said : {": Cuda Runtime (out of memory)", ": Error Code 2: OutOfMemory (no further information)"}) {
    EXPECT_TRUE(names(message(said, 90), {"denoiser: no context", said,
                                          "It takes 90 bytes (10 of 100 bytes are free on a full device) or more",
                                          "memory_budget below what is free", "build engines for smaller sizes"}));
    EXPECT_TRUE(names(message(said, 0), {"Now 10 of 100 bytes are free on a full device."}));
  }
}

TEST(EngineFailure, AnythingElseIsWhatTensorRtSaid) {
  FullDevice device;
  EXPECT_EQ(message_of<BackendError>([&] { trt::fail_in_tensorrt("denoiser: no context", ": a reason", device, 90); }),
            "denoiser: no context: a reason");
}

class TrtPipeline : public PipelineFixture {
 protected:
  TrtPipeline() {
    reference->elsewhere = device;
    reference->workspace_bytes = 4000;
  }
  Pipeline open_built(bool cuda_graphs) {
    auto built = std::make_shared<BuiltBackend>(reference, device);
    built->cuda_graphs = cuda_graphs;
    return Pipeline::open(Bundle::open(toy.path()), {}, built);
  }

  std::shared_ptr<SecludedDevice> device = std::make_shared<SecludedDevice>();
  std::shared_ptr<ReferenceBackend> reference = std::make_shared<ReferenceBackend>();
};

TEST_F(TrtPipeline, FramesAreThoseOfTheHostWithGraphsAndWithout) {
  Pipeline host = open();
  for (const bool cuda_graphs : {true, false}) {
    Pipeline pipeline = open_built(cuda_graphs);
    for (const char* scheduler : {"euler", "unipc"}) {
      for (const double guidance : {1.0, 3.0}) {
        for (const int num_frames : {1, 5, 21, 29}) {
          GenerateOptions options = prompt_options(num_frames);
          options.scheduler = scheduler;
          options.guidance_scale = guidance;
          const std::vector<std::uint8_t> expected = pixels(host.generate(options));
          for (const int chunk : {1, 2}) {
            options.decode_chunk = chunk;
            EXPECT_EQ(pixels(pipeline.generate(options)), expected) << scheduler << ", " << num_frames << " frames";
          }
        }
      }
    }
    EXPECT_EQ(device->replays > 0, cuda_graphs);
    device->replays = 0;
  }
}

TEST_F(TrtPipeline, SequentialGuidanceReplaysBothOfItsRuns) {
  reference->built["denoiser"] = {{"batch", {1, 1}}};
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  GenerateOptions options = prompt_options();
  EXPECT_EQ(pixels(open_built(true).generate(options)), expected);
  EXPECT_GE(device->recordings, 2);
}

}  // namespace
}  // namespace vidrt::testing
