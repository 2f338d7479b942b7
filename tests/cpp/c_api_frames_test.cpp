// The C interface: the same frames as from C++, whatever they are made of.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "support/c_api_fixture.h"

namespace vidrt::testing {
namespace {

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

}  // namespace
}  // namespace vidrt::testing
