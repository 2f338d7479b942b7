// The C interface: the same frames as from C++, and no fault of the caller does more than return a status.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/c_api_internal.h"
#include "support/c_client.h"
#include "support/environment_variable.h"
#include "support/pipeline_fixture.h"
#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

struct Free {
  void operator()(vidrt_pipeline* handle) const { vidrt_pipeline_free(handle); }
  void operator()(vidrt_video* handle) const { vidrt_video_free(handle); }
  void operator()(vidrt_prompt_embeds* handle) const { vidrt_prompt_embeds_free(handle); }
  void operator()(vidrt_cancel_token* handle) const { vidrt_cancel_token_free(handle); }
};
template <typename Handle>
using Owned = std::unique_ptr<Handle, Free>;

class CApi : public PipelineFixture {
 protected:
  void SetUp() override { pipeline.reset(c_api::wrap(open())); }

  vidrt_generate_options options(const char* prompt = "red circle") const {
    vidrt_generate_options filled;
    EXPECT_EQ(c_client_options(pipeline.get(), prompt, &filled), VIDRT_OK);
    return filled;
  }

  Owned<vidrt_video> generate(const vidrt_generate_options& given, const vidrt_callbacks* callbacks = nullptr) {
    vidrt_video* video = nullptr;
    EXPECT_EQ(vidrt_pipeline_generate(pipeline.get(), &given, callbacks, &video), VIDRT_OK) << vidrt_last_error();
    return Owned<vidrt_video>(video);
  }

  static vidrt_video_info info_of(const vidrt_video* video) {
    vidrt_video_info info;
    info.struct_size = sizeof info;
    EXPECT_EQ(vidrt_video_get_info(video, &info), VIDRT_OK) << vidrt_last_error();
    return info;
  }

  static std::vector<std::uint8_t> pixels_of(const vidrt_video* video) {
    const vidrt_video_info info = info_of(video);
    return {info.rgb, info.rgb + info.rgb_bytes};
  }

  // The status of generating with these options, whose message must contain `part`.
  void expect_refused(const vidrt_generate_options& given, vidrt_status status, const std::string& part) {
    vidrt_video* video = nullptr;
    EXPECT_EQ(vidrt_pipeline_generate(pipeline.get(), &given, nullptr, &video), status);
    EXPECT_EQ(video, nullptr);
    EXPECT_NE(std::string(vidrt_last_error()).find(part), std::string::npos) << vidrt_last_error();
  }

  Owned<vidrt_pipeline> pipeline;
};

TEST_F(CApi, AClientInCGetsTheFramesOfTheCppInterface) {
  c_client_log log{};
  vidrt_video* raw = nullptr;
  ASSERT_EQ(c_client_generate(pipeline.get(), "red circle", &log, &raw), VIDRT_OK) << vidrt_last_error();
  const Owned<vidrt_video> video(raw);
  EXPECT_EQ(pixels_of(video.get()), pixels(open().generate(prompt_options())));
  EXPECT_EQ(log.steps, 4);
  EXPECT_EQ(log.frames, 13);
  EXPECT_GE(log.stages, 3);
  EXPECT_EQ(log.warnings, vidrt_video_warning(video.get(), 0) == nullptr ? 0 : info_of(video.get()).num_warnings);
  EXPECT_EQ(log.event_size, sizeof(vidrt_stage_event));
}

TEST_F(CApi, LatentsDecodeToTheFramesOfTheCppInterface) {
  std::vector<float> values(4 * 3 * 4 * 6, 0.25f);
  values[5] = -0.5f;
  vidrt_decode_options given{};
  given.struct_size = sizeof given;
  vidrt_video* raw = nullptr;
  EXPECT_EQ(vidrt_pipeline_decode_latents(pipeline.get(), &given, nullptr, &raw), VIDRT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(vidrt_last_error()).find("options->latents is NULL"), std::string::npos) << vidrt_last_error();
  given.latents = values.data();
  const std::int64_t shape[4] = {4, 3, 4, 6};
  std::copy(shape, shape + 4, given.latents_shape);
  given.fps = 30.0;
  given.decode_chunk = 2;
  vidrt_plan plan;
  plan.struct_size = sizeof plan;
  ASSERT_EQ(vidrt_pipeline_plan_decode(pipeline.get(), &given, &plan), VIDRT_OK) << vidrt_last_error();
  EXPECT_EQ(plan.num_frames, 9);
  EXPECT_EQ(plan.decode_chunk, 2);
  ASSERT_EQ(vidrt_pipeline_decode_latents(pipeline.get(), &given, nullptr, &raw), VIDRT_OK) << vidrt_last_error();
  const Owned<vidrt_video> video(raw);
  DecodeOptions options;
  options.latents = TensorView{values.data(), DType::kFloat32, {4, 3, 4, 6}};
  EXPECT_EQ(pixels_of(video.get()), pixels(open().decode_latents(options)));
  EXPECT_EQ(info_of(video.get()).fps, 30.0);
  given.discard_frames = 2;
  EXPECT_EQ(vidrt_pipeline_decode_latents(pipeline.get(), &given, nullptr, &raw), VIDRT_INVALID_ARGUMENT);
}

TEST_F(CApi, AClipGivesTheFramesOfTheCppInterface) {
  ToyBundleOptions toy_options;
  toy_options.form = "framewise";
  toy_options.temporal_ratio = 1;
  toy_options.vae_encoder = true;
  const ToyBundle clip_toy(toy_options);
  const Bundle bundle = Bundle::open(clip_toy.path());
  pipeline.reset(c_api::wrap(Pipeline::open(bundle, {}, backend)));
  std::vector<std::uint8_t> rgb(13 * 8 * 12 * 3, 200);
  vidrt_generate_options given = options();
  EXPECT_EQ(given.strength, 0.6);
  given.video = rgb.data();
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "video_num_frames, video_height and video_width are 0, 0 and 0");
  given.video_num_frames = 13;
  given.video_height = 8;
  given.video_width = 12;
  given.strength = 0.5;
  GenerateOptions cpp_options = prompt_options();
  cpp_options.video = TensorView{rgb.data(), DType::kUInt8, {13, 8, 12, 3}};
  cpp_options.strength = 0.5;
  const Video expected = Pipeline::open(bundle, {}, backend).generate(cpp_options);
  const Owned<vidrt_video> video = generate(given);
  EXPECT_EQ(pixels_of(video.get()), pixels(expected));
  EXPECT_EQ(info_of(video.get()).video_sha256, expected.metadata.video_sha256);
  EXPECT_EQ(info_of(video.get()).strength, 0.5);
  vidrt_plan plan;
  plan.struct_size = sizeof plan;
  ASSERT_EQ(vidrt_pipeline_plan(pipeline.get(), &given, &plan), VIDRT_OK);
  EXPECT_EQ(plan.strength, 0.5);
  EXPECT_EQ(plan.num_inference_steps, 2);
  given.video_num_frames = 12;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "(13, 8, 12, 3)");
}

TEST_F(CApi, AnImageGivesTheFramesOfTheCppInterface) {
  std::vector<std::uint8_t> rgb(8 * 12 * 3, 200);
  vidrt_generate_options given = options();
  given.image = rgb.data();
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "image_height and image_width are 0 and 0");
  given.image_height = 8;
  given.image_width = 12;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "image_conditioning none");

  ToyBundleOptions toy_options;
  toy_options.vae_encoder = true;
  const ToyBundle image_toy(toy_options);
  const Bundle bundle = Bundle::open(image_toy.path());
  pipeline.reset(c_api::wrap(Pipeline::open(bundle, {}, backend)));
  GenerateOptions cpp_options = prompt_options();
  cpp_options.image = TensorView{rgb.data(), DType::kUInt8, {8, 12, 3}};
  const Video expected = Pipeline::open(bundle, {}, backend).generate(cpp_options);
  const Owned<vidrt_video> video = generate(given);
  EXPECT_EQ(pixels_of(video.get()), pixels(expected));
  EXPECT_EQ(info_of(video.get()).image_sha256, expected.metadata.image_sha256);
  EXPECT_GT(info_of(video.get()).encode_image_ms, 0.0);
  vidrt_plan plan;
  plan.struct_size = sizeof plan;
  ASSERT_EQ(vidrt_pipeline_plan(pipeline.get(), &given, &plan), VIDRT_OK);
  EXPECT_STREQ(plan.image_conditioning, "first_latent_frame");
  given.image_width = 8;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "(8, 12, 3)");
}

TEST_F(CApi, TheStepCacheSkipsTheStepsOfTheCppInterface) {
  vidrt_generate_options given = options();
  given.num_inference_steps = 12;
  given.step_cache = 0.2;
  GenerateOptions cpp_options = prompt_options();
  cpp_options.num_inference_steps = 12;
  cpp_options.step_cache = 0.2;
  const Video expected = open().generate(cpp_options);
  const Owned<vidrt_video> video = generate(given);
  EXPECT_EQ(pixels_of(video.get()), pixels(expected));
  EXPECT_EQ(info_of(video.get()).num_skipped_steps, static_cast<int>(expected.metadata.skipped_steps.size()));
  EXPECT_GT(info_of(video.get()).num_skipped_steps, 0);
}

TEST_F(CApi, FramesInTilesAreThoseOfTheCppInterface) {
  vidrt_generate_options given = options();
  given.vae_tiling = {"on", 4, 8, 2, 6};
  GenerateOptions cpp_options = prompt_options();
  cpp_options.vae_tiling = {"on", 4, 8, 2, 6};
  vidrt_plan plan{};
  plan.struct_size = sizeof plan;
  ASSERT_EQ(vidrt_pipeline_plan(pipeline.get(), &given, &plan), VIDRT_OK);
  const std::array<std::int32_t, 6> tiles{plan.tile_rows,  plan.tile_columns,        plan.tile_height,
                                          plan.tile_width, plan.tile_overlap_height, plan.tile_overlap_width};
  EXPECT_EQ(tiles, (std::array<std::int32_t, 6>{3, 2, 4, 8, 2, 4}));
  const Owned<vidrt_video> video = generate(given);
  EXPECT_EQ(pixels_of(video.get()), pixels(open().generate(cpp_options)));
  EXPECT_EQ(info_of(video.get()).tile_columns, 2);
  given.vae_tiling.mode = "never";
  EXPECT_EQ(vidrt_pipeline_plan(pipeline.get(), &given, &plan), VIDRT_INVALID_ARGUMENT);
  EXPECT_TRUE(names(vidrt_last_error(), {"vae_tiling must be auto, on or off, got 'never'"}));
}

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

TEST_F(CApi, FloatFramesAreThoseOfTheCppInterfaceAndOfTheOtherTypeThereAreNone) {
  vidrt_generate_options given = options();
  given.output_type = "float32";
  std::vector<float> streamed;
  vidrt_callbacks callbacks{};
  callbacks.struct_size = sizeof callbacks;
  callbacks.user_data = &streamed;
  callbacks.on_frames = [](void* user_data, const vidrt_frames_event* event) {
    auto* all = static_cast<std::vector<float>*>(user_data);
    all->insert(all->end(), event->rgb_float, event->rgb_float + event->num_frames * event->height * event->width * 3);
    return event->rgb == nullptr ? 0 : 1;
  };
  const Owned<vidrt_video> video = generate(given, &callbacks);
  GenerateOptions cpp_options = prompt_options();
  cpp_options.output_type = "float32";
  const std::vector<float> expected = float_pixels(open().generate(cpp_options));
  EXPECT_EQ(streamed, expected);
  const vidrt_video_info info = info_of(video.get());
  EXPECT_EQ(std::vector<float>(info.rgb_float, info.rgb_float + expected.size()), expected);
  EXPECT_EQ(info.rgb, nullptr);
  EXPECT_EQ(info.rgb_bytes, 0u);
  EXPECT_EQ(vidrt_video_frame_float(video.get(), 12), info.rgb_float + std::size_t{12} * 8 * 12 * 3);
  EXPECT_EQ(vidrt_video_frame_float(video.get(), 13), nullptr);
  EXPECT_TRUE(names(vidrt_last_error(), {"index is 13; expected 0 to 12"}));
  EXPECT_EQ(vidrt_video_frame(video.get(), 0), nullptr);
  EXPECT_TRUE(names(vidrt_last_error(), {"are float32, asked for as uint8", "vidrt_video_frame_float"}));
  const Owned<vidrt_video> bytes = generate(options());
  EXPECT_EQ(info_of(bytes.get()).rgb_float, nullptr);
  EXPECT_EQ(vidrt_video_frame_float(bytes.get(), 0), nullptr);
  EXPECT_TRUE(names(vidrt_last_error(), {"are uint8, asked for as float32; call vidrt_video_frame or set"}));
  EXPECT_EQ(vidrt_video_frame_float(nullptr, 0), nullptr);
  given.output_type = "float64";
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "output_type must be uint8 or float32, got 'float64'");
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

TEST_F(CApi, LatentsOfTheCallerReplaceTheSeed) {
  vidrt_generate_options given = options();
  vidrt_plan plan;
  plan.struct_size = sizeof plan;
  ASSERT_EQ(vidrt_pipeline_plan(pipeline.get(), &given, &plan), VIDRT_OK);
  const std::int64_t channels = pipeline->pipeline.bundle().manifest().vae.latent_channels;
  const std::vector<float> latents(
      static_cast<std::size_t>(channels * plan.latent_frames * plan.latent_height * plan.latent_width), 0.25f);
  given.latents = latents.data();
  given.random_seed = 1;  // no seed
  const std::int64_t shape[4] = {channels, plan.latent_frames, plan.latent_height, plan.latent_width};
  std::copy_n(shape, 4, given.latents_shape);
  EXPECT_NE(pixels_of(generate(given).get()), pixels_of(generate(options()).get()));
  given.latents_shape[1] += 1;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "latents");
  given.latents_shape[1] -= 1;
  given.random_seed = 0;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "seed");
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

TEST_F(CApi, AnExceptionOfACallbackBecomesAStatus) {
  vidrt_callbacks callbacks{};
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_step = [](void*, const vidrt_step_event*) -> int { throw std::runtime_error("a callback failed"); };
  const vidrt_generate_options given = options();
  vidrt_video* video = nullptr;
  EXPECT_EQ(vidrt_pipeline_generate(pipeline.get(), &given, &callbacks, &video), VIDRT_INTERNAL_ERROR);
  EXPECT_STREQ(vidrt_last_error(), "a callback failed");
}

TEST_F(CApi, BadOptionsAreRefusedAsTheCppInterfaceRefusesThem) {
  vidrt_generate_options given = options();
  given.height = 9;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "nearest valid");
  given = options();
  given.num_inference_steps = 0;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "num_inference_steps");
  given = options();
  given.guidance_scale = std::numeric_limits<double>::quiet_NaN();
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "guidance_scale");
  given = options();
  given.scheduler = "ddim";
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "ddim");
  expect_refused(options(""), VIDRT_INVALID_ARGUMENT, "prompt");
  expect_refused(options(nullptr), VIDRT_INVALID_ARGUMENT, "prompt is NULL");
  given = options();
  given.truncate = 2;
  expect_refused(given, VIDRT_INVALID_ARGUMENT, "truncate is 2");
}

TEST_F(CApi, EveryKindOfErrorHasItsStatus) {
  vidrt_pipeline* opened = nullptr;
  EXPECT_EQ(vidrt_pipeline_open("/nowhere/at/all", nullptr, &opened), VIDRT_BUNDLE_ERROR);
  EXPECT_EQ(opened, nullptr);
  vidrt_pipeline_options wrong{};
  wrong.struct_size = sizeof wrong;
  wrong.backend = "abacus";
  EXPECT_EQ(vidrt_pipeline_open(toy.path().c_str(), &wrong, &opened), VIDRT_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(vidrt_last_error(), "abacus"), nullptr);
  const TempFolder empty;
  const EnvironmentVariable folder("VIDRT_LIBRARY_DIR", empty.path());
  wrong.backend = "tensorrt-rtx";
  EXPECT_EQ(vidrt_pipeline_open(toy.path().c_str(), &wrong, &opened), VIDRT_BACKEND_ERROR);
  EXPECT_NE(std::strstr(vidrt_last_error(), "builds engines for tensorrt-rtx and does not run them"), nullptr);
  wrong.backend = "tensorrt";
  EXPECT_EQ(vidrt_pipeline_open(toy.path().c_str(), &wrong, &opened), VIDRT_BACKEND_ERROR);
  EXPECT_NE(std::strstr(vidrt_last_error(), "has no tensorrt backend"), nullptr);
  wrong.backend = nullptr;
  wrong.profile_layers = 2;
  EXPECT_EQ(vidrt_pipeline_open(toy.path().c_str(), &wrong, &opened), VIDRT_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(vidrt_last_error(), "profile_layers is 2"), nullptr);
  wrong.profile_layers = 0;
  wrong.no_cuda_graphs = 2;
  EXPECT_EQ(vidrt_pipeline_open(toy.path().c_str(), &wrong, &opened), VIDRT_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(vidrt_last_error(), "no_cuda_graphs is 2"), nullptr);
  vidrt_prompt_embeds* embeds = nullptr;
  EXPECT_EQ(vidrt_prompt_embeds_load("/nowhere/at/all", &embeds), VIDRT_IO_ERROR);
  backend->before_run = [](const std::string&) { throw BackendError("the graph failed."); };
  expect_refused(options(), VIDRT_BACKEND_ERROR, "the graph failed.");
  backend->before_run = [](const std::string&) { throw std::bad_alloc(); };
  expect_refused(options(), VIDRT_OUT_OF_MEMORY, "memory");
  backend->before_run = [](const std::string&) { throw 5; };
  expect_refused(options(), VIDRT_INTERNAL_ERROR, "no std::exception");
  PipelineOptions tight;
  tight.memory_budget = 1;
  pipeline.reset(c_api::wrap(open(tight)));
  expect_refused(options(), VIDRT_OUT_OF_MEMORY, "memory_budget");
}

TEST_F(CApi, NullPointersAreRefusedByName) {
  const vidrt_generate_options given = options();
  vidrt_video* video = nullptr;
  vidrt_prompt_embeds* embeds = nullptr;
  vidrt_pipeline* opened = nullptr;
  const auto refused = [](vidrt_status status, const char* name) {
    return status == VIDRT_INVALID_ARGUMENT && std::strstr(vidrt_last_error(), name) != nullptr;
  };
  EXPECT_TRUE(refused(vidrt_pipeline_open(nullptr, nullptr, &opened), "bundle_path"));
  EXPECT_TRUE(refused(vidrt_pipeline_open(toy.path().c_str(), nullptr, nullptr), "pipeline"));
  EXPECT_TRUE(refused(vidrt_generate_options_init(nullptr, nullptr), "pipeline"));
  EXPECT_TRUE(refused(vidrt_generate_options_init(pipeline.get(), nullptr), "options"));
  EXPECT_TRUE(refused(vidrt_pipeline_generate(nullptr, &given, nullptr, &video), "pipeline"));
  EXPECT_TRUE(refused(vidrt_pipeline_generate(pipeline.get(), nullptr, nullptr, &video), "options"));
  EXPECT_TRUE(refused(vidrt_pipeline_generate(pipeline.get(), &given, nullptr, nullptr), "video"));
  EXPECT_TRUE(refused(vidrt_pipeline_plan(pipeline.get(), &given, nullptr), "plan"));
  EXPECT_TRUE(refused(vidrt_pipeline_encode_prompt(pipeline.get(), nullptr, 0, nullptr, &embeds), "prompt"));
  EXPECT_TRUE(refused(vidrt_pipeline_encode_prompt(pipeline.get(), "red", 0, nullptr, nullptr), "embeds"));
  EXPECT_TRUE(refused(vidrt_prompt_embeds_load(nullptr, &embeds), "path"));
  EXPECT_TRUE(refused(vidrt_prompt_embeds_load("x", nullptr), "embeds"));
  EXPECT_TRUE(refused(vidrt_prompt_embeds_save(nullptr, "x"), "embeds"));
  EXPECT_TRUE(refused(vidrt_prompt_embeds_get_info(nullptr, nullptr), "embeds"));
  EXPECT_TRUE(refused(vidrt_video_get_info(nullptr, nullptr), "video"));
  EXPECT_TRUE(refused(vidrt_cancel_token_new(nullptr), "token"));
  EXPECT_EQ(vidrt_video_frame(nullptr, 0), nullptr);
  EXPECT_EQ(vidrt_video_warning(nullptr, 0), nullptr);
  EXPECT_STREQ(vidrt_pipeline_backend(nullptr), "");
  EXPECT_STREQ(vidrt_pipeline_backend(pipeline.get()), "reference 1.0");
  vidrt_pipeline_free(nullptr);
  vidrt_video_free(nullptr);
  vidrt_prompt_embeds_free(nullptr);
  vidrt_cancel_token_free(nullptr);
  vidrt_cancel_token_cancel(nullptr);
  vidrt_cancel_token_reset(nullptr);
}

TEST_F(CApi, AStructSizeThatWasNotSetIsRefused) {
  vidrt_generate_options given = options();
  for (std::size_t size : {std::size_t{0}, sizeof given - 8, std::numeric_limits<std::size_t>::max()}) {
    given.struct_size = size;
    expect_refused(given, VIDRT_INVALID_ARGUMENT, "struct_size is " + std::to_string(size));
  }
  vidrt_plan plan;
  plan.struct_size = 4;
  const vidrt_generate_options good = options();
  EXPECT_EQ(vidrt_pipeline_plan(pipeline.get(), &good, &plan), VIDRT_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(vidrt_last_error(), "plan->struct_size is 4"), nullptr);
}

TEST_F(CApi, AStructOfALaterHeaderIsTakenWhileItsNewFieldsAreZero) {
  struct Later {
    vidrt_generate_options known;
    std::int64_t invented;
  };
  Later later{options(), 0};
  later.known.struct_size = sizeof later;
  vidrt_video* raw = nullptr;
  ASSERT_EQ(vidrt_pipeline_generate(pipeline.get(), &later.known, nullptr, &raw), VIDRT_OK) << vidrt_last_error();
  const Owned<vidrt_video> video(raw);
  later.invented = 1;
  expect_refused(later.known, VIDRT_INVALID_ARGUMENT, "newer");

  struct LaterInfo {
    vidrt_video_info known;
    std::int64_t invented;
  };
  LaterInfo info{};
  info.known.struct_size = sizeof info;
  info.invented = 77;
  ASSERT_EQ(vidrt_video_get_info(video.get(), &info.known), VIDRT_OK);
  EXPECT_EQ(info.invented, 77);
  EXPECT_EQ(info.known.struct_size, sizeof info);
}

TEST_F(CApi, EachThreadHasItsOwnLastError) {
  vidrt_pipeline* opened = nullptr;
  ASSERT_EQ(vidrt_pipeline_open(nullptr, nullptr, &opened), VIDRT_INVALID_ARGUMENT);
  const std::string here = vidrt_last_error();
  std::thread([&] {
    EXPECT_STREQ(vidrt_last_error(), "");
    EXPECT_EQ(vidrt_cancel_token_new(nullptr), VIDRT_INVALID_ARGUMENT);
  }).join();
  EXPECT_EQ(vidrt_last_error(), here);
}

TEST(CApiNames, StatusesHaveNames) {
  EXPECT_STREQ(vidrt_status_name(VIDRT_OK), "VIDRT_OK");
  EXPECT_STREQ(vidrt_status_name(VIDRT_CANCELLED), "VIDRT_CANCELLED");
  EXPECT_STREQ(vidrt_status_name(static_cast<vidrt_status>(99)), "unknown");
  EXPECT_STREQ(vidrt_version(), VIDRT_VERSION);
}

}  // namespace
}  // namespace vidrt::testing
