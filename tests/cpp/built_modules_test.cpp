// A backend whose modules were built for ranges of sizes and compute in memory that the plan lends them, as engines do.
#include <algorithm>

#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

class BuiltModules : public PipelineFixture {
 protected:
  BuiltModules() {
    for (const char* module : {"text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"}) {
      backend->built[module] = {};
    }
  }

  // A budget that is too small by one byte for what `pipeline` plans.
  static PipelineOptions less_than(const GenerationPlan& plan) {
    PipelineOptions options;
    options.memory_budget = plan.total_bytes() - 1;
    return options;
  }
};

TEST_F(BuiltModules, AWorkspaceNeverLiesOnWhatSomebodyNeeds) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options(21)));
  for (const std::uint64_t bytes : {1, 1000, 300000}) {
    backend->workspace_bytes = bytes;
    for (const int chunk : {1, 3, 5}) {
      GenerateOptions options = prompt_options(21);
      options.decode_chunk = chunk;
      PipelineOptions budget;
      for (GenerationPlan plan;; budget = less_than(plan)) {
        Pipeline pipeline = open(budget);
        plan = pipeline.plan(options);
        EXPECT_EQ(pixels(pipeline.generate(options)), expected) << bytes << " bytes, " << plan.guidance;
        if (plan.residency != "all") break;
      }
    }
  }
}

TEST_F(BuiltModules, TheWorkspacesOfTheStagesShareTheirPlaceInThePlan) {
  const GenerationPlan without = open().plan(prompt_options());
  backend->workspace_bytes = 1 << 20;
  const GenerationPlan plan = open().plan(prompt_options());
  const auto count = std::count_if(plan.tensors.begin(), plan.tensors.end(), [](const PlannedTensor& tensor) {
    return tensor.name.rfind("workspace_", 0) == 0;
  });
  EXPECT_EQ(count, 4);
  EXPECT_GE(plan.arena_bytes, std::uint64_t{1} << 20);
  EXPECT_LE(plan.arena_bytes, (std::uint64_t{1} << 20) + without.arena_bytes);
  EXPECT_EQ(plan.stages,
            (std::vector<std::string>{"encode", "encode_image", "denoise", "decode_first", "decode_next"}));
}

TEST_F(BuiltModules, ADenoiserThatTakesOnePromptIsGivenThemOneAfterAnother) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  backend->built["denoiser"] = {{"batch", {1, 1}}};
  Pipeline pipeline = open();
  EXPECT_EQ(pipeline.plan(prompt_options()).guidance, "sequential");
  EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected);
}

TEST_F(BuiltModules, ASizeThatNothingTakesIsRefusedBeforeAnythingIsLoaded) {
  using Case = std::pair<const char*, ModuleSizes>;
  const Case cases[] = {
      {"denoiser", {{"height", {16, 32}}}},     {"denoiser", {{"width", {16, 32}}}},
      {"denoiser", {{"num_frames", {1, 9}}}},   {"text_encoder", {{"batch", {2, 2}}}},
      {"vae_decoder_next", {{"height", {4, 4}}}}, {"vae_decoder_next", {{"decode_chunk", {2, 8}}}},
      {"vae_decoder_first", {{"width", {4, 8}}}},
  };
  for (const auto& [module, sizes] : cases) {
    backend->built = {{module, sizes}};
    Pipeline pipeline = open();
    const std::string message = message_of<BackendError>([&] { pipeline.generate(prompt_options()); });
    EXPECT_NE(message.find(std::string("no engine of ") + module), std::string::npos) << message;
    EXPECT_THROW(pipeline.plan(prompt_options()), BackendError) << module;
    EXPECT_EQ(backend->loads(), 0) << module;
  }
}

TEST_F(BuiltModules, AModuleThatDoesNotTakeTheNextSizeIsLoadedAgainAndTheOthersStay) {
  backend->exact = true;
  Pipeline pipeline = open();
  pipeline.generate(prompt_options(13));
  pipeline.generate(prompt_options(13));
  EXPECT_EQ(backend->loads(), 4);
  const std::vector<std::uint8_t> longer = pixels(pipeline.generate(prompt_options(21)));
  EXPECT_EQ(backend->loads(), 5);  // the denoiser; a causal decoder does not depend on num_frames
  EXPECT_EQ(backend->most_alive(), 4);
  EXPECT_EQ(pixels(open().generate(prompt_options(21))), longer);
}

TEST_F(BuiltModules, EnginesOfADecoderEachHoldTheirWeights) {
  const std::uint64_t apart = open().plan(prompt_options()).weight_bytes;
  backend->built.clear();
  EXPECT_GT(apart, open().plan(prompt_options()).weight_bytes);
}

TEST_F(BuiltModules, APromptAloneIsEncodedInALentWorkspace) {
  const std::vector<float> expected = open().encode_prompt("red circle").values;
  backend->workspace_bytes = 5000;
  Pipeline pipeline = open();
  EXPECT_EQ(pipeline.encode_prompt("red circle").values, expected);
  EXPECT_NO_THROW(pipeline.generate(prompt_options()));
}

}  // namespace
}  // namespace vidrt::testing
