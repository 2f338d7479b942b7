// Weights that stay on the host where not all fit: which, how many, and that engines are told.
#include <algorithm>
#include <map>
#include <optional>

#include "support/built_backend.h"
#include "support/pipeline_fixture.h"
#include "tensorrt/backend/weight_budget.h"

namespace vidrt::testing {
namespace {

std::uint64_t total(const GenerationPlan& plan) { return plan.total_bytes(); }

std::uint64_t streamed(const GenerationPlan& plan, const std::string& name = "") {
  std::uint64_t bytes = 0;
  for (const PlannedModule& module : plan.modules)
    bytes += name.empty() || module.name == name ? module.streamed_bytes : 0;
  return bytes;
}

class WeightStreaming : public PipelineFixture {
 protected:
  WeightStreaming() {
    for (const char* module : {"text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"}) {
      backend->built[module] = {};
    }
    backend->weight_scale = 1000;
    backend->streamable_percent = 80;
    backend->staging_bytes = 3000;
    backend->workspace_bytes = 500;
  }

  static PipelineOptions budget_of(std::uint64_t bytes) {
    PipelineOptions options;
    options.memory_budget = bytes;
    return options;
  }

  // Nothing where no plan keeps to the budget.
  std::optional<GenerationPlan> plan(std::uint64_t budget, double guidance_scale = 3.0) {
    GenerateOptions options = prompt_options();
    options.guidance_scale = guidance_scale;
    try {
      return open(budget_of(budget)).plan(options);
    } catch (const OutOfMemory&) {
      return std::nullopt;
    }
  }

  // The smallest budget that there is a plan for.
  std::uint64_t smallest(double guidance_scale = 3.0) {
    std::uint64_t bad = 0;
    for (std::uint64_t good = total(*plan(0, guidance_scale)); good - bad > 1;) {
      const std::uint64_t middle = bad + (good - bad) / 2;
      (plan(middle, guidance_scale).has_value() ? good : bad) = middle;
    }
    return bad + 1;
  }

  // A plan that streams.
  GenerationPlan streaming() { return *plan(smallest() + 500); }
};

// Budgets from what suffices for everything to less than anything needs.
TEST_F(WeightStreaming, NoPlanIsAboveItsBudgetAndLessMemoryNeverStreamsLess) {
  for (const double guidance_scale : {1.0, 3.0}) {
    const std::uint64_t everything = total(*plan(0, guidance_scale));
    std::uint64_t before = 0;
    std::map<std::string, int> residencies;
    bool ended = false;
    for (int part = 300; part >= 1; --part) {
      const std::uint64_t budget = everything * static_cast<std::uint64_t>(part) / 300;
      const std::optional<GenerationPlan> found = plan(budget, guidance_scale);
      ended = ended || !found.has_value();
      ASSERT_NE(ended, found.has_value()) << budget << " bytes suffice, and more did not";
      if (!found.has_value()) continue;
      EXPECT_LE(total(*found), budget);
      ++residencies[found->residency];
      EXPECT_EQ(streamed(*found) != 0, found->residency == "stream");
      const std::uint64_t a_step = streamed(*found, "denoiser") * (found->guidance == "sequential" ? 2 : 1);
      EXPECT_GE(a_step, before) << budget;
      before = a_step;
    }
    EXPECT_TRUE(ended);
    EXPECT_EQ(residencies.size(), 3u);
    EXPECT_GT(residencies["stream"], 10);
  }
}

TEST_F(WeightStreaming, WhatAPlanCountsIsWhatItsModulesKeepOnTheDevice) {
  const std::uint64_t least = smallest();
  for (const std::uint64_t more : {0, 1, 500, 2000, 4000}) {
    const GenerationPlan found = *plan(least + more);
    std::map<std::string, std::uint64_t> kept;  // by what is loaded together
    for (const PlannedModule& module : found.modules) {
      EXPECT_LE(module.streamed_bytes, module.weight_bytes * 80 / 100) << module.name;
      kept[module.name.substr(0, 11)] += module.weight_bytes - module.streamed_bytes;
    }
    std::uint64_t most = 0;
    for (const auto& [name, bytes] : kept) most = std::max(most, bytes);
    EXPECT_EQ(kept.size(), 3u);
    ASSERT_EQ(found.residency, "stream") << more;
    EXPECT_EQ(found.weight_bytes, most) << more;
  }
}

TEST_F(WeightStreaming, OnlyAModuleThatStreamsTakesMemoryForIt) {
  const GenerationPlan found = streaming();
  const auto workspace_of = [&](const std::string& stage) {
    const auto tensor = std::find_if(found.tensors.begin(), found.tensors.end(),
                                     [&](const PlannedTensor& one) { return one.name == "workspace_" + stage; });
    return tensor->bytes;
  };
  const std::map<std::string, std::string> stages{{"text_encoder", "encode"},
                                                  {"denoiser", "denoise"},
                                                  {"vae_decoder_first", "decode_first"},
                                                  {"vae_decoder_next", "decode_next"}};
  for (const PlannedModule& module : found.modules) {
    EXPECT_EQ(workspace_of(stages.at(module.name)), module.streamed_bytes == 0 ? 500u : 3500u) << module.name;
  }
}

TEST_F(WeightStreaming, EnginesAreToldWhatToStreamAndTheVideoIsTheSame) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  for (const auto& [name, bytes] : backend->streamed) EXPECT_EQ(bytes, 0u) << name;
  const std::uint64_t budget = smallest() + 500;
  Pipeline pipeline = open(budget_of(budget));
  const GenerationPlan found = pipeline.plan(prompt_options());
  ASSERT_EQ(found.residency, "stream");
  EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected);
  ASSERT_EQ(backend->streamed.size(), found.modules.size());
  for (const PlannedModule& module : found.modules) {
    EXPECT_EQ(backend->streamed[module.name], module.streamed_bytes) << module.name;
  }
}

TEST_F(WeightStreaming, LatentsAreDecodedWithWeightsStreamed) {
  DecodeOptions options;
  std::vector<float> values(4 * 5 * 4 * 6, 0.25f);
  options.latents = {values.data(), DType::kFloat32, {4, 5, 4, 6}};
  const std::uint64_t everything = total(open().plan_decode(options));
  const GenerationPlan staged = open(budget_of(everything - 100)).plan_decode(options);
  ASSERT_EQ(staged.residency, "stage_by_stage");
  const GenerationPlan found = open(budget_of(total(staged) - 100)).plan_decode(options);
  EXPECT_EQ(found.residency, "stream");
  EXPECT_LE(total(found), total(staged) - 100);
  EXPECT_GT(streamed(found), 0u);
}

TEST_F(WeightStreaming, TheErrorNamesTheLeastThatStreamingNeedsAndThatSuffices) {
  const std::uint64_t least = smallest();
  Pipeline pipeline = open(budget_of(least - 1));
  const std::string number = std::to_string(least);
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { pipeline.plan(prompt_options()); }),
                    {("needs at least " + number).c_str(), ("memory_budget of " + number).c_str()}));
  EXPECT_EQ(plan(least)->residency, "stream");
}

TEST_F(WeightStreaming, EnginesThatCannotStreamAreNeverAskedTo) {
  const std::uint64_t with = smallest();
  backend->streamable_percent = 0;
  const std::uint64_t without = smallest();
  EXPECT_GT(without, with);
  EXPECT_EQ(plan(without)->residency, "stage_by_stage");
}

// As much of TensorRT's engine as gets a budget.
struct Engine {
  std::int64_t getStreamableWeightsSize() const { return streamable; }
  bool setWeightStreamingBudgetV2(std::int64_t bytes) {
    calls += "budget " + std::to_string(bytes) + ";";
    return takes;
  }
  int* createExecutionContext(char) {
    calls += "context;";
    return &context;
  }
  std::int64_t streamable = 1000;
  bool takes = true;
  std::string calls;
  int context = 0;
};

std::string calls_of(std::optional<std::uint64_t> streamed_bytes, bool takes = true) {
  Engine engine;
  engine.takes = takes;
  const auto refuse = [&](std::int64_t budget) { engine.calls += "refused " + std::to_string(budget) + ";"; };
  trt::make_context(engine, streamed_bytes, 'u', refuse);
  return engine.calls;
}

TEST(WeightBudget, IsWhatIsNotStreamedAndIsSetBeforeThereIsAContext) {
  EXPECT_EQ(calls_of(0), "budget 1000;context;");
  EXPECT_EQ(calls_of(400), "budget 600;context;");
  EXPECT_EQ(calls_of(1000), "budget 0;context;");
  EXPECT_EQ(calls_of(1001), "budget 0;context;");
  EXPECT_EQ(calls_of(std::nullopt), "context;");                       // an engine that cannot stream has none
  EXPECT_EQ(calls_of(400, false), "budget 600;refused 600;context;");  // where refusing does not throw, as it does
}

}  // namespace
}  // namespace vidrt::testing
