// The shipped model through the real backend: the same bytes however often, after a cancel, and in four threads at once.
#include <thread>

#include "support/ort_test.h"
#include "vidrt/pipeline.h"

namespace vidrt::testing {
namespace {

class OrtPipelineTest : public OrtTest {
 protected:
  static Pipeline open() {
    PipelineOptions options;
    options.threads = 1;
    return Pipeline::open(std::string(VIDRT_SOURCE_DIR) + "/models/pocket", options);
  }

  static GenerateOptions tiny() {
    GenerateOptions options;
    options.prompt = "a red circle";
    options.height = 32;
    options.width = 32;
    options.num_frames = 9;
    options.num_inference_steps = 2;
    options.seed = 7;
    return options;
  }

  static std::vector<std::uint8_t> pixels(Pipeline& pipeline, int decode_chunk = 0) {
    GenerateOptions options = tiny();
    if (decode_chunk > 0) options.decode_chunk = decode_chunk;
    return *pipeline.generate(options).rgb;
  }
};

TEST_F(OrtPipelineTest, RunsAndPipelinesAgreeBitForBit) {
  Pipeline first = open();
  Pipeline second = open();
  const std::vector<std::uint8_t> expected = pixels(first);
  EXPECT_EQ(expected.size(), 9U * 32U * 32U * 3U);
  EXPECT_EQ(pixels(first), expected);
  EXPECT_EQ(pixels(second), expected);
}

TEST_F(OrtPipelineTest, AnyChunkingGivesTheSameFrames) {
  Pipeline pipeline = open();
  const std::vector<std::uint8_t> expected = pixels(pipeline, 1);
  EXPECT_EQ(pixels(pipeline, 2), expected);
}

TEST_F(OrtPipelineTest, ACancelledGenerationLeavesThePipelineAsItWas) {
  Pipeline pipeline = open();
  const std::vector<std::uint8_t> expected = pixels(pipeline);
  CancelToken token;
  Callbacks callbacks;
  callbacks.cancel = &token;
  callbacks.on_step = [&](const StepEvent&) { token.cancel(); };
  EXPECT_THROW(pipeline.generate(tiny(), callbacks), Cancelled);
  EXPECT_EQ(pixels(pipeline), expected);
}

TEST_F(OrtPipelineTest, FourPipelinesInFourThreadsGiveTheFramesOfOne) {
  Pipeline alone = open();
  const std::vector<std::uint8_t> expected = pixels(alone);
  std::vector<std::vector<std::uint8_t>> got(4);
  std::vector<std::thread> threads;
  for (auto& frames : got) {
    threads.emplace_back([&frames] {
      Pipeline pipeline = open();
      frames = pixels(pipeline);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& frames : got) EXPECT_EQ(frames, expected);
}

}  // namespace
}  // namespace vidrt::testing
