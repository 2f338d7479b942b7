// The pipeline over a device whose memory the host cannot touch and which does its work late: the same frames as on the
// host, progress that is true, errors that arrive, memory given back.
#include "runtime/device.h"

#include <array>
#include <cmath>
#include <limits>

#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

class SecludedPipeline : public PipelineFixture {
 protected:
  Pipeline open_secluded(const PipelineOptions& options = {}, const Bundle* bundle = nullptr) {
    secluded->secluded = std::make_shared<SecludedDevice>();
    return Pipeline::open(bundle == nullptr ? Bundle::open(toy.path()) : *bundle, options, secluded);
  }
  SecludedDevice& device() { return *secluded->secluded; }

  std::shared_ptr<ReferenceBackend> secluded = std::make_shared<ReferenceBackend>();
};

TEST_F(SecludedPipeline, FramesAreThoseOfTheHost) {
  Pipeline host = open();
  Pipeline pipeline = open_secluded();
  for (const char* scheduler : {"euler", "unipc", "dpmpp_2m"}) {
    for (const double guidance : {1.0, 3.0}) {
      for (const int num_frames : {1, 5, 21}) {
        GenerateOptions options = prompt_options(num_frames);
        options.scheduler = scheduler;
        options.guidance_scale = guidance;
        if (guidance > 1.0) options.negative_prompt = "blue";
        const std::vector<std::uint8_t> expected = pixels(host.generate(options));
        for (const int chunk : {1, 2, 5}) {
          options.decode_chunk = chunk;
          EXPECT_EQ(pixels(pipeline.generate(options)), expected) << scheduler << ", " << num_frames << " frames";
        }
      }
    }
  }
}

TEST_F(SecludedPipeline, FramesAreThoseOfTheHostUnderEveryBudget) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  PipelineOptions tight;
  GenerationPlan plan = open().plan(prompt_options());
  while (plan.residency == "all") {
    tight.memory_budget = plan.weight_bytes + plan.arena_bytes - 1;
    Pipeline pipeline = open_secluded(tight);
    EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected) << plan.guidance;
    plan = pipeline.plan(prompt_options());
  }
}

TEST_F(SecludedPipeline, LatentsAreDecodedAsOnTheHost) {
  for (const char* form : {"causal", "framewise"}) {
    ToyBundleOptions toy_options;
    toy_options.form = form;
    const ToyBundle own(toy_options);
    std::vector<float> values(4 * 5 * 4 * 6);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i * i % 1013));
    DecodeOptions options;
    options.latents = {values.data(), DType::kFloat32, {4, 5, 4, 6}};
    const Bundle bundle = Bundle::open(own.path());
    Pipeline host = Pipeline::open(bundle, {}, backend);
    Pipeline pipeline = open_secluded({}, &bundle);
    EXPECT_EQ(pixels(pipeline.decode_latents(options)), pixels(host.decode_latents(options))) << form;
  }
}

TEST_F(SecludedPipeline, EmbeddingsAreThoseOfTheHost) {
  EXPECT_EQ(open_secluded().encode_prompt("red circle").values, open().encode_prompt("red circle").values);
}

TEST_F(SecludedPipeline, AtMostOneStepIsQueuedBehindTheOneThatRuns) {
  open_secluded().generate(prompt_options());
  EXPECT_EQ(device().most_steps, 2u);
}

TEST_F(SecludedPipeline, TheNextChunkIsDecodedWhileTheHostTakesOne) {
  Pipeline pipeline = open_secluded();
  std::vector<std::uint8_t> streamed;
  Callbacks callbacks;
  callbacks.on_frames = [&](const FramesEvent& event) {
    streamed.insert(streamed.end(), event.rgb, event.rgb + event.num_frames * event.height * event.width * 3);
  };
  EXPECT_EQ(pixels(pipeline.generate(prompt_options(21), callbacks)), streamed);
  EXPECT_TRUE(device().decoded_ahead);
}

TEST_F(SecludedPipeline, ACancelBetweenChunksLeavesNoFramesForTheNextGeneration) {
  Pipeline pipeline = open_secluded();
  const std::vector<std::uint8_t> expected = pixels(pipeline.generate(prompt_options(21)));
  CancelToken cancel;
  Callbacks callbacks;
  callbacks.cancel = &cancel;
  callbacks.on_frames = [&](const FramesEvent&) { cancel.cancel(); };
  EXPECT_THROW(pipeline.generate(prompt_options(21), callbacks), Cancelled);
  EXPECT_EQ(pixels(pipeline.generate(prompt_options(21))), expected);
}

TEST_F(SecludedPipeline, AnErrorOfQueuedWorkEndsTheGenerationAndThePipelineStaysUsable) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  for (const char* failing : {"text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"}) {
    Pipeline another = open_secluded();
    secluded->before_run = [&](const std::string& module) {
      if (module == failing) throw BackendError("the device was lost");
    };
    EXPECT_EQ(message_of<BackendError>([&] { another.generate(prompt_options()); }), "the device was lost") << failing;
    secluded->before_run = nullptr;
    EXPECT_EQ(pixels(another.generate(prompt_options())), expected) << failing;
  }
}

TEST_F(SecludedPipeline, ValuesThatAreNotFiniteAreAnError) {
  secluded->poison_denoiser = true;
  EXPECT_THROW(open_secluded().generate(prompt_options()), BackendError);
}

TEST_F(SecludedPipeline, AllMemoryIsGivenBack) {
  { open_secluded().generate(prompt_options()); }
  EXPECT_EQ(device().blocks, 0);
}

TEST(HostDevice, FramesBecomeRgbAndAreClamped) {
  // The last two of three frames of 1x2 pixels.
  std::vector<float> values(3 * 3 * 2, -1.0f);
  const auto level = [](float value) { return value / 255.0f * 2.0f - 1.0f; };
  const TensorView frames{values.data(), DType::kFloat32, {1, 3, 3, 1, 2}};
  values[2] = 3.0f;                                           // red, frame 1
  values[3] = level(128.0f);                                  //
  values[6 + 4] = level(64.0f);                               // green, frame 2
  values[12 + 3] = -std::numeric_limits<float>::infinity();   // blue, frame 1
  const auto reader = host_device().frame_reader(2, 1, 2);
  reader->begin(frames, 1, 2);
  std::array<std::uint8_t, 12> rgb{};
  reader->end(rgb.data());
  EXPECT_EQ(rgb, (std::array<std::uint8_t, 12>{255, 0, 0, 128, 0, 0, 0, 64, 0, 0, 0, 0}));
}

TEST(HostDevice, RowsAreCopiedFromPitchToPitch) {
  const std::array<char, 9> from{'a', 'b', '-', 'c', 'd', '-', 'e', 'f', '-'};
  std::array<char, 6> to{};
  host_device().copy_rows(to.data(), 2, from.data(), 3, 2, 3);
  EXPECT_EQ(std::string(to.begin(), to.end()), "abcdef");
}

}  // namespace
}  // namespace vidrt::testing
