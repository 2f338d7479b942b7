// A toy's pipeline behind the C interface, and what its handles give.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/c_api_internal.h"
#include "support/c_client.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {

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

}  // namespace vidrt::testing
