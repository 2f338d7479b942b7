// What was measured of activations: read from the user's cache folder, never trusted, and counted by the plan.
#include <filesystem>

#include "runtime/activation_model.h"
#include "runtime/layout_builder.h"
#include "support/pipeline_fixture.h"
#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

class ActivationModelTest : public PipelineFixture {
 protected:
  void TearDown() override { std::filesystem::remove_all(std::filesystem::path(file("denoiser")).parent_path()); }

  std::string file(const std::string& module) { return open().activations_file(module); }

  void write(const std::string& module, const std::string& packed, const std::string& coefficients) {
    write_bytes(file(module), R"({"format": "vidrt.activations.v1", "packed_bytes": )" + packed +
                                  R"(, "coefficients": )" + coefficients + "}");
  }

  // Every module holds 100 bytes, and its activations take what `coefficients` say.
  void write_all(const std::string& coefficients = "[1000, 0, 0, 0, 0]") {
    for (const char* module : {"text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"}) {
      write(module, "100", coefficients);
    }
  }
};

TEST_F(ActivationModelTest, UntilEveryModuleIsMeasuredThePlanSaysThatItDoesNotKnow) {
  EXPECT_FALSE(open().plan(prompt_options()).activations_known);
  write("denoiser", "100", "[1000, 0, 0, 0, 0]");
  const GenerationPlan plan = open().plan(prompt_options());
  EXPECT_FALSE(plan.activations_known);
  for (const StageMemory& stage : plan.stage_memory) EXPECT_EQ(stage.packed_bytes + stage.activation_bytes, 0U);
}

TEST_F(ActivationModelTest, ThePlanCountsAStagesActivationsAndWhatAllLoadedModulesHold) {
  const std::uint64_t without = open().plan(prompt_options()).stage_memory[kPlanDenoise].total_bytes();
  write_all();
  write("denoiser", "100", "[50000, 0, 0, 0, 0]");
  const GenerationPlan plan = open().plan(prompt_options());
  EXPECT_TRUE(plan.activations_known);
  EXPECT_EQ(plan.activation_bytes, 50000U);
  EXPECT_EQ(plan.packed_bytes, 400U);
  EXPECT_EQ(plan.stage_memory[kPlanDenoise].activation_bytes, 50000U);
  EXPECT_LT(plan.stage_memory[kPlanDecodeNext].activation_bytes, 50000U);
  EXPECT_EQ(plan.total_bytes(), without + 50400);
}

TEST_F(ActivationModelTest, TermsAreThoseOfTheSizesOfARun) {
  const GenerationPlan plan = open().plan(prompt_options());
  const double area = plan.latent_height * plan.latent_width;
  const double frames = plan.latent_frames;
  for (const PlannedModule& module : plan.modules) {
    if (module.name == "denoiser") {
      ASSERT_EQ(plan.guidance, "batched");
      const double voxels = area * frames;
      EXPECT_EQ(module.activation_terms,
                (std::vector<double>{1, 2 * voxels, 2 * voxels * voxels, 2 * frames * voxels, 2 * area * voxels}));
    }
    if (module.name == "vae_decoder_next") {
      EXPECT_EQ(module.activation_terms, (std::vector<double>{1, area, area * area, area, area * area}));
    }
  }
}

TEST_F(ActivationModelTest, ABudgetCountsActivations) {
  // Guidance in one run of two prompts takes twice what it takes in two runs.
  write_all("[0, 1000, 0, 0, 0]");
  const GenerationPlan batched = open().plan(prompt_options());
  ASSERT_EQ(batched.guidance, "batched");
  PipelineOptions tight;
  tight.memory_budget = batched.total_bytes() - 1;
  const GenerationPlan sequential = open(tight).plan(prompt_options());
  EXPECT_EQ(sequential.guidance, "sequential");
  EXPECT_EQ(sequential.activation_bytes, batched.activation_bytes / 2);
  tight.memory_budget = batched.activation_bytes / 2;
  EXPECT_THROW(open(tight).plan(prompt_options()), OutOfMemory);
}

TEST_F(ActivationModelTest, StageByStageOnlyWhatIsLoadedTogetherCounts) {
  write_all();
  PipelineOptions tight;
  for (GenerationPlan plan = open().plan(prompt_options()); plan.residency == "all";) {
    tight.memory_budget = plan.total_bytes() - 1;
    plan = open(tight).plan(prompt_options());
  }
  EXPECT_EQ(open(tight).plan(prompt_options()).packed_bytes, 100U);
}

TEST_F(ActivationModelTest, AFileThatSaysAnythingElseIsAsIfNothingHadBeenMeasured) {
  for (const auto& [packed, coefficients] :
       std::vector<std::pair<std::string, std::string>>{{"-1", "[0, 0, 0, 0, 0]"},
                                                        {"1e300", "[0, 0, 0, 0, 0]"},
                                                        {"\"1\"", "[0, 0, 0, 0, 0]"},
                                                        {"1", "[0, 0, 0, 0]"},
                                                        {"1", "[0, 0, 0, 0, -1e-9]"},
                                                        {"1", "[0, 0, 0, 0, null]"},
                                                        {"1", "7"},
                                                        {"1, \"more\": 2", "[0, 0, 0, 0, 0]"}}) {
    write("denoiser", packed, coefficients);
    EXPECT_FALSE(read_activation_model(file("denoiser")).has_value()) << packed << " " << coefficients;
  }
  write_bytes(file("denoiser"), std::string(1 << 20, ' '));
  EXPECT_FALSE(read_activation_model(file("denoiser")).has_value());
  write("denoiser", "1", "[0, 0, 0, 0, 4e18]");
  const auto largest = read_activation_model(file("denoiser"));
  ASSERT_TRUE(largest.has_value());
  write("text_encoder", "1", "[-1000, 10, 0, 0, 0]");
  EXPECT_EQ(read_activation_model(file("text_encoder"))->activation_bytes({1, 200, 0, 0, 0}), 1000U);
  EXPECT_EQ(read_activation_model(file("text_encoder"))->activation_bytes({1, 20, 0, 0, 0}), 0U);
  EXPECT_EQ(largest->activation_bytes({1, 1e6, 1e6, 1e6, 1e6}), std::uint64_t{1} << 62U);
}

TEST_F(ActivationModelTest, OtherThreadsAreAnotherFile) {
  PipelineOptions threads;
  threads.threads = 3;
  EXPECT_NE(open(threads).activations_file("denoiser"), file("denoiser"));
  EXPECT_NE(file("text_encoder"), file("denoiser"));
}

}  // namespace
}  // namespace vidrt::testing
