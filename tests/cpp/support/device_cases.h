// What holds for every device other than the processor: the frames of the host, progress that is true, memory given
// back. A program that has such a device instantiates the suite DevicePipeline with a type that says which:
//   static std::string why_not();                  // why there is none here; empty: there is one
//   static std::shared_ptr<TestDevice> open();
//   static constexpr bool kIsLate;                 // whether work is done only when somebody waits for it
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/scheduler.h"
#include "support/pipeline_fixture.h"
#include "support/test_device.h"

namespace vidrt::testing {

template <typename Place>
class DevicePipeline : public PipelineFixture {
 protected:
  void SetUp() override {
    const std::string reason = Place::why_not();
    if (!reason.empty()) GTEST_SKIP() << reason;
  }

  // On a device of its own. No earlier pipeline may be left.
  Pipeline open_there(const PipelineOptions& options = {}, const Bundle* bundle = nullptr) {
    there->elsewhere = Place::open();
    return Pipeline::open(bundle == nullptr ? Bundle::open(toy.path()) : *bundle, options, there);
  }

  std::shared_ptr<ReferenceBackend> there = std::make_shared<ReferenceBackend>();
};

// A float32 tensor on a device, with what it holds.
class DeviceTensor {
 public:
  DeviceTensor(Device& device, const std::vector<float>& values)
      : device_(device), count_(values.size()), memory_(device, values.size() * sizeof(float) + kOffset) {
    device.copy_from_host(data(), values.data(), values.size() * sizeof(float));
  }
  float* data() const { return reinterpret_cast<float*>(static_cast<std::byte*>(memory_.data()) + offset); }
  TensorView view() const { return {data(), DType::kFloat32, {static_cast<std::int64_t>(count_)}}; }
  std::vector<float> values() const {
    std::vector<float> values(count_);
    device_.copy_to_host(values.data(), data(), count_ * sizeof(float));
    return values;
  }

  static inline std::size_t offset = 0;  // in bytes, of every tensor

 private:
  static constexpr std::size_t kOffset = 16;
  Device& device_;
  std::size_t count_;
  DeviceBuffer memory_;
};

inline std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

// All tensors after some steps with predictions that are random.
inline std::vector<std::vector<float>> stepped(Device& device, const SchedulerTable& table, std::size_t count) {
  std::vector<std::unique_ptr<DeviceTensor>> tensors;
  for (unsigned i = 0; i < 8; ++i) tensors.push_back(std::make_unique<DeviceTensor>(device, random_floats(count, i)));
  StepTensors step;
  step.output_negative = tensors[0]->data();
  step.output_positive = tensors[1]->data();
  step.guidance_scale = 4.5f;
  step.sample = tensors[2]->data();
  step.sample_copy = tensors[3]->data();
  step.prev_sample = tensors[4]->data();
  step.history = {tensors[5]->data(), tensors[6]->data(), tensors[7]->data()};
  step.count = static_cast<std::int64_t>(count);
  for (int i = 0; i < static_cast<int>(table.steps.size()); ++i) {
    device.apply_step(table, i, step);
    rotate_history(table, step);
    device.end_step();
  }
  std::vector<std::vector<float>> all;
  for (const auto& tensor : tensors) all.push_back(tensor->values());
  return all;
}

TYPED_TEST_SUITE_P(DevicePipeline);

TYPED_TEST_P(DevicePipeline, StepsHaveTheBitsOfTheHost) {
  const std::shared_ptr<TestDevice> place = TypeParam::open();
  for (const char* name : {"euler", "unipc", "dpmpp_2m", "lcm"}) {
    const SchedulerTable table =
        make_scheduler_table(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})", name, 6);
    for (const std::size_t count : {std::size_t{1}, std::size_t{1027}, std::size_t{4096}}) {
      for (DeviceTensor::offset = 0; DeviceTensor::offset <= 4; DeviceTensor::offset += 4) {
        EXPECT_EQ(stepped(place->device(), table, count), stepped(host_device(), table, count)) << name << " " << count;
      }
    }
  }
  DeviceTensor::offset = 0;
}

TYPED_TEST_P(DevicePipeline, WhatIsCopiedFromTheHostMayChangeAtOnce) {
  const std::shared_ptr<TestDevice> place = TypeParam::open();
  Device& device = place->device();
  const std::size_t count = (std::size_t{7} << 18) + 5;  // some MiB, and not a whole number of them
  const DeviceTensor first(device, random_floats(count, 1));
  const DeviceTensor second(device, random_floats(count, 2));
  EXPECT_EQ(first.values(), random_floats(count, 1));
  EXPECT_EQ(second.values(), random_floats(count, 2));
}

TYPED_TEST_P(DevicePipeline, TensorsAreFilledAndRowsCopied) {
  const std::shared_ptr<TestDevice> place = TypeParam::open();
  Device& device = place->device();
  const DeviceTensor tensor(device, random_floats(1029, 1));
  device.fill(tensor.view(), 0.25f);
  EXPECT_EQ(tensor.values(), std::vector<float>(1029, 0.25f));
  const DeviceTensor from(device, {1, 2, 9, 3, 4, 9, 5, 6, 9});
  const DeviceTensor to(device, std::vector<float>(6, 0.0f));
  device.copy_rows(to.data(), 2 * sizeof(float), from.data(), 3 * sizeof(float), 2 * sizeof(float), 3);
  EXPECT_EQ(to.values(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TYPED_TEST_P(DevicePipeline, OneValueThatIsNotFiniteIsFound) {
  const std::shared_ptr<TestDevice> place = TypeParam::open();
  for (const std::size_t count : {std::size_t{1}, std::size_t{5000}}) {
    std::vector<float> values = random_floats(count, 3);
    EXPECT_TRUE(place->device().all_finite(DeviceTensor(place->device(), values).view()));
    values.back() = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(place->device().all_finite(DeviceTensor(place->device(), values).view()));
    values.back() = std::nanf("");
    EXPECT_FALSE(place->device().all_finite(DeviceTensor(place->device(), values).view()));
  }
}

TYPED_TEST_P(DevicePipeline, FramesAreThoseOfTheHost) {
  Pipeline host = this->open();
  Pipeline pipeline = this->open_there();
  for (const char* scheduler : {"euler", "unipc", "dpmpp_2m", "lcm"}) {
    for (const double guidance : {1.0, 3.0}) {
      for (const int num_frames : {1, 5, 21}) {
        GenerateOptions options = this->prompt_options(num_frames);
        options.scheduler = scheduler;
        options.guidance_scale = guidance;
        if (guidance > 1.0) options.negative_prompt = "blue";
        const std::vector<std::uint8_t> expected = this->pixels(host.generate(options));
        for (const int chunk : {1, 2, 5}) {
          options.decode_chunk = chunk;
          EXPECT_EQ(this->pixels(pipeline.generate(options)), expected) << scheduler << ", " << num_frames << " frames";
        }
      }
    }
  }
}

TYPED_TEST_P(DevicePipeline, FramesAreThoseOfTheHostUnderEveryBudget) {
  const std::vector<std::uint8_t> expected = this->pixels(this->open().generate(this->prompt_options()));
  PipelineOptions tight;
  GenerationPlan plan = this->open().plan(this->prompt_options());
  while (plan.residency == "all") {
    tight.memory_budget = plan.total_bytes() - 1;
    Pipeline pipeline = this->open_there(tight);
    EXPECT_EQ(this->pixels(pipeline.generate(this->prompt_options())), expected) << plan.guidance;
    plan = pipeline.plan(this->prompt_options());
  }
}

TYPED_TEST_P(DevicePipeline, FramesThatBeginWithAnImageAreThoseOfTheHost) {
  ToyBundleOptions toy_options;
  toy_options.vae_encoder = true;
  const ToyBundle own(toy_options);
  const Bundle bundle = Bundle::open(own.path());
  std::vector<std::uint8_t> rgb(8 * 12 * 3);
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<std::uint8_t>(i * 37);
  Pipeline host = Pipeline::open(bundle, {}, this->backend);
  Pipeline pipeline = this->open_there({}, &bundle);
  for (const char* scheduler : {"euler", "unipc", "dpmpp_2m", "lcm"}) {
    GenerateOptions options = this->prompt_options();
    options.scheduler = scheduler;
    options.image = TensorView{rgb.data(), DType::kUInt8, {8, 12, 3}};
    EXPECT_EQ(this->pixels(pipeline.generate(options)), this->pixels(host.generate(options))) << scheduler;
  }
}

TYPED_TEST_P(DevicePipeline, TheSameStepsAreSkippedAsOnTheHost) {
  Pipeline host = this->open();
  Pipeline pipeline = this->open_there();
  for (const double guidance : {1.0, 3.0}) {
    GenerateOptions options = this->prompt_options(21);
    options.num_inference_steps = 12;
    options.guidance_scale = guidance;
    options.step_cache = 0.05;
    const Video expected = host.generate(options);
    const Video video = pipeline.generate(options);
    EXPECT_EQ(this->pixels(video), this->pixels(expected));
    EXPECT_EQ(video.metadata.skipped_steps, expected.metadata.skipped_steps);
    EXPECT_FALSE(video.metadata.skipped_steps.empty());
  }
}

TYPED_TEST_P(DevicePipeline, MeanDifferencesHaveTheBitsOfTheHost) {
  const std::shared_ptr<TestDevice> place = TypeParam::open();
  for (const std::size_t count : {std::size_t{1}, std::size_t{5000}, std::size_t{20000}}) {
    const std::vector<float> a = random_floats(count, 1);
    const std::vector<float> b = random_floats(count, 2);
    Device& device = place->device();
    const double difference =
        host_device().mean_difference(DeviceTensor(host_device(), a).view(), DeviceTensor(host_device(), b).view());
    EXPECT_EQ(device.mean_difference(DeviceTensor(device, a).view(), DeviceTensor(device, b).view()), difference);
    EXPECT_EQ(device.mean_magnitude(DeviceTensor(device, a).view()),
              host_device().mean_magnitude(DeviceTensor(host_device(), a).view()));
  }
}

TYPED_TEST_P(DevicePipeline, LatentsAreDecodedAsOnTheHost) {
  for (const char* form : {"causal", "framewise"}) {
    ToyBundleOptions toy_options;
    toy_options.form = form;
    const ToyBundle own(toy_options);
    std::vector<float> values(4 * 5 * 4 * 6);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i * i % 1013));
    DecodeOptions options;
    options.latents = {values.data(), DType::kFloat32, {4, 5, 4, 6}};
    const Bundle bundle = Bundle::open(own.path());
    Pipeline host = Pipeline::open(bundle, {}, this->backend);
    Pipeline pipeline = this->open_there({}, &bundle);
    EXPECT_EQ(this->pixels(pipeline.decode_latents(options)), this->pixels(host.decode_latents(options))) << form;
    // Rows of tiles that words of four floats cut, and others; two chunks, of which the next is asked for early.
    for (const int width : {6, 8}) {
      options.vae_tiling = {"on", 4, width, 2, 4};
      EXPECT_EQ(pipeline.plan_decode(options).tiles.rows, 3);
      EXPECT_EQ(this->pixels(pipeline.decode_latents(options)), this->pixels(host.decode_latents(options))) << form;
    }
  }
}

TYPED_TEST_P(DevicePipeline, TilesAreBlendedWithTheBitsOfTheHost) {
  const std::shared_ptr<TestDevice> place = TypeParam::open();
  for (const int width : {5, 8}) {
    const auto blended = [width](Device& device) {
      const DeviceTensor frames(device, random_floats(3 * 2 * 6 * 12, 1));
      const DeviceTensor tile(device, random_floats(static_cast<std::size_t>(3 * 4 * 3 * width), 2));
      const DeviceTensor rows(device, random_floats(3, 3));
      const DeviceTensor columns(device, random_floats(static_cast<std::size_t>(width), 4));
      TileBlend blend;
      blend.frames = {frames.data(), DType::kFloat32, {1, 3, 2, 6, 12}};
      blend.tile = {tile.data(), DType::kFloat32, {1, 3, 4, 3, width}};
      blend.rows = rows.data();
      blend.columns = columns.data();
      blend.first = 1;
      blend.count = 2;
      blend.top = 2;
      blend.left = 4;
      device.blend_tile(blend);
      return frames.values();
    };
    EXPECT_EQ(blended(place->device()), blended(host_device()));
    EXPECT_NE(blended(host_device()), random_floats(3 * 2 * 6 * 12, 1));
  }
}

TYPED_TEST_P(DevicePipeline, EmbeddingsAreThoseOfTheHost) {
  EXPECT_EQ(this->open_there().encode_prompt("red circle").values, this->open().encode_prompt("red circle").values);
}

TYPED_TEST_P(DevicePipeline, AtMostOneStepIsQueuedBehindTheOneThatRuns) {
  Pipeline pipeline = this->open_there();
  ASSERT_EQ(pipeline.plan(this->prompt_options()).guidance, "batched");  // a run is a step
  int done = 0;
  this->there->before_run = [&](const std::string& module) { done += module == "denoiser" ? 1 : 0; };
  Callbacks callbacks;
  callbacks.on_step = [&](const StepEvent& event) {
    EXPECT_GE(done, event.step);
    // And the device is not waited for more than that needs.
    if (TypeParam::kIsLate) {
      EXPECT_EQ(done, event.step);
    }
  };
  pipeline.generate(this->prompt_options(), callbacks);
  EXPECT_EQ(done, this->prompt_options().num_inference_steps);
}

TYPED_TEST_P(DevicePipeline, TheNextChunkIsDecodedWhileTheHostTakesOne) {
  Pipeline pipeline = this->open_there();
  int asked = 0;
  this->there->on_run = [&](const std::string& module) { asked += module.rfind("vae_decoder", 0) == 0 ? 1 : 0; };
  GenerateOptions options = this->prompt_options(21);
  options.decode_chunk = 1;
  const int chunks = pipeline.plan(options).latent_frames;
  int taken = 0;
  std::vector<std::uint8_t> streamed;
  Callbacks callbacks;
  callbacks.on_frames = [&](const FramesEvent& event) {
    ++taken;
    EXPECT_EQ(asked, std::min(taken + 1, chunks));
    streamed.insert(streamed.end(), event.rgb, event.rgb + event.num_frames * event.height * event.width * 3);
  };
  EXPECT_EQ(this->pixels(pipeline.generate(options, callbacks)), streamed);
  EXPECT_EQ(taken, chunks);
}

TYPED_TEST_P(DevicePipeline, FloatFramesAreThoseOfTheProcessor) {
  GenerateOptions options = this->prompt_options(21);
  options.output_type = "float32";
  const std::vector<float> expected = this->float_pixels(this->open().generate(options));
  for (const int chunk : {0, 1, 3}) {
    options.decode_chunk = chunk;
    EXPECT_EQ(this->float_pixels(this->open_there().generate(options)), expected) << "chunks of " << chunk;
  }
}

TYPED_TEST_P(DevicePipeline, ACancelBetweenChunksLeavesNoFramesForTheNextGeneration) {
  Pipeline pipeline = this->open_there();
  const std::vector<std::uint8_t> expected = this->pixels(pipeline.generate(this->prompt_options(21)));
  CancelToken cancel;
  Callbacks callbacks;
  callbacks.cancel = &cancel;
  callbacks.on_frames = [&](const FramesEvent&) { cancel.cancel(); };
  EXPECT_THROW(pipeline.generate(this->prompt_options(21), callbacks), Cancelled);
  EXPECT_EQ(this->pixels(pipeline.generate(this->prompt_options(21))), expected);
}

TYPED_TEST_P(DevicePipeline, ValuesThatAreNotFiniteAreAnError) {
  this->there->poison_denoiser = true;
  EXPECT_THROW(this->open_there().generate(this->prompt_options()), BackendError);
}

TYPED_TEST_P(DevicePipeline, AllMemoryIsGivenBack) {
  this->there->elsewhere = TypeParam::open();
  const std::size_t before = this->there->elsewhere->blocks();
  {
    Pipeline pipeline = Pipeline::open(Bundle::open(this->toy.path()), {}, this->there);
    pipeline.generate(this->prompt_options());
  }
  EXPECT_EQ(this->there->elsewhere->blocks(), before);
}

REGISTER_TYPED_TEST_SUITE_P(DevicePipeline, StepsHaveTheBitsOfTheHost, WhatIsCopiedFromTheHostMayChangeAtOnce,
                            TensorsAreFilledAndRowsCopied, OneValueThatIsNotFiniteIsFound, FramesAreThoseOfTheHost,
                            FramesAreThoseOfTheHostUnderEveryBudget, FramesThatBeginWithAnImageAreThoseOfTheHost,
                            TheSameStepsAreSkippedAsOnTheHost, MeanDifferencesHaveTheBitsOfTheHost,
                            LatentsAreDecodedAsOnTheHost, TilesAreBlendedWithTheBitsOfTheHost,
                            EmbeddingsAreThoseOfTheHost, AtMostOneStepIsQueuedBehindTheOneThatRuns,
                            TheNextChunkIsDecodedWhileTheHostTakesOne, FloatFramesAreThoseOfTheProcessor,
                            ACancelBetweenChunksLeavesNoFramesForTheNextGeneration, ValuesThatAreNotFiniteAreAnError,
                            AllMemoryIsGivenBack);

}  // namespace vidrt::testing
