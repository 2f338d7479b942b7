// Bad input, failures and cancelling: one clear error before anything is loaded, and a pipeline usable afterwards.
#include <limits>
#include <string>
#include <thread>

#include "support/memory_growth.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

using ::testing::Test;

class BadOptionsTest : public PipelineFixture {
 protected:
  // The error that the options give; afterwards nothing is loaded and a good generation still works.
  std::string refused(const GenerateOptions& options) {
    Pipeline pipeline = open();
    const std::string message = message_of<InvalidArgument>([&] { pipeline.generate(options); });
    EXPECT_EQ(backend->loads(), 0);
    EXPECT_NO_THROW(pipeline.generate(prompt_options()));
    return message;
  }

  std::vector<std::string> warnings_of(const std::string& prompt, const std::string& negative_prompt = "") {
    GenerateOptions options = prompt_options();
    options.prompt = prompt;
    options.negative_prompt = negative_prompt;
    return open().generate(options).metadata.warnings;
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(BadOptionsTest, AFrameCountTheModelCannotDoNamesTheNearestValid) {
  const std::string message = refused(prompt_options(12));
  EXPECT_TRUE(contains(message, "num_frames")) << message;
  EXPECT_TRUE(contains(message, "got 12; nearest valid: 9, 13.")) << message;
}

TEST_F(BadOptionsTest, ASizeTheModelCannotDoNamesTheNearestValid) {
  GenerateOptions options = prompt_options();
  options.height = 9;
  EXPECT_TRUE(contains(refused(options), "height must be"));
  backend = std::make_shared<ReferenceBackend>();
  options = prompt_options();
  options.width = 1 << 30;
  EXPECT_TRUE(contains(refused(options), "nearest valid: "));
}

TEST_F(BadOptionsTest, AnEmptyPromptIsRefused) {
  GenerateOptions options = prompt_options();
  options.prompt = " \n\t";
  EXPECT_TRUE(contains(refused(options), "prompt is empty"));
}

TEST_F(BadOptionsTest, AnOverlongPromptNamesBothLengthsAndTruncateOptsIn) {
  GenerateOptions options = prompt_options();
  options.prompt.clear();
  for (int i = 0; i < 200; ++i) options.prompt += "red ";
  const std::string message = refused(options);
  EXPECT_TRUE(contains(message, "201")) << message;
  const int max_length = Bundle::open(toy.path()).manifest().tokenizer.max_length;
  EXPECT_TRUE(contains(message, std::to_string(max_length))) << message;
  options.truncate = true;
  EXPECT_FALSE(open().generate(options).metadata.warnings.empty());
}

TEST_F(BadOptionsTest, WordsTheModelDoesNotKnowAreAWarningThatNamesThem) {
  GenerateOptions options = prompt_options();
  options.prompt = "red Hippopotamus circle";
  std::vector<std::string> warnings;
  Callbacks callbacks;
  callbacks.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  const Video video = open().generate(options, callbacks);
  ASSERT_FALSE(warnings.empty());
  EXPECT_TRUE(contains(warnings.front(), "'Hippopotamus'")) << warnings.front();
  EXPECT_EQ(video.metadata.warnings, warnings);
}

TEST_F(BadOptionsTest, APromptThatContradictsItselfIsAWarningThatNamesBoth) {
  EXPECT_EQ(warnings_of("a red circle moves left"), std::vector<std::string>{});
  const std::vector<std::string> warnings = warnings_of("a Red circle, BLUE circle moves");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(contains(warnings[0], "more than one colour: 'red', 'blue'; the model shows one")) << warnings[0];
  EXPECT_EQ(warnings_of("a red circle blue square").size(), 2U);
}

TEST_F(BadOptionsTest, ANegativePromptMayNameThingsThatExcludeEachOther) {
  EXPECT_EQ(warnings_of("red circle", "blue green square circle"), std::vector<std::string>{});
  EXPECT_EQ(warnings_of("red circle", "zebra").size(), 1U);
}

TEST_F(BadOptionsTest, APromptOfWhichTheModelKnowsNothingIsAWarning) {
  for (const char* prompt : {"\xe4\xb8\x80\xe4\xb8\xaa\xe7\xba\xa2", "Zebra? Yak!", "...", "-"}) {
    const std::vector<std::string> warnings = warnings_of(prompt);
    ASSERT_FALSE(warnings.empty()) << prompt;
    EXPECT_TRUE(contains(warnings.back(), "knows no word of the prompt")) << warnings.back();
  }
  for (const std::string& warning : warnings_of("red zebra")) EXPECT_FALSE(contains(warning, "no word of"));
  Callbacks callbacks;
  callbacks.on_warning = [](const std::string& warning) { ADD_FAILURE() << warning; };
  open().encode_prompt("", false, callbacks);  // a negative prompt may say nothing
}

TEST_F(BadOptionsTest, WhatIsCutIsNamedAndCannotContradict) {
  GenerateOptions options = prompt_options();
  options.prompt.clear();
  for (int i = 0; i < 15; ++i) options.prompt += "red ";
  options.prompt += "blue circle";
  EXPECT_TRUE(contains(refused(options), "takes 16: 15 of its 17 words. It would not see 'blue circle'; shorten"));
  options.truncate = true;
  const std::vector<std::string> warnings = open().generate(options).metadata.warnings;
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(contains(warnings[0], "15 of its 17 words. It does not see 'blue circle'.")) << warnings[0];
}

TEST_F(BadOptionsTest, GuidanceThatIsNotFiniteOrNegativeIsRefused) {
  for (const double scale : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1.0}) {
    GenerateOptions options = prompt_options();
    options.guidance_scale = scale;
    EXPECT_TRUE(contains(refused(options), "guidance_scale"));
    backend = std::make_shared<ReferenceBackend>();
  }
}

TEST_F(BadOptionsTest, ZeroStepsAreRefused) {
  GenerateOptions options = prompt_options();
  options.num_inference_steps = 0;
  EXPECT_TRUE(contains(refused(options), "num_inference_steps must be 1 to"));
}

TEST_F(BadOptionsTest, OptionsThatWouldBeIgnoredAreRefused) {
  GenerateOptions options = prompt_options();
  options.guidance_scale = 1.0;
  options.negative_prompt = "blue";
  EXPECT_TRUE(contains(refused(options), "no effect"));
  backend = std::make_shared<ReferenceBackend>();
  options = prompt_options();
  const PromptEmbeds embeds = open().encode_prompt("red");
  backend = std::make_shared<ReferenceBackend>();
  options.prompt_embeds = &embeds;
  EXPECT_TRUE(contains(refused(options), "both prompt and prompt_embeds"));
}

TEST_F(BadOptionsTest, LatentsOfAnotherShapeOrWithNonFiniteValuesAreRefused) {
  std::vector<float> noise(4 * 4 * 4 * 6, 0.5f);
  GenerateOptions options = prompt_options();
  options.seed.reset();
  options.latents = TensorView{noise.data(), DType::kFloat32, {4, 4, 6, 4}};
  EXPECT_TRUE(contains(refused(options), "latents must be float32 (4, 4, 4, 6)"));
  backend = std::make_shared<ReferenceBackend>();
  noise[5] = std::numeric_limits<float>::infinity();
  options.latents->shape = {4, 4, 4, 6};
  EXPECT_TRUE(contains(refused(options), "not finite"));
}

TEST_F(BadOptionsTest, EmbeddingsOfAnotherEncoderAreRefused) {
  PromptEmbeds embeds = open().encode_prompt("red");
  embeds.encoder_id = std::string(64, 'a');
  backend = std::make_shared<ReferenceBackend>();
  GenerateOptions options = prompt_options();
  options.prompt.clear();
  options.prompt_embeds = &embeds;
  EXPECT_TRUE(contains(refused(options), "another text encoder"));
}

TEST_F(BadOptionsTest, AnUnknownSchedulerIsRefused) {
  GenerateOptions options = prompt_options();
  options.scheduler = "eulerr";
  EXPECT_TRUE(contains(refused(options), "eulerr"));
}

TEST_F(PipelineFixture, ABudgetThatNothingFitsIsAnErrorThatSaysWhatIsNeeded) {
  PipelineOptions options;
  options.memory_budget = 1;
  Pipeline pipeline = open(options);
  const std::string message = message_of<OutOfMemory>([&] { pipeline.generate(prompt_options()); });
  EXPECT_TRUE(contains(message, "needs at least")) << message;
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(PipelineFixture, ABackendThatFailsInAnyStageLeavesThePipelineUsable) {
  Pipeline pipeline = open();
  const std::vector<std::uint8_t> expected = pixels(pipeline.generate(prompt_options()));
  for (const std::string failing : {"text_encoder", "denoiser", "vae_decoder_first", "vae_decoder_next"}) {
    backend->before_run = [&](const std::string& module) {
      if (module == failing) throw BackendError("broken " + module);
    };
    GenerateOptions other = prompt_options();
    other.prompt = failing == "text_encoder" ? "blue square" : "red circle";
    EXPECT_EQ(message_of<BackendError>([&] { pipeline.generate(other); }), "broken " + failing);
    backend->before_run = nullptr;
    EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected);
  }
}

TEST_F(PipelineFixture, AnExceptionFromACallbackLeavesThroughGenerate) {
  Pipeline pipeline = open();
  const std::vector<std::uint8_t> expected = pixels(pipeline.generate(prompt_options()));
  Callbacks callbacks;
  callbacks.on_frames = [](const FramesEvent&) { throw std::runtime_error("disk full"); };
  EXPECT_EQ(message_of<std::runtime_error>([&] { pipeline.generate(prompt_options(), callbacks); }), "disk full");
  EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected);
}

TEST_F(PipelineFixture, CancellingInAnyStageStopsAndLeavesThePipelineUsable) {
  Pipeline pipeline = open();
  const std::vector<std::uint8_t> expected = pixels(pipeline.generate(prompt_options()));
  for (const Stage stage : {Stage::kEncode, Stage::kDenoise, Stage::kDecode}) {
    CancelToken token;
    Callbacks callbacks;
    callbacks.cancel = &token;
    callbacks.on_stage = [&](const StageEvent& event) {
      if (event.stage == stage && event.done > 0) token.cancel();
    };
    GenerateOptions options = prompt_options();
    if (stage == Stage::kEncode) options.prompt = "blue square";
    EXPECT_TRUE(contains(message_of<Cancelled>([&] { pipeline.generate(options, callbacks); }), "cancelled"));
    EXPECT_EQ(pixels(pipeline.generate(prompt_options())), expected);
  }
}

TEST_F(PipelineFixture, CancellingFromAnotherThreadStopsTheGeneration) {
  Pipeline pipeline = open();
  CancelToken token;
  Callbacks callbacks;
  callbacks.cancel = &token;
  std::thread canceller;
  callbacks.on_step = [&](const StepEvent& event) {
    if (event.step != 0) return;
    canceller = std::thread([&] { token.cancel(); });
    canceller.join();
  };
  EXPECT_TRUE(contains(message_of<Cancelled>([&] { pipeline.generate(prompt_options(), callbacks); }), "step 1 of 4"));
}

TEST_F(PipelineFixture, GeneratingFromInsideACallbackIsRefused) {
  Pipeline pipeline = open();
  Callbacks callbacks;
  callbacks.on_step = [&](const StepEvent&) { pipeline.generate(prompt_options()); };
  EXPECT_TRUE(contains(message_of<InvalidArgument>([&] { pipeline.generate(prompt_options(), callbacks); }),
                       "already running"));
  EXPECT_NO_THROW(pipeline.generate(prompt_options()));
}

TEST_F(PipelineFixture, ValuesThatAreNotFiniteAreAnErrorNotAVideo) {
  Pipeline pipeline = open();
  backend->poison_denoiser = true;
  EXPECT_TRUE(contains(message_of<BackendError>([&] { pipeline.generate(prompt_options()); }), "not finite"));
}

TEST_F(PipelineFixture, AThousandGenerateAndCancelCyclesDoNotGrowMemory) {
  if (under_sanitizer()) GTEST_SKIP() << "a sanitizer keeps freed memory, so growth cannot be measured";
  Pipeline pipeline = open();
  CancelToken token;
  Callbacks callbacks;
  callbacks.cancel = &token;
  int cycle = 0;
  callbacks.on_step = [&](const StepEvent& event) {
    if (event.step == cycle % 5) token.cancel();  // every fifth runs to its end
  };
  std::int64_t warm = 0;
  for (cycle = 0; cycle < 1000; ++cycle) {
    token.reset();
    try {
      pipeline.generate(prompt_options(5), callbacks);
    } catch (const Cancelled&) {
    }
    if (cycle == 100) warm = resident_kib();
  }
  EXPECT_LE(resident_kib() - warm, 2048);
}

}  // namespace
}  // namespace vidrt::testing
