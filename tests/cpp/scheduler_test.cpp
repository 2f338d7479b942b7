#include "runtime/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

std::string unipc_config(int order, const std::string& more = "") {
  return R"({"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": true,
             "flow_shift": 3.0, "solver_order": )" +
         std::to_string(order) + more + "}";
}

std::string dpm_config(int order, const std::string& more = "") {
  return R"({"_class_name": "DPMSolverMultistepScheduler", "prediction_type": "flow_prediction",
             "use_flow_sigmas": true, "flow_shift": 3.0, "solver_order": )" +
         std::to_string(order) + more + "}";
}

const char* const kEuler = R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})";

struct Algorithm {
  const char* name;
  std::string config;
};

const std::vector<Algorithm>& algorithms() {
  static const std::vector<Algorithm> all = {{"euler", kEuler},
                                             {"unipc 1", unipc_config(1)},
                                             {"unipc 2", unipc_config(2)},
                                             {"unipc 3", unipc_config(3)},
                                             {"unipc 2 bh1", unipc_config(2, R"(, "solver_type": "bh1")")},
                                             {"dpm 1", dpm_config(1)},
                                             {"dpm 2", dpm_config(2)},
                                             {"dpm 2 heun", dpm_config(2, R"(, "solver_type": "heun")")},
                                             {"dpm 3", dpm_config(3)}};
  return all;
}

// The header's formulas in double, for one scalar.
class ScalarRun {
 public:
  ScalarRun(const SchedulerTable& table, double sample) : table_(table), sample_(sample) {}

  double sample() const { return sample_; }

  void step(std::size_t index, double output) {
    const StepCoefficients& c = table_.steps[index];
    const double m = c.to_m_sample * sample_ + c.to_m_output * output;
    double x = sample_;
    if (c.correct) x = c.c_prev * prev_ + c.c_m * m + combine(c.c_history);
    sample_ = c.p_sample * x + c.p_m * m + combine(c.p_history);
    prev_ = x;
    for (std::size_t j = kMaxHistory - 1; j > 0; --j) history_[j] = history_[j - 1];
    history_[0] = m;
  }

 private:
  double combine(const std::array<double, kMaxHistory>& coefficients) const {
    double sum = 0.0;
    for (std::size_t j = 0; j < kMaxHistory; ++j) sum += coefficients[j] == 0.0 ? 0.0 : coefficients[j] * history_[j];
    return sum;
  }

  const SchedulerTable& table_;
  double sample_;
  double prev_ = std::numeric_limits<double>::quiet_NaN();
  std::array<double, kMaxHistory> history_{};
};

// A single data point x0: its flow is a straight line, which every one of these methods follows exactly.
TEST(SchedulerTable, EveryAlgorithmFollowsAStraightFlowExactly) {
  for (const Algorithm& algorithm : algorithms()) {
    for (int steps : {1, 2, 5, 30}) {
      const SchedulerTable table = make_scheduler_table(algorithm.config, "", steps);
      const double x0 = 0.75;
      const double noise = -1.25;
      ScalarRun run(table, (1.0 - table.sigmas[0]) * x0 + table.sigmas[0] * noise);
      for (std::size_t i = 0; i < table.steps.size(); ++i) {
        run.step(i, noise - x0);
        const double expected = (1.0 - table.sigmas[i + 1]) * x0 + table.sigmas[i + 1] * noise;
        EXPECT_NEAR(run.sample(), expected, 1e-9) << algorithm.name << ", step " << i << " of " << steps;
      }
    }
  }
}

// The same for models that predict noise: whatever the levels, noise is told from data at once.
TEST(SchedulerTable, EveryAlgorithmForNoiseFollowsASinglePointExactly) {
  const std::string modelscope = R"("beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
                                    "timestep_spacing": "leading", "steps_offset": 1)";
  const std::vector<std::string> classes = {R"("DDIMScheduler", "clip_sample": false)", R"("EulerDiscreteScheduler")",
                                            R"("DPMSolverMultistepScheduler")", R"("UniPCMultistepScheduler")"};
  for (const std::string& of_class : classes) {
    for (int steps : {1, 2, 5, 30}) {
      const SchedulerTable table =
          make_scheduler_table(R"({"_class_name": )" + of_class + ", " + modelscope + "}", "", steps);
      EXPECT_FALSE(table.adds_noise);
      const double x0 = 0.75;
      const double noise = -1.25;
      const bool is_ddim = table.name == "ddim";  // its sigmas are those of the sample
      const auto at = [&](double sigma) {
        const double alpha = is_ddim ? std::sqrt(1.0 - sigma * sigma) : 1.0 / std::sqrt(1.0 + sigma * sigma);
        return alpha * x0 + (is_ddim ? sigma : alpha * sigma) * noise;
      };
      ScalarRun run(table, at(table.sigmas[0]));
      for (std::size_t i = 0; i < table.steps.size(); ++i) run.step(i, noise);
      EXPECT_NEAR(run.sample(), at(table.sigmas.back()), 1e-9) << of_class << ", " << steps;
      EXPECT_EQ(table.sigmas.back(), 0.0) << of_class;
    }
  }
}

TEST(SchedulerTable, TheNoiseThatStepsAddIsReadFromTheOldestHistory) {
  const SchedulerTable sde = make_scheduler_table(
      R"({"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"})", "", 6);
  EXPECT_TRUE(sde.adds_noise);
  EXPECT_EQ(sde.name, "dpmpp_2m_sde");
  EXPECT_EQ(sde.num_history, 2);
  const SchedulerTable ancestral = make_scheduler_table(R"({"_class_name": "EulerAncestralDiscreteScheduler"})", "", 6);
  EXPECT_TRUE(ancestral.adds_noise);
  EXPECT_EQ(ancestral.num_history, 1);
  const SchedulerTable lcm = make_scheduler_table(kEuler, "lcm", 6);
  EXPECT_TRUE(lcm.adds_noise);
  EXPECT_EQ(lcm.num_history, 1);
  for (const SchedulerTable* table : {&sde, &ancestral, &lcm}) {
    const auto oldest = static_cast<std::size_t>(table->num_history - 1);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_GT(table->steps[i].p_history[oldest], 0.0);
    EXPECT_EQ(table->steps[5].p_history[oldest], 0.0);  // the video has no noise in it
  }
}

// Whatever the sample was: a step is the prediction of the data and fresh noise, by the next level alone.
TEST(SchedulerTable, AStepWithFreshNoiseIsTheDataMixedWithItAtTheNextChosenTimestep) {
  const SchedulerTable table =
      make_scheduler_table(R"({"_class_name": "FlowMatchLCMScheduler", "timesteps": [1000, 757, 522]})", "", 3);
  EXPECT_EQ(table.name, "lcm");
  ASSERT_EQ(table.steps.size(), 3u);
  const std::vector<double> timesteps = {1000, 757, 522, 0};
  std::vector<float> sample = {-1.25f}, history = {0.0f};
  StepTensors tensors;
  tensors.sample = sample.data();
  tensors.history[0] = history.data();
  tensors.count = 1;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(table.steps[i].timestep, timesteps[i]);
    EXPECT_NEAR(table.sigmas[i], timesteps[i] / 1000, 1e-7);
    const double sigma = timesteps[i] / 1000;
    const double next = timesteps[i + 1] / 1000;
    const double x0 = 0.75 + static_cast<double>(i);
    const auto noise = static_cast<float>(i) - 0.5f;
    const auto output = static_cast<float>((static_cast<double>(sample[0]) - x0) / sigma);
    tensors.output_positive = &output;
    history[0] = noise;
    apply_step(table, static_cast<int>(i), tensors);
    EXPECT_NEAR(sample[0], (1.0 - next) * x0 + next * static_cast<double>(noise), 1e-6);
  }
}

// Data distributed as N(0, 0.25): the exact velocity is linear in x and the exact solution known, so that the error of
// a method can be seen to fall with the power of the step that its order promises.
double gaussian_error(const std::string& config, int steps) {
  const SchedulerTable table = make_scheduler_table(config, "", steps);
  const auto variance = [](double s) { return 0.25 * (1.0 - s) * (1.0 - s) + s * s; };
  ScalarRun run(table, 1.0);
  double worst = 0.0;
  for (std::size_t i = 0; table.sigmas[i + 1] > 0.3; ++i) {  // below, steps in log(SNR) grow without bound towards 0
    const double s = table.sigmas[i];
    run.step(i, (s - 0.25 * (1.0 - s)) / variance(s) * run.sample());
    const double exact = std::sqrt(variance(table.sigmas[i + 1]) / variance(table.sigmas[0]));
    worst = std::max(worst, std::abs(run.sample() - exact));
  }
  return worst;
}

TEST(SchedulerTable, ErrorsFallWithTheOrderOfTheAlgorithm) {
  const auto ratio = [](const std::string& config) { return gaussian_error(config, 60) / gaussian_error(config, 120); };
  EXPECT_NEAR(ratio(kEuler), 2.0, 0.4);
  EXPECT_NEAR(ratio(dpm_config(1)), 2.0, 0.4);
  EXPECT_GT(ratio(dpm_config(2)), 2.8);
  EXPECT_GT(ratio(dpm_config(2, R"(, "solver_type": "heun")")), 2.8);
  EXPECT_GT(ratio(unipc_config(2)), 2.8);
  EXPECT_GT(ratio(unipc_config(2, R"(, "solver_type": "bh1")")), 2.8);
}

TEST(SchedulerTable, AHigherOrderIsMoreAccurate) {
  EXPECT_LT(gaussian_error(unipc_config(2), 60), 0.2 * gaussian_error(kEuler, 60));
  EXPECT_LT(gaussian_error(dpm_config(2), 60), 0.2 * gaussian_error(kEuler, 60));
  EXPECT_LT(gaussian_error(unipc_config(3), 60), gaussian_error(unipc_config(1), 60));
}

TEST(SchedulerTable, TimestepsFallAndSigmasEndAtZero) {
  for (const Algorithm& algorithm : algorithms()) {
    const SchedulerTable table = make_scheduler_table(algorithm.config, "", 25);
    ASSERT_EQ(table.steps.size(), 25u);
    ASSERT_EQ(table.sigmas.size(), 26u);
    EXPECT_EQ(table.sigmas.back(), 0.0);
    EXPECT_TRUE(std::is_sorted(table.sigmas.rbegin(), table.sigmas.rend())) << algorithm.name;
    for (std::size_t i = 1; i < table.steps.size(); ++i) {
      EXPECT_LT(table.steps[i].timestep, table.steps[i - 1].timestep) << algorithm.name;
    }
  }
}

TEST(SchedulerTable, UnderstandsTheConfigsThatDiffusersShipsForWan) {
  const SchedulerTable table = make_scheduler_table(R"({
      "_class_name": "UniPCMultistepScheduler", "_diffusers_version": "0.35.0.dev0", "beta_end": 0.02,
      "beta_schedule": "linear", "beta_start": 0.0001, "disable_corrector": [], "dynamic_thresholding_ratio": 0.995,
      "final_sigmas_type": "zero", "flow_shift": 5.0, "lower_order_final": true, "num_train_timesteps": 1000,
      "predict_x0": true, "prediction_type": "flow_prediction", "rescale_betas_zero_snr": false,
      "sample_max_value": 1.0, "sigma_max": null, "sigma_min": null, "solver_order": 2, "solver_p": null,
      "solver_type": "bh2", "steps_offset": 0, "thresholding": false, "time_shift_type": "exponential",
      "timestep_spacing": "linspace", "trained_betas": null, "use_beta_sigmas": false, "use_dynamic_shifting": false,
      "use_exponential_sigmas": false, "use_flow_sigmas": true, "use_karras_sigmas": false})",
                                                    "", 4);
  EXPECT_EQ(table.name, "unipc");
  // 1 - 1e-6, then 5 s / (1 + 4 s) for s of linspace(1, 0.001, 5), cut to integers.
  const std::vector<double> expected = {999, 937, 833, 625};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(table.steps[i].timestep, expected[i]);
  EXPECT_EQ(table.num_history, 2);
  EXPECT_TRUE(table.needs_prev_sample);
}

TEST(SchedulerTable, AnOverrideKeepsShiftAndTrainingTime) {
  const std::string config = R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 7.0,
                                 "num_train_timesteps": 500})";
  const SchedulerTable overridden = make_scheduler_table(config, "dpmpp_2m", 6);
  const SchedulerTable direct = make_scheduler_table(
      R"({"_class_name": "DPMSolverMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": true,
          "flow_shift": 7.0, "num_train_timesteps": 500})",
      "", 6);
  EXPECT_EQ(overridden.name, "dpmpp_2m");
  EXPECT_EQ(overridden.sigmas, direct.sigmas);
  EXPECT_EQ(make_scheduler_table(dpm_config(3), "dpmpp_2m", 6).num_history, 1);
}

TEST(SchedulerTable, AnOverrideToItsOwnAlgorithmKeepsTheConfigsOtherSettings) {
  const SchedulerTable table = make_scheduler_table(unipc_config(3), "unipc", 8);
  EXPECT_EQ(table.num_history, 3);
}

std::string refusal(const std::string& config, const std::string& override_name = "", int steps = 8) {
  try {
    make_scheduler_table(config, override_name, steps);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "";
}

TEST(SchedulerTable, ErrorsNameWhatIsNotSupported) {
  const auto contains = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(contains(refusal(R"({"_class_name": "DDPMScheduler"})"), "DDPMScheduler"));
  EXPECT_TRUE(contains(refusal(unipc_config(2, R"(, "use_karras_sigmas": true)")), "use_karras_sigmas"));
  EXPECT_TRUE(contains(refusal(unipc_config(2, R"(, "invented": 1)")), "invented"));
  EXPECT_TRUE(contains(refusal(unipc_config(7)), "solver_order"));
  EXPECT_TRUE(contains(refusal(kEuler, "heun"), "euler, unipc, dpmpp_2m, ddim"));
  EXPECT_TRUE(contains(refusal(kEuler, "", 0), "num_inference_steps is 0"));
  const std::string chosen = R"({"_class_name": "FlowMatchLCMScheduler", "timesteps": [1000, 757, 522]})";
  EXPECT_TRUE(contains(refusal(chosen), "3 chosen timesteps (1000, 757, 522); expected 3"));
  EXPECT_TRUE(contains(refusal(chosen, "unipc", 3), "expected euler or lcm"));
  EXPECT_TRUE(contains(refusal(R"({"_class_name": "FlowMatchLCMScheduler", "timesteps": [522, 757]})", "", 2),
                       "falling numbers above 0 and at most 1000"));
  EXPECT_TRUE(contains(refusal("{}"), "_class_name"));
  EXPECT_TRUE(contains(refusal("[1"), "JSON"));
  EXPECT_TRUE(contains(refusal(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 1e999})"), "JSON"));
  EXPECT_TRUE(contains(refusal(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": -1})"), "shift"));
}

TEST(SchedulerTable, NoiseLevelsThatCoincideAreRefused) {
  // So small a shift squeezes all noise levels but the first below what float32 can tell from 0.
  const std::string config = R"({"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction",
                                 "use_flow_sigmas": true, "flow_shift": 1e-50})";
  EXPECT_NE(refusal(config).find("neighbouring noise levels coincide"), std::string::npos);
}

// Buffers for one run of apply_step over `count` elements.
struct Buffers {
  Buffers(const SchedulerTable& table, std::int64_t count) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto size = static_cast<std::size_t>(count);
    std::mt19937 random(static_cast<unsigned>(count));
    std::normal_distribution<float> normal;
    for (std::vector<float>* values : {&sample, &negative, &positive}) {
      values->resize(size);
      for (float& value : *values) value = normal(random);
    }
    copy.assign(size, nan);
    prev.assign(size, nan);
    for (std::vector<float>& values : history) values.assign(size, nan);
    tensors.sample = sample.data();
    tensors.sample_copy = copy.data();
    tensors.output_positive = positive.data();
    tensors.output_negative = negative.data();
    tensors.guidance_scale = 4.5f;
    tensors.prev_sample = table.needs_prev_sample ? prev.data() : nullptr;
    for (int j = 0; j < table.num_history; ++j) {
      tensors.history[static_cast<std::size_t>(j)] = history[static_cast<std::size_t>(j)].data();
    }
    tensors.count = count;
  }

  std::vector<float> sample, negative, positive, copy, prev;
  std::array<std::vector<float>, kMaxHistory> history;
  StepTensors tensors;
};

TEST(ApplyStep, ComputesTheTablesFormulasForEveryElementCount) {
  for (const Algorithm& algorithm : algorithms()) {
    const SchedulerTable table = make_scheduler_table(algorithm.config, "", 12);
    for (std::int64_t count : {1, 7, 1023, 1024, 1025, 5000}) {
      Buffers buffers(table, count);
      std::vector<ScalarRun> runs;
      for (float value : buffers.sample) runs.emplace_back(table, value);
      for (int step = 0; step < 12; ++step) {
        for (std::size_t i = 0; i < runs.size(); ++i) {
          const double negative = buffers.negative[i];
          runs[i].step(static_cast<std::size_t>(step), negative + 4.5 * (buffers.positive[i] - negative));
        }
        apply_step(table, step, buffers.tensors);
        rotate_history(table, buffers.tensors);
      }
      double worst = 0.0;
      for (std::size_t i = 0; i < runs.size(); ++i) {
        worst = std::max(worst, std::abs(buffers.sample[i] - runs[i].sample()));
      }
      EXPECT_LT(worst, 2e-5) << algorithm.name << ", " << count << " elements";
      EXPECT_EQ(buffers.copy, buffers.sample) << algorithm.name;
    }
  }
}

TEST(ApplyStep, WithoutGuidanceTakesThePositivePredictionAlone) {
  const SchedulerTable table = make_scheduler_table(kEuler, "", 4);
  Buffers buffers(table, 100);
  const std::vector<float> before = buffers.sample;
  buffers.tensors.output_negative = nullptr;
  buffers.tensors.sample_copy = nullptr;
  apply_step(table, 0, buffers.tensors);
  const float dt = static_cast<float>(table.sigmas[1] - table.sigmas[0]);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(buffers.sample[i], before[i] + dt * buffers.positive[i], 1e-6f);
  }
}

TEST(ApplyStep, ThePredictionGoesToTheOldestHistoryAndRotationMakesItTheNewest) {
  const SchedulerTable table = make_scheduler_table(unipc_config(3), "", 6);
  ASSERT_EQ(table.num_history, 3);
  Buffers buffers(table, 5);
  for (int step = 0; step < 4; ++step) {
    float* const oldest = buffers.tensors.history[2];
    const float second = buffers.tensors.history[0][0];
    const float expected =
        buffers.sample[0] + static_cast<float>(table.steps[static_cast<std::size_t>(step)].to_m_output) *
                                (buffers.negative[0] + 4.5f * (buffers.positive[0] - buffers.negative[0]));
    apply_step(table, step, buffers.tensors);
    rotate_history(table, buffers.tensors);
    EXPECT_EQ(buffers.tensors.history[0], oldest);
    EXPECT_NEAR(buffers.tensors.history[0][0], expected, 1e-4f);
    if (step > 0) {
      EXPECT_EQ(buffers.tensors.history[1][0], second);
    }
  }
}

TEST(ApplyStep, TheFirstFrameIsTheOneGivenAndTheOthersAreAsWithoutIt) {
  const SchedulerTable table = make_scheduler_table(unipc_config(2), "", 5);
  // Frames that begin and end anywhere in the blocks of a pass.
  for (const std::int64_t frame_size : {1, 7, 250, 1500}) {
    constexpr std::int64_t kChannels = 2;
    const std::int64_t frames = 3000 / kChannels / frame_size;
    const std::int64_t channel_size = frames * frame_size;
    Buffers given(table, kChannels * channel_size);
    Buffers free(table, kChannels * channel_size);
    std::vector<float> values(static_cast<std::size_t>(kChannels * frame_size));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 100.0f + static_cast<float>(i);
    given.tensors.first_frame = {values.data(), frames, frame_size};
    for (int step = 0; step < 5; ++step) {
      apply_step(table, step, given.tensors);
      apply_step(table, step, free.tensors);
      rotate_history(table, given.tensors);
      rotate_history(table, free.tensors);
      std::vector<float> expected = free.sample;
      for (std::int64_t c = 0; c < kChannels; ++c) {
        std::copy_n(values.begin() + c * frame_size, frame_size, expected.begin() + c * channel_size);
      }
      ASSERT_EQ(given.sample, expected) << frame_size << ", step " << step;
      ASSERT_EQ(given.copy, expected) << frame_size << ", step " << step;
    }
  }
}

TEST(ApplyStep, CutIntoPiecesGivesTheSameBits) {
  const SchedulerTable table = make_scheduler_table(unipc_config(2), "", 5);
  Buffers whole(table, 3000);
  Buffers pieces(table, 3000);
  for (int step = 0; step < 5; ++step) {
    apply_step(table, step, whole.tensors);
    rotate_history(table, whole.tensors);
    for (std::int64_t begin : {0, 1000, 2000}) {
      StepTensors part = pieces.tensors;
      part.count = 1000;
      for (float** pointer : {&part.sample, &part.sample_copy, &part.prev_sample, &part.history[0], &part.history[1]}) {
        *pointer += begin;
      }
      part.output_negative += begin;
      part.output_positive += begin;
      apply_step(table, step, part);
    }
    rotate_history(table, pieces.tensors);
  }
  EXPECT_EQ(whole.sample, pieces.sample);
}

}  // namespace
}  // namespace vidrt
