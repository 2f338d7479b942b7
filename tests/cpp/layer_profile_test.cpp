// What layers took: medians over runs, the files that ONNX Runtime writes, and pipelines that are asked for it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include "onnxruntime/ort_profile.h"
#include "runtime/c_api_internal.h"
#include "support/built_backend.h"
#include "support/environment_variable.h"
#include "support/ort_test.h"
#include "support/pipeline_fixture.h"
#include "support/secluded_device.h"
#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

TEST(LayerTimes, HaveMediansOverRunsAndSharesOfThose) {
  LayerTimes times;
  for (const double ms : {5.0, 1.0, 3.0}) {
    times.add("slow", "Conv", 2 * ms);
    times.add("quick", "Add", ms / 2);
    times.add("quick", "Add", ms / 2);  // twice in one run
    times.end_run(4 * ms);
  }
  LayerTimes later;  // of another session
  later.add("slow", "Conv", 8.0);
  later.end_run(16.0);
  later.add("lost", "Add", 1.0);
  later.drop_run();
  later.miss_runs(2);
  times.append(std::move(later));
  const ModuleProfile profile = times.profile();
  EXPECT_EQ(profile.runs, 4);
  EXPECT_EQ(profile.missed_runs, 2);
  EXPECT_DOUBLE_EQ(profile.run_ms, 14.0);
  ASSERT_EQ(profile.layers.size(), 2u);
  EXPECT_EQ(profile.layers[0].name, "slow");
  EXPECT_EQ(profile.layers[0].type, "Conv");
  EXPECT_DOUBLE_EQ(profile.layers[0].median_ms, 7.0);
  EXPECT_DOUBLE_EQ(profile.layers[0].share, 0.7);
  EXPECT_DOUBLE_EQ(profile.layers[1].median_ms, 3.0);
  EXPECT_DOUBLE_EQ(profile.layers[1].share, 0.3);
  EXPECT_TRUE(LayerTimes().profile().layers.empty());
}

class OrtProfileFile : public ::testing::Test {
 protected:
  std::string written(const std::string& text) const {
    std::string path = (std::filesystem::path(folder.path()) / "profile.json").string();
    std::ofstream(path) << text;
    return path;
  }
  TempFolder folder;
};

TEST_F(OrtProfileFile, GivesTheNodesOfEachRunThatEnded) {
  const std::string node = R"({"cat":"Node","dur":2500,"name":"conv_kernel_time","args":{"op_name":"Conv","x":[{}]}})";
  const std::string run = R"({"cat":"Session","dur":4000,"name":"model_run","args":{}})";
  const std::string other = R"({"cat":"Session","dur":1,"name":"session_initialization","args":{}})";
  const std::string strange = R"({"cat":"Node","dur":"1","name":7},{"cat":"Node","dur":9,"name":"_kernel_time"})";
  const std::string path = written("[" + other + "," + node + "," + strange + "," + run + "," + node + "]");
  const ModuleProfile profile = read_ort_profile(path).profile();
  EXPECT_EQ(profile.runs, 1);
  EXPECT_DOUBLE_EQ(profile.run_ms, 4.0);
  ASSERT_EQ(profile.layers.size(), 1u);
  EXPECT_EQ(profile.layers[0].name, "conv");
  EXPECT_EQ(profile.layers[0].type, "Conv");
  EXPECT_DOUBLE_EQ(profile.layers[0].median_ms, 2.5);
}

TEST_F(OrtProfileFile, ThatIsNoneIsRefused) {
  for (const char* text : {"", "[{\"cat\":\"Node\"", "{}", "7", "[1,2"}) {
    EXPECT_TRUE(names(message_of<BackendError>([&] { read_ort_profile(written(text)); }), {"is no profile"})) << text;
  }
  EXPECT_THROW(read_ort_profile(folder.path() + "/none"), BackendError);
}

class ProfiledPipeline : public PipelineFixture {
 protected:
  static PipelineOptions profiled() {
    PipelineOptions options;
    options.profile_layers = true;
    return options;
  }
};

TEST_F(ProfiledPipeline, TellsOfEveryModuleThatRanAndGeneratesAgain) {
  auto device = std::make_shared<SecludedDevice>();
  auto reference = std::make_shared<ReferenceBackend>();
  reference->elsewhere = device;
  Pipeline pipeline =
      Pipeline::open(Bundle::open(toy.path()), profiled(), std::make_shared<BuiltBackend>(reference, device));
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected);
  EXPECT_EQ(device->recordings, 0);
  const LayerProfile profile = pipeline.take_layer_profile();
  ASSERT_EQ(profile.size(), 4u);
  EXPECT_EQ(profile[0].module, "denoiser");
  EXPECT_EQ(profile[0].runs, prompt_options().num_inference_steps.value_or(0));
  for (const ModuleProfile& module : profile) {
    ASSERT_EQ(module.layers.size(), 1u);
    EXPECT_EQ(module.layers[0].name, "all of " + module.module);
    EXPECT_EQ(module.variant, "fp32");
    EXPECT_DOUBLE_EQ(module.layers[0].share, 1.0);
  }
  EXPECT_TRUE(pipeline.take_layer_profile().empty());
  EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected);
  EXPECT_EQ(pipeline.take_layer_profile()[0].runs, profile[0].runs);
}

TEST_F(ProfiledPipeline, RunsOfOneModuleAddUpOverTheSessionsThatItHad) {
  auto device = std::make_shared<SecludedDevice>();
  auto reference = std::make_shared<ReferenceBackend>();
  reference->elsewhere = device;
  const auto built = std::make_shared<BuiltBackend>(reference, device);
  PipelineOptions options = profiled();
  GenerationPlan plan = Pipeline::open(Bundle::open(toy.path()), {}, built).plan(prompt_options());
  while (plan.residency == "all") {
    options.memory_budget = plan.total_bytes() - 1;
    plan = Pipeline::open(Bundle::open(toy.path()), options, built).plan(prompt_options());
  }
  Pipeline pipeline = Pipeline::open(Bundle::open(toy.path()), options, built);
  for (int i = 0; i < 2; ++i) pipeline.generate(prompt_options());
  const int runs_of_a_step = plan.guidance == "sequential" ? 2 : 1;
  EXPECT_EQ(pipeline.take_layer_profile()[0].runs,
            2 * prompt_options().num_inference_steps.value_or(0) * runs_of_a_step);
}

TEST_F(ProfiledPipeline, OneThatWasNotAskedToTellsNothing) {
  EXPECT_TRUE(names(message_of<InvalidArgument>([&] { open().take_layer_profile(); }), {"profile_layers"}));
}

TEST_F(ProfiledPipeline, OnnxRuntimeOnAGpuIsRefusedBeforeAnythingIsOpened) {
  PipelineOptions options = profiled();
  options.backend = "onnxruntime-cuda";
  const std::string message = message_of<InvalidArgument>([&] { Pipeline::open("/nowhere", options); });
  EXPECT_TRUE(names(message, {"profile_layers does not go with the backend onnxruntime-cuda", "use tensorrt"}));
}

class ProfiledOrtPipeline : public OrtTest {};

TEST_F(ProfiledOrtPipeline, TellsWhatTheNodesOfTheShippedModelTookThroughTheCInterfaceToo) {
  vidrt_pipeline_options options{};
  options.struct_size = sizeof options;
  options.backend = "onnxruntime";
  options.threads = 1;
  options.profile_layers = 1;
  vidrt_pipeline* pipeline = nullptr;
  const std::string bundle = std::string(VIDRT_SOURCE_DIR) + "/models/pocket";
  ASSERT_EQ(vidrt_pipeline_open(bundle.c_str(), &options, &pipeline), VIDRT_OK) << vidrt_last_error();
  vidrt_generate_options wish{};
  wish.struct_size = sizeof wish;
  ASSERT_EQ(vidrt_generate_options_init(pipeline, &wish), VIDRT_OK);
  wish.prompt = "a red circle";
  wish.height = wish.width = 32;
  wish.num_frames = 9;
  wish.num_inference_steps = 3;
  vidrt_video* video = nullptr;
  ASSERT_EQ(vidrt_pipeline_generate(pipeline, &wish, nullptr, &video), VIDRT_OK) << vidrt_last_error();
  vidrt_layer_profile* profile = nullptr;
  ASSERT_EQ(vidrt_pipeline_take_layer_profile(pipeline, &profile), VIDRT_OK) << vidrt_last_error();

  const std::int32_t count = vidrt_layer_profile_count(profile);
  ASSERT_GT(count, 100);
  std::map<std::string, double> shares, sums, runs;
  double last_ms = std::numeric_limits<double>::infinity();
  std::string last_module;
  bool has_operator = false;
  for (std::int32_t i = 0; i < count; ++i) {
    vidrt_layer_time layer{};
    layer.struct_size = sizeof layer;
    ASSERT_EQ(vidrt_layer_profile_get(profile, i, &layer), VIDRT_OK);
    EXPECT_STRNE(layer.name, "");
    EXPECT_STRNE(layer.type, "");
    if (layer.module == last_module) {
      EXPECT_LE(layer.median_ms, last_ms);
    }
    last_module = layer.module;
    last_ms = layer.median_ms;
    shares[layer.module] += layer.share;
    sums[layer.module] += layer.median_ms;
    runs[layer.module] = layer.runs;
    EXPECT_EQ(layer.missed_runs, 0);
    EXPECT_GT(layer.run_ms, 0.0);
    has_operator = has_operator || std::string(layer.type).find("DepthwiseSeparableConv3d") != std::string::npos;
  }
  EXPECT_TRUE(has_operator);
  ASSERT_EQ(shares.size(), 4u);
  EXPECT_EQ(runs["denoiser"], 3);
  EXPECT_EQ(runs["text_encoder"], 2);
  for (const auto& [module, share] : shares) EXPECT_NEAR(share, 1.0, 1e-9) << module;

  vidrt_layer_time outside{};
  outside.struct_size = sizeof outside;
  EXPECT_EQ(vidrt_layer_profile_get(profile, count, &outside), VIDRT_INVALID_ARGUMENT);
  EXPECT_EQ(vidrt_layer_profile_get(profile, -1, &outside), VIDRT_INVALID_ARGUMENT);
  EXPECT_EQ(vidrt_layer_profile_count(nullptr), 0);
  vidrt_layer_profile_free(profile);
  vidrt_layer_profile_free(nullptr);
  vidrt_video_free(video);
  vidrt_pipeline_free(pipeline);
}

// Of the pipeline's own: ONNX Runtime writes another one there when a process first uses it.
std::int64_t profiles_in(const std::string& folder) {
  const std::filesystem::directory_iterator entries(folder);
  return std::count_if(begin(entries), end(entries), [](const std::filesystem::directory_entry& entry) {
    return entry.path().filename().string().rfind("vidrt-profile-", 0) == 0;
  });
}

TEST_F(ProfiledOrtPipeline, LeavesNoFilesBehindAndSaysWhereNoneCanBeWritten) {
  const TempFolder temporary;
  PipelineOptions options;
  options.backend = "onnxruntime";
  options.threads = 1;
  options.profile_layers = true;
  GenerateOptions wish;
  wish.prompt = "a red circle";
  wish.height = wish.width = 32;
  wish.num_frames = 9;
  wish.num_inference_steps = 1;
  {
    const EnvironmentVariable folder("TMPDIR", temporary.path());
    Pipeline pipeline = Pipeline::open(std::string(VIDRT_SOURCE_DIR) + "/models/pocket", options);
    pipeline.generate(wish);
    EXPECT_GT(profiles_in(temporary.path()), 0);
    pipeline.take_layer_profile();
    EXPECT_EQ(profiles_in(temporary.path()), 0);
    pipeline.generate(wish);  // whose profile nobody takes
  }
  EXPECT_EQ(profiles_in(temporary.path()), 0);
  const EnvironmentVariable folder("TMPDIR", "/nowhere");
  Pipeline pipeline = Pipeline::open(std::string(VIDRT_SOURCE_DIR) + "/models/pocket", options);
  EXPECT_TRUE(names(message_of<IoError>([&] { pipeline.generate(wish); }), {"ONNX Runtime's profile", "set TMPDIR"}));
}

}  // namespace
}  // namespace vidrt::testing
