// Videos that start from a clip: what the denoiser is given, how many steps run, and what is refused.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "runtime/philox.h"
#include "runtime/scheduler.h"
#include "runtime/sha256.h"
#include "runtime/video_input.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

using Tensors = std::vector<NamedTensor>;

constexpr int kFrames = 5;
constexpr int kHeight = 8;
constexpr int kWidth = 12;
constexpr std::size_t kClipBytes = std::size_t{3} * kFrames * kHeight * kWidth;

std::vector<float> floats(const Tensors& tensors, const std::string& name) {
  const TensorView& view =
      std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name == name; })->view;
  return {view.as<float>(), view.as<float>() + view.elements()};
}

ToyBundleOptions framewise() {
  ToyBundleOptions options;
  options.form = "framewise";
  options.temporal_ratio = 1;
  options.vae_encoder = true;
  return options;
}

class VideoStart : public PipelineFixture {
 protected:
  VideoStart() {
    clip_toy_.edit([](nlohmann::json& manifest) {
      manifest["image_conditioning"] = "none";
      manifest["scheduler"] = {{"_class_name", "DDIMScheduler"}, {"clip_sample", false}};
    });
    for (std::size_t i = 0; i < rgb_.size(); ++i) rgb_[i] = static_cast<std::uint8_t>(i * 53 + i / 7);
    watch();
  }

  void watch() {
    backend->after_run = [this](const std::string& module, const Tensors& inputs, const Tensors& outputs) {
      if (module == "vae_encoder") encoded_.push_back(floats(outputs, "latents"));
      if (module != "denoiser") return;
      latents_.push_back(floats(inputs, "latents"));
      predictions_.push_back(floats(outputs, "prediction"));
    };
  }

  Pipeline open_clip(const PipelineOptions& options = {}) {
    return Pipeline::open(Bundle::open(clip_toy_.path()), options, backend);
  }

  GenerateOptions clip_options(double strength = 0.5) {
    GenerateOptions options = prompt_options(kFrames);
    options.num_inference_steps = 6;
    options.video = TensorView{rgb_.data(), DType::kUInt8, {kFrames, kHeight, kWidth, 3}};
    options.strength = strength;
    return options;
  }

  Video generate(Pipeline& pipeline, const GenerateOptions& options) {
    for (auto* record : {&latents_, &predictions_, &encoded_}) record->clear();
    return pipeline.generate(options);
  }

  // The encoder's latents of all frames, (C,T,h,w).
  std::vector<float> encoded_clip() const {
    constexpr std::size_t kChannels = 4;
    const std::size_t size = encoded_.at(0).size() / kChannels;
    std::vector<float> clip;
    for (std::size_t channel = 0; channel < kChannels; ++channel) {
      for (const std::vector<float>& frame : encoded_) {
        const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(channel * size);
        clip.insert(clip.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
      }
    }
    return clip;
  }

  ToyBundle clip_toy_{framewise()};
  std::vector<std::uint8_t> rgb_ = std::vector<std::uint8_t>(kClipBytes);
  std::vector<std::vector<float>> latents_, predictions_, encoded_;  // of each run
};

TEST_F(VideoStart, TheLastStepsRunOnTheClipWithTheNoiseOfTheFirstOfThem) {
  Pipeline pipeline = open_clip();
  for (const char* scheduler : {"ddim", "euler", "euler_ancestral", "unipc", "dpmpp_2m", "dpmpp_2m_sde"}) {
    for (const auto& [strength, runs] : std::map<double, int>{{0.17, 1}, {0.5, 3}, {0.99, 5}, {1.0, 6}}) {
      GenerateOptions options = clip_options(strength);
      options.scheduler = scheduler;
      generate(pipeline, options);
      const std::string what = std::string(scheduler) + " at " + std::to_string(strength);
      ASSERT_EQ(latents_.size(), static_cast<std::size_t>(runs)) << what;
      const SchedulerTable table =
          make_scheduler_table(pipeline.bundle().manifest().scheduler_json, scheduler, 6, 6 - runs);
      const std::size_t count = latents_.front().size() / 2;
      const std::vector<float> clip = encoded_clip();
      ASSERT_EQ(clip.size(), count);
      std::vector<float> sample(count), prev(count);
      std::vector<std::vector<float>> history(kMaxHistory, std::vector<float>(count, std::nanf("")));
      fill_standard_normal(7, static_cast<std::int64_t>(count), sample.data());
      for (std::size_t i = 0; i < count; ++i) {
        const double mixed =
            table.start.alpha * static_cast<double>(clip[i]) + table.start.sigma * static_cast<double>(sample[i]);
        ASSERT_NEAR(latents_[0][i], mixed, 1e-6) << what;
        ASSERT_EQ(latents_[0][count + i], latents_[0][i]) << what;  // for the other prompt
        sample[i] = latents_[0][i];
      }
      StepTensors step;
      step.guidance_scale = 3.0f;
      step.sample = sample.data();
      step.prev_sample = prev.data();
      for (std::size_t i = 0; i < history.size(); ++i) step.history[i] = history[i].data();
      step.count = static_cast<std::int64_t>(count);
      for (std::size_t i = 0; i < latents_.size(); ++i) {
        for (std::size_t j = 0; j < count; ++j) ASSERT_EQ(latents_[i][j], sample[j]) << what << ", step " << i;
        if (table.adds_noise) {
          fill_standard_normal_range(7, 0, step.count, step.history[static_cast<std::size_t>(table.num_history - 1)],
                                     static_cast<std::uint32_t>(i) + 1);
        }
        step.output_negative = predictions_[i].data();
        step.output_positive = predictions_[i].data() + count;
        apply_step(table, static_cast<int>(i), step);
        rotate_history(table, step);
      }
    }
  }
}

TEST_F(VideoStart, AModelOfFlowMatchingMixesByItsSigma) {
  clip_toy_.edit([](nlohmann::json& manifest) {
    manifest["scheduler"] = {{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift", 2.0}};
  });
  Pipeline pipeline = open_clip();
  generate(pipeline, clip_options());
  const SchedulerTable whole = make_scheduler_table(pipeline.bundle().manifest().scheduler_json, "", 6);
  const double sigma = whole.sigmas.at(3);
  const std::vector<float> clip = encoded_clip();
  std::vector<float> noise(clip.size());
  fill_standard_normal(7, static_cast<std::int64_t>(noise.size()), noise.data());
  for (std::size_t i = 0; i < clip.size(); ++i) {
    const double mixed = (1.0 - sigma) * static_cast<double>(clip[i]) + sigma * static_cast<double>(noise[i]);
    ASSERT_NEAR(latents_.at(0)[i], mixed, 1e-6);
  }
}

TEST_F(VideoStart, LatentsThatAreGivenAreTheNoise) {
  Pipeline pipeline = open_clip();
  GenerateOptions options = clip_options();
  const std::vector<std::uint8_t> expected = pixels(generate(pipeline, options));
  std::vector<float> noise(latents_.at(0).size() / 2);
  fill_standard_normal(7, static_cast<std::int64_t>(noise.size()), noise.data());
  options.seed.reset();
  options.latents = TensorView{noise.data(), DType::kFloat32, {4, kFrames, 4, 6}};
  EXPECT_EQ(pixels(generate(pipeline, options)), expected);
}

TEST_F(VideoStart, ThePlanTheEventsAndTheMetadataSayWhatWasDone) {
  Pipeline pipeline = open_clip();
  const GenerationPlan plan = pipeline.plan(clip_options());
  EXPECT_EQ(plan.strength, 0.5);
  EXPECT_EQ(plan.num_inference_steps, 3);
  EXPECT_EQ(plan.image_conditioning, "none");
  std::map<std::string, std::string> lives;
  for (const PlannedTensor& tensor : plan.tensors) {
    lives[tensor.name] = plan.stages[static_cast<std::size_t>(tensor.first_stage)] + " " +
                         plan.stages[static_cast<std::size_t>(tensor.last_stage)];
  }
  EXPECT_EQ(lives["image"], "encode_image encode_image");
  EXPECT_EQ(lives["condition"], "encode_image encode_image");

  std::vector<int> frames, steps;
  Callbacks callbacks;
  callbacks.on_stage = [&](const StageEvent& event) {
    if (event.stage == Stage::kEncodeImage) {
      EXPECT_EQ(event.total, kFrames);
      frames.push_back(event.done);
    }
  };
  callbacks.on_step = [&](const StepEvent& event) {
    EXPECT_EQ(event.num_inference_steps, 3);
    steps.push_back(event.step);
  };
  const Video video = pipeline.generate(clip_options(), callbacks);
  EXPECT_EQ(frames, (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(steps, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(video.metadata.num_inference_steps, 6);
  EXPECT_EQ(video.metadata.strength, 0.5);
  EXPECT_EQ(video.metadata.video_sha256, sha256_of({rgb_.begin(), rgb_.end()}));
  EXPECT_EQ(video.metadata.variants.count("vae_encoder"), 1u);
  EXPECT_GT(video.timings.encode_image, 0.0);
  GenerateOptions unset = clip_options();
  unset.strength.reset();
  EXPECT_EQ(pipeline.plan(unset).strength, kDefaultStrength);
}

TEST_F(VideoStart, WithoutAClipTheVideoIsThatOfTextAlone) {
  Pipeline pipeline = open_clip();
  const Video video = generate(pipeline, prompt_options(kFrames));
  EXPECT_TRUE(encoded_.empty());
  EXPECT_EQ(backend->loads(), 3);
  EXPECT_EQ(video.metadata.variants.count("vae_encoder"), 0u);
  EXPECT_EQ(video.metadata.video_sha256, "");
  EXPECT_EQ(video.metadata.strength, 0.0);
  EXPECT_EQ(pipeline.plan(prompt_options(kFrames)).strength, 0.0);
}

TEST_F(VideoStart, FramesAreTheSameStageByStageAndTheEncoderIsGivenUp) {
  Pipeline resident = open_clip();
  const std::vector<std::uint8_t> expected = pixels(generate(resident, clip_options()));
  PipelineOptions tight;
  for (GenerationPlan plan = resident.plan(clip_options()); plan.residency == "all";) {
    tight.memory_budget = plan.total_bytes() - 1;
    plan = open_clip(tight).plan(clip_options());
  }
  backend = std::make_shared<ReferenceBackend>();
  std::map<std::string, int> alive;
  backend->before_run = [&](const std::string& module) { alive[module] = backend->alive(); };
  Pipeline staged = open_clip(tight);
  EXPECT_EQ(pixels(staged.generate(clip_options())), expected);
  EXPECT_EQ(alive,
            (std::map<std::string, int>{{"text_encoder", 1}, {"vae_encoder", 1}, {"denoiser", 1}, {"vae_decoder", 1}}));
}

TEST_F(VideoStart, ACancelBetweenTwoFramesLeavesThePipelineUsable) {
  Pipeline pipeline = open_clip();
  const std::vector<std::uint8_t> expected = pixels(generate(pipeline, clip_options()));
  CancelToken token;
  Callbacks callbacks;
  callbacks.cancel = &token;
  callbacks.on_stage = [&](const StageEvent& event) {
    if (event.stage == Stage::kEncodeImage && event.done == 2) token.cancel();
  };
  EXPECT_TRUE(names(message_of<Cancelled>([&] { pipeline.generate(clip_options(), callbacks); }),
                    {"after frame 2 of 5 was encoded"}));
  EXPECT_EQ(pixels(generate(pipeline, clip_options())), expected);
}

TEST_F(VideoStart, AnEncoderThatGivesNoNumbersIsAnError) {
  backend->poison_encoder = true;
  Pipeline pipeline = open_clip();
  EXPECT_TRUE(names(message_of<BackendError>([&] { pipeline.generate(clip_options()); }), {"image encoder", "finite"}));
}

TEST_F(VideoStart, WhatCannotBeDoneIsRefusedBeforeAnythingIsLoaded) {
  Pipeline pipeline = open_clip();
  const auto refused = [&](const GenerateOptions& options) {
    const std::string planned = message_of<InvalidArgument>([&] { pipeline.plan(options); });
    EXPECT_EQ(message_of<InvalidArgument>([&] { pipeline.generate(options); }), planned);
    return planned;
  };
  for (const double strength : {-0.1, 1.0001, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(names(refused(clip_options(strength)), {"strength must be 0 to 1, got "}));
  }
  for (const double strength : {0.0, 0.16}) {
    EXPECT_TRUE(names(refused(clip_options(strength)), {"leaves none of 6", "at least 0.1667"}));
  }
  GenerateOptions options = clip_options();
  options.video.reset();
  EXPECT_TRUE(names(refused(options), {"got a strength of 0.5", "no video"}));
  for (const Shape& shape : {Shape{4, 8, 12, 3}, Shape{5, 12, 8, 3}, Shape{5, 3, 8, 12}, Shape{8, 12, 3}}) {
    options.video = TensorView{rgb_.data(), DType::kUInt8, shape};
    const std::string got = "got uint8 " + shape_string(shape);
    EXPECT_TRUE(names(refused(options), {"video must be uint8 (5, 8, 12, 3)", got.c_str()}));
  }
  std::vector<float> values(kClipBytes);
  options.video = TensorView{values.data(), DType::kFloat32, {kFrames, kHeight, kWidth, 3}};
  EXPECT_TRUE(names(refused(options), {"got float32"}));
  options.video = TensorView{nullptr, DType::kUInt8, {kFrames, kHeight, kWidth, 3}};
  EXPECT_TRUE(names(refused(options), {"video must be"}));
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(VideoStart, ABundleThatCannotEncodeAClipSaysWhy) {
  const auto refused = [&](const ToyBundle& bundle, const GenerateOptions& options) {
    const Pipeline pipeline = Pipeline::open(Bundle::open(bundle.path()), {}, backend);
    return message_of<InvalidArgument>([&] { pipeline.plan(options); });
  };
  EXPECT_TRUE(names(refused(toy, clip_options()), {"'toy' has no vae_encoder", "leave video out"}));
  ToyBundleOptions causal;
  causal.vae_encoder = true;
  EXPECT_TRUE(names(refused(ToyBundle(causal), clip_options()), {"form causal", "framewise"}));
  ToyBundleOptions longer = framewise();
  longer.temporal_ratio = 5;
  EXPECT_TRUE(names(refused(ToyBundle(longer), clip_options()), {"form framewise", "frame by frame"}));

  GenerateOptions both = clip_options();
  both.image = TensorView{rgb_.data(), DType::kUInt8, {kHeight, kWidth, 3}};
  EXPECT_TRUE(names(refused(ToyBundle(framewise()), both), {"got both image and video"}));
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(VideoStart, AStepLeftOverByRoundingIsCountedAsDiffusersDoes) {
  EXPECT_EQ(first_step(1.0, 50), 0);
  EXPECT_EQ(first_step(0.6, 50), 20);
  EXPECT_EQ(first_step(0.3, 10), 7);
  EXPECT_EQ(first_step(0.29, 100), 72);  // 0.29 * 100 is 28.999999999999996
  for (int steps = 1; steps <= 1000; ++steps) {
    const std::string message = message_of<InvalidArgument>([&] { first_step(0.0, steps); });
    const std::string marker = "at least ";
    const double least = std::stod(message.substr(message.find(marker) + marker.size()));
    EXPECT_EQ(first_step(least, steps), steps - static_cast<int>(steps * least));
    EXPECT_LT(least, 1.0 / steps + 2e-4);
  }
}

}  // namespace
}  // namespace vidrt::testing
