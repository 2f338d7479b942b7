// The C interface: no fault of the caller does more than return a status.
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <thread>

#include "support/c_api_fixture.h"
#include "support/environment_variable.h"
#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

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
