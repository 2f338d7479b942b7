// The pipeline's promises about frames: the same whatever the plan, the chunks, the threads or the way in.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "runtime/philox.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

TEST_F(PipelineFixture, TwoRunsAgreeBitForBit) {
  Pipeline pipeline = open();
  EXPECT_EQ(pixels(pipeline.generate(prompt_options())), pixels(pipeline.generate(prompt_options())));
}

TEST_F(PipelineFixture, AnotherSeedGivesOtherFrames) {
  Pipeline pipeline = open();
  GenerateOptions other = prompt_options();
  other.seed = 8;
  EXPECT_NE(pixels(pipeline.generate(prompt_options())), pixels(pipeline.generate(other)));
}

TEST_F(PipelineFixture, ANegativePromptChangesTheFrames) {
  Pipeline pipeline = open();
  GenerateOptions other = prompt_options();
  other.negative_prompt = "blue";
  EXPECT_NE(pixels(pipeline.generate(prompt_options())), pixels(pipeline.generate(other)));
}

TEST_F(PipelineFixture, AnyChunkingGivesTheSameFrames) {
  Pipeline pipeline = open();
  for (const int num_frames : {1, 5, 9, 21}) {
    GenerateOptions options = prompt_options(num_frames);
    const std::vector<std::uint8_t> expected = pixels(pipeline.generate(options));
    for (const int chunk : {1, 2, 3, 4, 5, 6, 7}) {
      options.decode_chunk = chunk;
      EXPECT_EQ(pixels(pipeline.generate(options)), expected) << num_frames << " frames, chunks of " << chunk;
    }
  }
}

TEST_F(PipelineFixture, FramesHandedOutAreTheFramesKept) {
  Pipeline pipeline = open();
  std::vector<std::uint8_t> streamed;
  std::vector<int> firsts;
  Callbacks callbacks;
  callbacks.on_frames = [&](const FramesEvent& event) {
    firsts.push_back(event.first_frame);
    streamed.insert(streamed.end(), event.rgb, event.rgb + event.num_frames * event.height * event.width * 3);
  };
  const Video video = pipeline.generate(prompt_options(), callbacks);
  EXPECT_EQ(streamed, pixels(video));
  EXPECT_EQ(firsts, (std::vector<int>{0, 1, 5, 9}));

  streamed.clear();
  GenerateOptions dropped = prompt_options();
  dropped.keep_frames = false;
  EXPECT_EQ(pipeline.generate(dropped, callbacks).rgb, nullptr);
  EXPECT_EQ(streamed, pixels(video));
}

TEST_F(PipelineFixture, FloatFramesAreThoseThatBecomeBytesInAnyChunkingAndAsTheyAreHandedOut) {
  Pipeline pipeline = open();
  GenerateOptions options = prompt_options(21);
  const std::vector<std::uint8_t> bytes = pixels(pipeline.generate(options));
  options.output_type = "float32";
  std::vector<float> streamed;
  Callbacks callbacks;
  callbacks.on_frames = [&](const FramesEvent& event) {
    EXPECT_EQ(event.rgb, nullptr);
    streamed.insert(streamed.end(), event.rgb_float,
                    event.rgb_float + event.num_frames * event.height * event.width * 3);
  };
  const Video video = pipeline.generate(options, callbacks);
  EXPECT_EQ(video.rgb, nullptr);
  const std::vector<float> expected = float_pixels(video);
  EXPECT_EQ(streamed, expected);
  ASSERT_EQ(expected.size(), bytes.size());
  bool between = false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_EQ(bytes[i], static_cast<std::uint8_t>(std::nearbyintf(expected[i] * 255.0f))) << i;
    between = between || std::nearbyintf(expected[i] * 255.0f) != expected[i] * 255.0f;
  }
  EXPECT_TRUE(between);
  for (const int chunk : {1, 2, 4, 7}) {
    options.decode_chunk = chunk;
    EXPECT_EQ(float_pixels(pipeline.generate(options)), expected) << "chunks of " << chunk;
  }
  streamed.clear();
  options.keep_frames = false;
  EXPECT_EQ(pipeline.generate(options, callbacks).rgb_float, nullptr);
  EXPECT_EQ(streamed, expected);
}

TEST_F(PipelineFixture, AnUnknownOutputTypeIsRefusedBeforeAnythingIsLoaded) {
  Pipeline pipeline = open();
  for (const char* word : {"float16", "", "Float32"}) {
    GenerateOptions options = prompt_options();
    options.output_type = word;
    EXPECT_TRUE(names(message_of<InvalidArgument>([&] { pipeline.generate(options); }),
                      {"output_type must be uint8 or float32, got '", word}));
    EXPECT_THROW(pipeline.plan(options), InvalidArgument);
  }
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(PipelineFixture, SequentialGuidanceGivesTheFramesOfBatchedGuidance) {
  Pipeline batched = open();
  const GenerationPlan plan = batched.plan(prompt_options(21));
  ASSERT_EQ(plan.guidance, "batched");
  PipelineOptions tight;
  tight.memory_budget = plan.total_bytes() - 1;
  Pipeline sequential = open(tight);
  ASSERT_EQ(sequential.plan(prompt_options(21)).guidance, "sequential");
  EXPECT_EQ(pixels(batched.generate(prompt_options(21))), pixels(sequential.generate(prompt_options(21))));
}

TEST_F(PipelineFixture, ModulesLoadedStageByStageGiveTheSameFramesWithFewerLoadedAtOnce) {
  Pipeline resident = open();
  const std::vector<std::uint8_t> expected = pixels(resident.generate(prompt_options()));
  backend = std::make_shared<ReferenceBackend>();
  // Each plan's need less one byte forces the next: sequential guidance, then one stage at a time.
  PipelineOptions tight;
  for (GenerationPlan plan = resident.plan(prompt_options()); plan.residency == "all";) {
    tight.memory_budget = plan.total_bytes() - 1;
    plan = open(tight).plan(prompt_options());
  }
  Pipeline staged = open(tight);
  EXPECT_EQ(pixels(staged.generate(prompt_options())), expected);
  EXPECT_EQ(backend->most_alive(), 1);
}

// The processor's memory is taken as it is written: up to a stage, that of all tensors that began to live.
TEST_F(PipelineFixture, AStageCountsTheArenaAsFarAsItHasBeenWritten) {
  const GenerationPlan plan = open().plan(prompt_options());
  ASSERT_EQ(plan.stage_memory.size(), plan.stages.size());
  for (std::size_t stage = 0; stage < plan.stages.size(); ++stage) {
    std::vector<bool> written(plan.arena_bytes);
    for (const PlannedTensor& tensor : plan.tensors) {
      if (tensor.first_stage > static_cast<int>(stage)) continue;
      const auto begin = written.begin() + static_cast<std::ptrdiff_t>(tensor.offset);
      std::fill(begin, begin + static_cast<std::ptrdiff_t>(tensor.bytes), true);
    }
    EXPECT_EQ(plan.stage_memory[stage].arena_bytes,
              static_cast<std::uint64_t>(std::count(written.begin(), written.end(), true)))
        << plan.stages[stage];
  }
  EXPECT_LT(plan.stage_memory.front().arena_bytes, plan.stage_memory.back().arena_bytes);
}

TEST_F(PipelineFixture, PipelinesInFourThreadsGiveTheSameFrames) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  std::vector<std::vector<std::uint8_t>> results(4);
  std::vector<std::thread> threads;
  for (std::vector<std::uint8_t>& result : results) {
    threads.emplace_back([&] {
      Pipeline pipeline = open();
      for (int i = 0; i < 3; ++i) result = pixels(pipeline.generate(prompt_options()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<std::uint8_t>& result : results) EXPECT_EQ(result, expected);
}

TEST_F(PipelineFixture, OnePipelineTakesTheCallsOfSeveralThreadsOneAfterAnother) {
  Pipeline pipeline = open();
  const std::vector<std::uint8_t> expected = pixels(pipeline.generate(prompt_options()));
  std::vector<std::vector<std::uint8_t>> results(3);
  std::vector<std::thread> threads;
  for (std::vector<std::uint8_t>& result : results) {
    threads.emplace_back([&] { result = pixels(pipeline.generate(prompt_options())); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<std::uint8_t>& result : results) EXPECT_EQ(result, expected);
}

TEST_F(PipelineFixture, EmbeddingsMadeBeforehandGiveTheFramesOfTheirPromptWithoutTheTextEncoder) {
  const std::vector<std::uint8_t> expected = pixels(open().generate(prompt_options()));
  Pipeline workstation = open();
  const PromptEmbeds positive = workstation.encode_prompt("red circle");
  const PromptEmbeds negative = workstation.encode_prompt("");
  EXPECT_EQ(positive.mask.front(), 1);
  EXPECT_EQ(positive.mask.back(), 0);

  backend = std::make_shared<ReferenceBackend>();
  backend->before_run = [](const std::string& module) { ASSERT_NE(module, "text_encoder"); };
  Pipeline device = open();
  GenerateOptions options = prompt_options();
  options.prompt.clear();
  options.prompt_embeds = &positive;
  options.negative_prompt_embeds = &negative;
  const Video video = device.generate(options);
  EXPECT_EQ(pixels(video), expected);
  EXPECT_EQ(video.metadata.prompt, "red circle");
  EXPECT_EQ(backend->loads(), 3);
}

TEST_F(PipelineFixture, APromptUsedAgainIsNotEncodedAgain) {
  Pipeline pipeline = open();
  int encodes = 0;
  backend->before_run = [&](const std::string& module) { encodes += module == "text_encoder" ? 1 : 0; };
  pipeline.generate(prompt_options());
  pipeline.generate(prompt_options());
  EXPECT_EQ(encodes, 2);  // the prompt and the negative prompt, once each
}

TEST_F(PipelineFixture, LatentsOfTheCallersGiveWhatTheirSeedGives) {
  Pipeline pipeline = open();
  GenerateOptions options = prompt_options();
  const GenerationPlan plan = pipeline.plan(options);
  std::vector<float> noise(static_cast<std::size_t>(4 * plan.latent_frames * plan.latent_height * plan.latent_width));
  fill_standard_normal(7, static_cast<std::int64_t>(noise.size()), noise.data());
  const std::vector<std::uint8_t> expected = pixels(pipeline.generate(options));
  options.seed.reset();
  options.latents =
      TensorView{noise.data(), DType::kFloat32, {4, plan.latent_frames, plan.latent_height, plan.latent_width}};
  EXPECT_EQ(pixels(pipeline.generate(options)), expected);
}

TEST_F(PipelineFixture, WithoutASeedOneIsDrawnAndRecorded) {
  Pipeline pipeline = open();
  GenerateOptions options = prompt_options();
  options.seed.reset();
  const Video first = pipeline.generate(options);
  const Video second = pipeline.generate(options);
  EXPECT_NE(first.metadata.seed, second.metadata.seed);
  options.seed = first.metadata.seed;
  EXPECT_EQ(pixels(pipeline.generate(options)), pixels(first));
}

TEST_F(PipelineFixture, EveryStepIsReportedWithItsTimestep) {
  Pipeline pipeline = open();
  std::vector<int> steps;
  std::vector<double> timesteps;
  Callbacks callbacks;
  callbacks.on_step = [&](const StepEvent& event) {
    steps.push_back(event.step);
    timesteps.push_back(event.timestep);
  };
  pipeline.generate(prompt_options(), callbacks);
  EXPECT_EQ(steps, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_DOUBLE_EQ(timesteps.front(), 1000.0);
  EXPECT_TRUE(std::is_sorted(timesteps.rbegin(), timesteps.rend()));
}

TEST_F(PipelineFixture, StagesAreAnnouncedInOrderAndReachTheirTotals) {
  Pipeline pipeline = open();
  std::vector<std::string> order;
  std::map<Stage, std::pair<int, int>> last;
  Callbacks callbacks;
  callbacks.on_stage = [&](const StageEvent& event) {
    const std::string name = stage_name(event.stage);
    if (order.empty() || order.back() != name) order.push_back(name);
    last[event.stage] = {event.done, event.total};
  };
  pipeline.generate(prompt_options(), callbacks);
  EXPECT_EQ(order, (std::vector<std::string>{"load", "encode", "denoise", "decode"}));
  for (const auto& entry : last) EXPECT_EQ(entry.second.first, entry.second.second);
}

TEST_F(PipelineFixture, ThePlanNeverOverlapsTensorsThatLiveTogetherAndLoadsNothing) {
  Pipeline pipeline = open();
  for (const int num_frames : {1, 5, 21}) {
    const GenerationPlan plan = pipeline.plan(prompt_options(num_frames));
    for (const PlannedTensor& a : plan.tensors) {
      EXPECT_LE(a.offset + a.bytes, plan.arena_bytes);
      for (const PlannedTensor& b : plan.tensors) {
        const bool live_together = a.first_stage <= b.last_stage && b.first_stage <= a.last_stage;
        const bool apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
        EXPECT_TRUE(&a == &b || !live_together || apart) << a.name << " and " << b.name;
      }
    }
    EXPECT_LT(plan.arena_bytes, plan.unshared_bytes);
  }
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(PipelineFixture, MemoryThatWaitsForFurtherRunsIsGivenBackBetweenModulesAndAtTheEnd) {
  std::vector<std::string> events;
  backend->on_run = [&](const std::string& module) { events.push_back(module); };
  backend->on_rest = [&] { events.emplace_back("rest"); };
  Pipeline pipeline = open();
  pipeline.generate(prompt_options());
  events.erase(std::unique(events.begin(), events.end()), events.end());
  EXPECT_EQ(events, (std::vector<std::string>{"rest", "text_encoder", "rest", "denoiser", "rest", "vae_decoder_first",
                                              "rest", "vae_decoder_next", "rest"}));
  events.clear();
  Callbacks callbacks;
  callbacks.on_step = [](const StepEvent&) { throw std::runtime_error("enough"); };
  EXPECT_THROW(pipeline.generate(prompt_options(), callbacks), std::runtime_error);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back(), "rest");
}

}  // namespace
}  // namespace vidrt::testing
