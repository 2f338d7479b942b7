// The C interface: what a video, a plan, embeddings and callbacks say and do.
#include <cstring>
#include <string>
#include <thread>

#include "support/c_api_fixture.h"
#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

TEST_F(CApi, VideoInformationSaysWhatMadeIt) {
  const Owned<vidrt_video> video = generate(options("red zebra"));
  const vidrt_video_info info = info_of(video.get());
  EXPECT_EQ(info.num_frames, 13);
  EXPECT_EQ(info.height, 8);
  EXPECT_EQ(info.width, 12);
  EXPECT_EQ(info.rgb_bytes, 13u * 8u * 12u * 3u);
  EXPECT_EQ(info.seed, 7u);
  EXPECT_EQ(info.num_inference_steps, 4);
  EXPECT_EQ(info.guidance_scale, 3.0);
  EXPECT_STREQ(info.bundle, "toy");
  EXPECT_STREQ(info.backend, "reference 1.0");
  EXPECT_STREQ(info.device, "cpu");
  EXPECT_STREQ(info.prompt, "red zebra");
  EXPECT_STREQ(info.scheduler, "euler");
  EXPECT_STREQ(info.guidance, "batched");
  EXPECT_STREQ(info.residency, "all");
  EXPECT_GT(info.arena_bytes, 0u);
  EXPECT_GE(info.total_ms, info.decode_ms);
  ASSERT_GE(info.num_warnings, 1);
  bool named = false;
  for (int i = 0; i < info.num_warnings; ++i) {
    named = named || std::strstr(vidrt_video_warning(video.get(), i), "zebra") != nullptr;
  }
  EXPECT_TRUE(named);
  EXPECT_EQ(vidrt_video_warning(video.get(), info.num_warnings), nullptr);
  EXPECT_EQ(vidrt_video_warning(video.get(), -1), nullptr);
}

TEST_F(CApi, APromptThatContradictsItselfIsAWarning) {
  c_client_log log{};
  vidrt_video* raw = nullptr;
  ASSERT_EQ(c_client_generate(pipeline.get(), "red blue circle", &log, &raw), VIDRT_OK) << vidrt_last_error();
  const Owned<vidrt_video> video(raw);
  EXPECT_EQ(log.warnings, 1);
  ASSERT_EQ(info_of(video.get()).num_warnings, 1);
  EXPECT_NE(std::strstr(vidrt_video_warning(video.get(), 0), "more than one colour: 'red', 'blue'"), nullptr);
}

TEST_F(CApi, FramesAreFoundByIndex) {
  const Owned<vidrt_video> video = generate(options());
  const vidrt_video_info info = info_of(video.get());
  EXPECT_EQ(vidrt_video_frame(video.get(), 0), info.rgb);
  EXPECT_EQ(vidrt_video_frame(video.get(), 12), info.rgb + std::size_t{12} * 8 * 12 * 3);
  EXPECT_EQ(vidrt_video_frame(video.get(), 13), nullptr);
  EXPECT_EQ(vidrt_video_frame(video.get(), -1), nullptr);
}

TEST_F(CApi, DiscardedFramesLeaveTheVideoWithoutPixels) {
  vidrt_generate_options given = options();
  given.discard_frames = 1;
  const Owned<vidrt_video> video = generate(given);
  EXPECT_EQ(info_of(video.get()).rgb, nullptr);
  EXPECT_EQ(info_of(video.get()).rgb_bytes, 0u);
  EXPECT_EQ(info_of(video.get()).num_frames, 13);
  EXPECT_EQ(vidrt_video_frame(video.get(), 0), nullptr);
}

TEST_F(CApi, InitGivesTheBundlesDefaults) {
  vidrt_generate_options given;
  std::memset(&given, 0xff, sizeof given);
  given.struct_size = sizeof given;
  ASSERT_EQ(vidrt_generate_options_init(pipeline.get(), &given), VIDRT_OK);
  const Defaults& defaults = pipeline->pipeline.bundle().manifest().defaults;
  EXPECT_EQ(given.height, defaults.height);
  EXPECT_EQ(given.num_frames, defaults.num_frames);
  EXPECT_EQ(given.num_inference_steps, defaults.num_inference_steps);
  EXPECT_EQ(given.guidance_scale, defaults.guidance_scale);
  EXPECT_EQ(given.prompt, nullptr);
  EXPECT_EQ(given.latents, nullptr);
  EXPECT_EQ(given.random_seed, 1);
  EXPECT_EQ(given.struct_size, sizeof given);
}

TEST_F(CApi, ARandomSeedIsRecordedAndMakesTheVideoAgain) {
  vidrt_generate_options given = options();
  given.random_seed = 1;
  const Owned<vidrt_video> first = generate(given);
  given.random_seed = 0;
  given.seed = info_of(first.get()).seed;
  EXPECT_EQ(pixels_of(generate(given).get()), pixels_of(first.get()));
}

TEST_F(CApi, ThePlanIsThatOfTheCppInterface) {
  const vidrt_generate_options given = options();
  vidrt_plan plan;
  plan.struct_size = sizeof plan;
  ASSERT_EQ(vidrt_pipeline_plan(pipeline.get(), &given, &plan), VIDRT_OK);
  const GenerationPlan expected = pipeline->pipeline.plan(prompt_options());
  EXPECT_EQ(plan.arena_bytes, expected.arena_bytes);
  EXPECT_EQ(plan.unshared_bytes, expected.unshared_bytes);
  EXPECT_EQ(plan.weight_bytes, expected.weight_bytes);
  EXPECT_EQ(plan.total_bytes, expected.total_bytes());
  EXPECT_EQ(plan.latent_frames, expected.latent_frames);
  EXPECT_EQ(plan.guidance, expected.guidance);
  EXPECT_EQ(plan.residency, expected.residency);
}

TEST_F(CApi, PromptEmbeddingsAreSavedLoadedAndUsedInPlaceOfThePrompt) {
  vidrt_prompt_embeds* raw = nullptr;
  ASSERT_EQ(vidrt_pipeline_encode_prompt(pipeline.get(), "red circle", 0, nullptr, &raw), VIDRT_OK)
      << vidrt_last_error();
  const Owned<vidrt_prompt_embeds> embeds(raw);
  const TempFolder folder;
  const std::string path = folder / "prompt.safetensors";
  ASSERT_EQ(vidrt_prompt_embeds_save(embeds.get(), path.c_str()), VIDRT_OK) << vidrt_last_error();
  raw = nullptr;
  ASSERT_EQ(vidrt_prompt_embeds_load(path.c_str(), &raw), VIDRT_OK) << vidrt_last_error();
  const Owned<vidrt_prompt_embeds> loaded(raw);

  vidrt_prompt_embeds_info info;
  info.struct_size = sizeof info;
  ASSERT_EQ(vidrt_prompt_embeds_get_info(loaded.get(), &info), VIDRT_OK);
  EXPECT_STREQ(info.prompt, "red circle");
  EXPECT_EQ(std::strlen(info.encoder_id), 64u);
  EXPECT_EQ(info.length, 16);
  EXPECT_EQ(info.mask[0], 1);

  vidrt_generate_options given = options(nullptr);
  given.prompt_embeds = loaded.get();
  EXPECT_EQ(pixels_of(generate(given).get()), pixels_of(generate(options()).get()));
}

TEST_F(CApi, ACallbacksAnswerCancelsAndThePipelineStaysUsable) {
  c_client_log log{};
  log.stop_after_steps = 2;
  vidrt_video* video = nullptr;
  EXPECT_EQ(c_client_generate(pipeline.get(), "red circle", &log, &video), VIDRT_CANCELLED);
  EXPECT_EQ(video, nullptr);
  EXPECT_EQ(log.steps, 2);
  EXPECT_NE(std::strstr(vidrt_last_error(), "on_step"), nullptr);
  EXPECT_EQ(pixels_of(generate(options()).get()), pixels(open().generate(prompt_options())));
}

TEST_F(CApi, ATokenCancelsFromAnotherThread) {
  vidrt_cancel_token* raw = nullptr;
  ASSERT_EQ(vidrt_cancel_token_new(&raw), VIDRT_OK);
  const Owned<vidrt_cancel_token> token(raw);
  // The backend waits for the other thread, so that the order is certain.
  backend->before_run = [&](const std::string& module) {
    if (module == "denoiser") std::thread([&] { vidrt_cancel_token_cancel(token.get()); }).join();
  };
  vidrt_callbacks callbacks{};
  callbacks.struct_size = sizeof callbacks;
  callbacks.cancel = token.get();
  const vidrt_generate_options given = options();
  vidrt_video* video = nullptr;
  EXPECT_EQ(vidrt_pipeline_generate(pipeline.get(), &given, &callbacks, &video), VIDRT_CANCELLED);
  backend->before_run = nullptr;
  vidrt_cancel_token_reset(token.get());
  EXPECT_EQ(pixels_of(generate(given, &callbacks).get()).size(), 13u * 8u * 12u * 3u);
}

}  // namespace
}  // namespace vidrt::testing
