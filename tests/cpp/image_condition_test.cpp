// Videos that begin with an image: what the denoiser is given, what is decoded, and what is refused.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "runtime/philox.h"
#include "runtime/scheduler.h"
#include "runtime/sha256.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

using Tensors = std::vector<NamedTensor>;

const TensorView& tensor(const Tensors& tensors, const std::string& name) {
  return std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name == name; })->view;
}

std::vector<float> floats(const TensorView& view) { return {view.as<float>(), view.as<float>() + view.elements()}; }

ToyBundleOptions with_encoder() {
  ToyBundleOptions options;
  options.vae_encoder = true;
  return options;
}

class ImageCondition : public PipelineFixture {
 protected:
  ImageCondition() {
    for (std::size_t i = 0; i < rgb_.size(); ++i) rgb_[i] = static_cast<std::uint8_t>(i * 53 + i / 7);
    backend->after_run = [this](const std::string& module, const Tensors& inputs, const Tensors& outputs) {
      runs_.push_back(module);
      if (module == "vae_encoder") condition_ = floats(tensor(outputs, "latents"));
      if (module == "vae_decoder_first") decoded_ = floats(tensor(inputs, "latents"));
      if (module != "denoiser") return;
      shape_ = tensor(inputs, "latents").shape;
      latents_.push_back(floats(tensor(inputs, "latents")));
      timesteps_.push_back(floats(tensor(inputs, "timestep")));
      predictions_.push_back(floats(tensor(outputs, "prediction")));
    };
  }

  Pipeline open_image(const PipelineOptions& options = {}) {
    return Pipeline::open(Bundle::open(image_toy_.path()), options, backend);
  }

  GenerateOptions image_options(int num_frames = 13) {
    GenerateOptions options = prompt_options(num_frames);
    options.image = image();
    return options;
  }
  TensorView image() { return {rgb_.data(), DType::kUInt8, {8, 12, 3}}; }

  Video generate(Pipeline& pipeline, const GenerateOptions& options) {
    for (auto* record : {&latents_, &timesteps_, &predictions_}) record->clear();
    runs_.clear();
    return pipeline.generate(options);
  }

  // Values of the first frame of every channel of row `row` of a run's latents.
  std::vector<float> first_frame(const std::vector<float>& latents, std::int64_t row) const {
    const std::int64_t frame = shape_[3] * shape_[4];
    std::vector<float> values;
    for (std::int64_t c = 0; c < shape_[1]; ++c) {
      const auto begin = latents.begin() + (row * shape_[1] + c) * shape_[2] * frame;
      values.insert(values.end(), begin, begin + frame);
    }
    return values;
  }

  ToyBundle image_toy_{with_encoder()};
  std::vector<std::uint8_t> rgb_ = std::vector<std::uint8_t>(8 * 12 * 3);
  std::vector<std::string> runs_;
  std::vector<float> condition_, decoded_;
  Shape shape_;
  std::vector<std::vector<float>> latents_, timesteps_, predictions_;  // of each run of the denoiser
};

TEST_F(ImageCondition, TheDenoiserIsGivenTheImageInTheFirstFrameAtTimestepZero) {
  Pipeline pipeline = open_image();
  for (const char* scheduler : {"euler", "unipc", "dpmpp_2m", "lcm"}) {
    for (const double guidance : {1.0, 3.0}) {
      GenerateOptions options = image_options();
      options.scheduler = scheduler;
      options.guidance_scale = guidance;
      generate(pipeline, options);
      const std::int64_t rows = guidance > 1.0 ? 2 : 1;
      const SchedulerTable table = make_scheduler_table(pipeline.bundle().manifest().scheduler_json, scheduler, 4);
      ASSERT_EQ(latents_.size(), 4u);
      for (std::size_t step = 0; step < latents_.size(); ++step) {
        const auto now = static_cast<float>(table.steps[step].timestep);
        const std::vector<float> row_timesteps{0.0f, now, now, now};
        std::vector<float> expected;
        for (std::int64_t row = 0; row < rows; ++row) {
          expected.insert(expected.end(), row_timesteps.begin(), row_timesteps.end());
          EXPECT_EQ(first_frame(latents_[step], row), condition_) << scheduler << ", step " << step << ", row " << row;
        }
        EXPECT_EQ(timesteps_[step], expected) << scheduler << ", step " << step;
      }
      EXPECT_EQ(decoded_, condition_) << scheduler;
    }
  }
}

// diffusers keeps the sample apart, steps all of it, and puts the image in before each call and at the end.
TEST_F(ImageCondition, TheOtherFramesAreThoseOfASampleInWhichTheFirstFrameIsSteppedOn) {
  Pipeline pipeline = open_image();
  for (const char* scheduler : {"euler", "unipc", "dpmpp_2m", "lcm"}) {
    GenerateOptions options = image_options();
    options.scheduler = scheduler;
    generate(pipeline, options);
    const SchedulerTable table = make_scheduler_table(pipeline.bundle().manifest().scheduler_json, scheduler, 4);
    const std::size_t count = latents_.front().size() / 2;
    std::vector<float> sample(count), prev(count);
    std::vector<std::vector<float>> history(kMaxHistory, std::vector<float>(count));
    fill_standard_normal(7, static_cast<std::int64_t>(count), sample.data());
    StepTensors step;
    step.guidance_scale = 3.0f;
    step.sample = sample.data();
    step.prev_sample = prev.data();
    for (std::size_t i = 0; i < history.size(); ++i) step.history[i] = history[i].data();
    step.count = static_cast<std::int64_t>(count);
    for (std::size_t i = 0; i < latents_.size(); ++i) {
      const std::size_t frame = static_cast<std::size_t>(shape_[3] * shape_[4]);
      for (std::size_t j = 0; j < count; ++j) {
        if (j / frame % static_cast<std::size_t>(shape_[2]) == 0) continue;
        ASSERT_EQ(latents_[i][j], sample[j]) << scheduler << ", step " << i << ", element " << j;
      }
      if (table.adds_noise) {
        fill_standard_normal_range(7, 0, step.count, step.history[0], static_cast<std::uint32_t>(i) + 1);
      }
      step.output_negative = predictions_[i].data();
      step.output_positive = predictions_[i].data() + count;
      apply_step(table, static_cast<int>(i), step);
      rotate_history(table, step);
    }
  }
}

TEST_F(ImageCondition, FramesAreTheSameUnderEveryPlanAndInEveryChunk) {
  Pipeline resident = open_image();
  const std::vector<std::uint8_t> expected = pixels(generate(resident, image_options(21)));
  EXPECT_EQ(runs_.at(2), "vae_encoder");  // behind both prompts
  backend->workspace_bytes = 3000;
  GenerateOptions options = image_options(21);
  for (const int chunk : {1, 3, 6}) {
    options.decode_chunk = chunk;
    PipelineOptions budget;
    for (GenerationPlan plan;; budget.memory_budget = plan.total_bytes() - 1) {
      Pipeline pipeline = open_image(budget);
      plan = pipeline.plan(options);
      EXPECT_EQ(pixels(generate(pipeline, options)), expected) << plan.residency << ", " << plan.guidance;
      if (plan.residency != "all") break;
    }
  }
}

TEST_F(ImageCondition, StageByStageTheEncoderIsLoadedInItsTurnAndGivenUp) {
  Pipeline resident = open_image();
  PipelineOptions tight;
  for (GenerationPlan plan = resident.plan(image_options()); plan.residency == "all";) {
    tight.memory_budget = plan.total_bytes() - 1;
    plan = open_image(tight).plan(image_options());
  }
  backend = std::make_shared<ReferenceBackend>();
  std::map<std::string, int> alive;
  backend->before_run = [&](const std::string& module) { alive[module] = backend->alive(); };
  Pipeline staged = open_image(tight);
  staged.generate(image_options());
  EXPECT_EQ(alive, (std::map<std::string, int>{{"text_encoder", 1},
                                               {"vae_encoder", 1},
                                               {"denoiser", 1},
                                               {"vae_decoder_first", 1},
                                               {"vae_decoder_next", 1}}));
}

TEST_F(ImageCondition, WithoutAnImageTheClipIsAllNoiseAndTheEncoderIsNotLoaded) {
  Pipeline pipeline = open_image();
  const Video video = generate(pipeline, prompt_options());
  for (const std::vector<float>& timesteps : timesteps_) {
    EXPECT_EQ(timesteps, std::vector<float>(8, timesteps.front()));
    EXPECT_GT(timesteps.front(), 0.0f);
  }
  EXPECT_EQ(std::count(runs_.begin(), runs_.end(), "vae_encoder"), 0);
  EXPECT_EQ(backend->loads(), 4);
  EXPECT_EQ(video.metadata.variants.count("vae_encoder"), 0u);
  EXPECT_EQ(video.metadata.image_sha256, "");
  EXPECT_EQ(video.timings.encode_image, 0.0);
  EXPECT_EQ(pixels(video), pixels(open().generate(prompt_options())));  // those of a bundle that takes no image
  const GenerationPlan plan = pipeline.plan(prompt_options());
  EXPECT_EQ(plan.image_conditioning, "none");
  EXPECT_EQ(plan.arena_bytes, open().plan(prompt_options()).arena_bytes);
}

TEST_F(ImageCondition, ThePlanHoldsTheImageAndTheMetadataSayWhichItWas) {
  Pipeline pipeline = open_image();
  const GenerationPlan plan = pipeline.plan(image_options());
  EXPECT_EQ(plan.image_conditioning, "first_latent_frame");
  std::map<std::string, std::string> lives;
  for (const PlannedTensor& one : plan.tensors) {
    lives[one.name] = plan.stages[static_cast<std::size_t>(one.first_stage)] + " " +
                      plan.stages[static_cast<std::size_t>(one.last_stage)];
  }
  EXPECT_EQ(lives["image"], "encode_image encode_image");
  EXPECT_EQ(lives["condition"], "encode_image denoise");
  EXPECT_EQ(backend->loads(), 0);

  std::vector<std::string> stages;
  Callbacks callbacks;
  callbacks.on_stage = [&](const StageEvent& event) {
    if (event.done == event.total) stages.emplace_back(stage_name(event.stage));
  };
  const Video video = pipeline.generate(image_options(), callbacks);
  EXPECT_EQ(std::count(stages.begin(), stages.end(), "encode_image"), 1);
  EXPECT_LT(std::find(stages.begin(), stages.end(), "encode_image"),
            std::find(stages.begin(), stages.end(), "denoise"));
  EXPECT_EQ(video.metadata.image_sha256, sha256_of({rgb_.begin(), rgb_.end()}));
  EXPECT_EQ(video.metadata.variants.count("vae_encoder"), 1u);
  EXPECT_GT(video.timings.encode_image, 0.0);
}

TEST_F(ImageCondition, AnImageOfFloatsGivesTheFramesOfItsBytes) {
  Pipeline pipeline = open_image();
  const std::vector<std::uint8_t> expected = pixels(generate(pipeline, image_options()));
  std::vector<float> planes(rgb_.size());
  for (std::size_t i = 0; i < planes.size(); ++i) {
    planes[i % 3 * (8 * 12) + i / 3] = static_cast<float>(rgb_[i]) / 255.0f * 2.0f - 1.0f;
  }
  GenerateOptions options = image_options();
  options.image = TensorView{planes.data(), DType::kFloat32, {3, 8, 12}};
  EXPECT_EQ(pixels(generate(pipeline, options)), expected);
  rgb_[100] ^= 255;
  EXPECT_NE(pixels(generate(pipeline, image_options())), expected);
}

TEST_F(ImageCondition, AClipOfOneLatentFrameIsTheImageAndSaysSo) {
  Pipeline pipeline = open_image();
  const Video video = generate(pipeline, image_options(1));
  EXPECT_EQ(decoded_, condition_);
  EXPECT_EQ(timesteps_.front(), (std::vector<float>{0.0f, 0.0f}));
  const std::vector<std::string>& warnings = video.metadata.warnings;
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
    return warning.find("a single latent frame, which the image takes") != std::string::npos;
  }));
}

TEST_F(ImageCondition, AnImageForABundleThatTakesNoneIsRefused) {
  Pipeline pipeline = open();
  const std::string message = message_of<InvalidArgument>([&] { pipeline.generate(image_options()); });
  EXPECT_TRUE(names(message, {"'toy'", "image_conditioning none", "leave image out"}));
  EXPECT_THROW(pipeline.plan(image_options()), InvalidArgument);
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(ImageCondition, AnImageOfAnotherSizeOrTypeIsRefused) {
  Pipeline pipeline = open_image();
  std::vector<float> planes(rgb_.size(), 0.5f);
  const TensorView cases[] = {
      {rgb_.data(), DType::kUInt8, {12, 8, 3}},     {rgb_.data(), DType::kUInt8, {3, 8, 12}},
      {rgb_.data(), DType::kUInt8, {8, 12}},        {rgb_.data(), DType::kUInt8, {8, 9, 4}},
      {nullptr, DType::kUInt8, {8, 12, 3}},         {planes.data(), DType::kFloat32, {8, 12, 3}},
      {planes.data(), DType::kFloat16, {3, 8, 12}}, {planes.data(), DType::kFloat32, {1, 3, 1, 8, 12}},
  };
  for (const TensorView& wrong : cases) {
    GenerateOptions options = prompt_options();
    options.image = wrong;
    const std::string message = message_of<InvalidArgument>([&] { pipeline.generate(options); });
    EXPECT_TRUE(names(message, {"uint8 (8, 12, 3) or float32 (3, 8, 12)", "resize"})) << shape_string(wrong.shape);
  }
  for (const float bad : {1.001f, -2.0f, 255.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    planes[77] = bad;
    GenerateOptions options = prompt_options();
    options.image = TensorView{planes.data(), DType::kFloat32, {3, 8, 12}};
    EXPECT_TRUE(names(message_of<InvalidArgument>([&] { pipeline.generate(options); }), {"[-1, 1]"})) << bad;
  }
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(ImageCondition, AnEncoderThatFailsOrIsCancelledLeavesThePipelineUsable) {
  Pipeline pipeline = open_image();
  const std::vector<std::uint8_t> expected = pixels(generate(pipeline, image_options()));
  backend->poison_encoder = true;
  EXPECT_TRUE(
      names(message_of<BackendError>([&] { pipeline.generate(image_options()); }), {"image encoder", "finite"}));
  backend->poison_encoder = false;
  CancelToken token;
  Callbacks callbacks;
  callbacks.cancel = &token;
  callbacks.on_stage = [&](const StageEvent& event) {
    if (event.stage == Stage::kEncodeImage && event.done > 0) token.cancel();
  };
  EXPECT_TRUE(
      names(message_of<Cancelled>([&] { pipeline.generate(image_options(), callbacks); }), {"image was encoded"}));
  EXPECT_EQ(pixels(generate(pipeline, image_options())), expected);
}

}  // namespace
}  // namespace vidrt::testing
