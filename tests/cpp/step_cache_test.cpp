// Steps that use an earlier prediction again: which they are, that nothing else changes, and what is refused.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

using Tensors = std::vector<NamedTensor>;

const TensorView& tensor(const Tensors& tensors, const std::string& name) {
  return std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name == name; })->view;
}

std::vector<float> floats(const TensorView& view) { return {view.as<float>(), view.as<float>() + view.elements()}; }

double mean_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::fabs(static_cast<double>(a[i]) - b[i]);
  return sum / static_cast<double>(a.size());
}

class StepCacheTest : public PipelineFixture {
 protected:
  static constexpr int kSteps = 12;

  GenerateOptions options(double threshold) {
    GenerateOptions options = prompt_options();
    options.num_inference_steps = kSteps;
    options.step_cache = threshold;
    return options;
  }

  // Runs of the denoiser, of both prompts where guidance is batched.
  int runs(Pipeline& pipeline, const GenerateOptions& given, Video* video) {
    int count = 0;
    backend->before_run = [&](const std::string& module) { count += module == "denoiser" ? 1 : 0; };
    *video = pipeline.generate(given);
    backend->before_run = nullptr;
    return count;
  }
};

TEST_F(StepCacheTest, WithoutAThresholdEveryStepRunsAndThePlanHoldsNothingMore) {
  Pipeline pipeline = open();
  Video video;
  EXPECT_EQ(runs(pipeline, options(0.0), &video), kSteps);
  EXPECT_TRUE(video.metadata.skipped_steps.empty());
  const GenerationPlan plan = pipeline.plan(options(0.0));
  const GenerationPlan cached = pipeline.plan(options(0.1));
  EXPECT_EQ(cached.tensors.size(), plan.tensors.size() + 2);
  EXPECT_EQ(plan.step_cache, 0.0);
  EXPECT_EQ(cached.step_cache, 0.1);
}

TEST_F(StepCacheTest, AThresholdThatNothingStaysBelowGivesTheFramesOfEveryStep) {
  Pipeline pipeline = open();
  Video video;
  EXPECT_EQ(runs(pipeline, options(1e-12), &video), kSteps);
  EXPECT_EQ(pixels(video), pixels(pipeline.generate(options(0.0))));
}

TEST_F(StepCacheTest, FirstTwoStepsAndTheLastAlwaysRun) {
  Pipeline pipeline = open();
  for (const char* scheduler : {"euler", "unipc", "dpmpp_2m", "lcm"}) {
    GenerateOptions given = options(1e9);
    given.scheduler = scheduler;
    Video video;
    EXPECT_EQ(runs(pipeline, given, &video), 3) << scheduler;
    std::vector<int> expected(kSteps - 3);
    for (int i = 0; i < kSteps - 3; ++i) expected[static_cast<std::size_t>(i)] = i + 2;
    EXPECT_EQ(video.metadata.skipped_steps, expected) << scheduler;
    EXPECT_EQ(video.metadata.step_cache, 1e9);
    for (const int steps : {1, 2, 3}) {
      given.num_inference_steps = steps;
      EXPECT_EQ(runs(pipeline, given, &video), steps) << scheduler;
    }
  }
}

// The rule written out: a prediction's change by the way of the sample, measured between runs, and the way since.
TEST_F(StepCacheTest, AStepIsSkippedWhileTheExpectedChangeStaysBelowTheThreshold) {
  constexpr double kThreshold = 0.1;
  for (const char* scheduler : {"euler", "unipc", "dpmpp_2m"}) {
    Pipeline pipeline = open();
    GenerateOptions given = options(kThreshold);
    given.scheduler = scheduler;
    std::vector<std::vector<float>> samples, predictions;  // of each run
    std::vector<int> ran;
    int step = 0;
    backend->after_run = [&](const std::string& module, const Tensors& inputs, const Tensors& outputs) {
      if (module != "denoiser") return;
      samples.push_back(floats(tensor(inputs, "latents")));
      predictions.push_back(floats(tensor(outputs, "prediction")));
      ran.push_back(step);
    };
    Callbacks callbacks;
    callbacks.on_step = [&](const StepEvent& event) { step = event.step + 1; };
    const Video video = pipeline.generate(given, callbacks);
    backend->after_run = nullptr;
    const std::vector<int>& skipped = video.metadata.skipped_steps;
    EXPECT_FALSE(skipped.empty()) << scheduler;
    EXPECT_GT(ran.size(), 3u) << scheduler;
    EXPECT_EQ(ran.size() + skipped.size(), static_cast<std::size_t>(kSteps)) << scheduler;
    for (std::size_t i = 2; i + 1 < ran.size(); ++i) {
      // With what the runs saw alone: a run's sample lies at least as far from the last run's as would be skipped.
      // The way is at least as long as the distance, and equal to it on the straight way of one step.
      if (ran[i] != ran[i - 1] + 1 || ran[i - 1] != ran[i - 2] + 1) continue;
      const double rate =
          mean_difference(predictions[i - 1], predictions[i - 2]) / mean_difference(samples[i - 1], samples[i - 2]);
      const double size = mean_difference(predictions[i - 1], std::vector<float>(predictions[i - 1].size(), 0.0f));
      EXPECT_GE(rate * mean_difference(samples[i], samples[i - 1]), kThreshold * size * 0.999) << scheduler << ran[i];
    }
  }
}

TEST_F(StepCacheTest, AHigherThresholdSkipsMoreAndTwoRunsAgree) {
  Pipeline pipeline = open();
  std::size_t most = 0;
  for (const double threshold : {0.01, 0.05, 0.2, 1.0}) {
    const Video video = pipeline.generate(options(threshold));
    EXPECT_GE(video.metadata.skipped_steps.size(), most) << threshold;
    most = video.metadata.skipped_steps.size();
    const Video again = pipeline.generate(options(threshold));
    EXPECT_EQ(pixels(again), pixels(video));
    EXPECT_EQ(again.metadata.skipped_steps, video.metadata.skipped_steps);
  }
  EXPECT_GT(most, 3u);
}

TEST_F(StepCacheTest, FramesAndSkippedStepsAreTheSameUnderEveryPlan) {
  Pipeline resident = open();
  const Video expected = resident.generate(options(0.05));
  ASSERT_FALSE(expected.metadata.skipped_steps.empty());
  PipelineOptions budget;
  for (GenerationPlan plan = resident.plan(options(0.05)); plan.residency == "all";) {
    budget.memory_budget = plan.total_bytes() - 1;
    Pipeline pipeline = open(budget);
    plan = pipeline.plan(options(0.05));
    const Video video = pipeline.generate(options(0.05));
    EXPECT_EQ(pixels(video), pixels(expected)) << plan.guidance;
    EXPECT_EQ(video.metadata.skipped_steps, expected.metadata.skipped_steps) << plan.guidance;
  }
}

TEST_F(StepCacheTest, AThresholdThatIsNoneIsRefused) {
  Pipeline pipeline = open();
  for (const double bad : {-0.1, static_cast<double>(std::nanf("")), std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(
        names(message_of<InvalidArgument>([&] { pipeline.generate(options(bad)); }), {"step_cache", "0 (off)"}));
  }
}

TEST(MeanDifference, IsThatOfEveryElementWhateverTheirNumber) {
  for (const std::int64_t count : {1, 5, kDifferenceLanes, kDifferenceLanes + 1, 3 * kDifferenceLanes + 77}) {
    std::vector<float> a(static_cast<std::size_t>(count)), b(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      a[i] = std::sin(static_cast<float>(i));
      b[i] = std::cos(static_cast<float>(3 * i));
    }
    const TensorView first{a.data(), DType::kFloat32, {count}};
    const TensorView second{b.data(), DType::kFloat32, {count}};
    EXPECT_NEAR(host_device().mean_difference(first, second), mean_difference(a, b), 1e-6) << count;
    EXPECT_NEAR(host_device().mean_magnitude(first), mean_difference(a, std::vector<float>(a.size(), 0.0f)), 1e-6);
  }
}

}  // namespace
}  // namespace vidrt::testing
