// Decoding latents alone: the same frames however they are cut, with a whole model's bundle or a decoder's.
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/decode_planner.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

ToyBundleOptions decoder_of(const std::string& form) {
  ToyBundleOptions options;
  options.form = form;
  options.decoder_only = true;
  return options;
}

ToyBundleOptions whole_decoder(bool single_first_frame, std::optional<ReceptiveField> field) {
  ToyBundleOptions options = decoder_of("whole");
  options.single_first_frame = single_first_frame;
  options.receptive_field = field;
  return options;
}

class DecodeLatents : public ::testing::Test {
 protected:
  Pipeline open(const ToyBundleOptions& options, const PipelineOptions& pipeline_options = {}) {
    bundles_.push_back(std::make_unique<ToyBundle>(options));
    return Pipeline::open(Bundle::open(bundles_.back()->path()), pipeline_options, backend);
  }

  // Latents (4,T,4,6) of the fixture's own; another call replaces them.
  DecodeOptions latents(int latent_frames) {
    values_.resize(static_cast<std::size_t>(4 * latent_frames * 4 * 6));
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i] = std::sin(0.7f * static_cast<float>(i * i % 1013));
    DecodeOptions options;
    options.latents = TensorView{values_.data(), DType::kFloat32, {4, latent_frames, 4, 6}};
    return options;
  }

  static std::vector<std::uint8_t> pixels(const Video& video) { return *video.rgb; }

  std::shared_ptr<ReferenceBackend> backend = std::make_shared<ReferenceBackend>();

 private:
  std::vector<std::unique_ptr<ToyBundle>> bundles_;
  std::vector<float> values_;
};

TEST_F(DecodeLatents, ABundleOfADecoderAloneGivesTheFramesOfAWholeModels) {
  for (const char* form : {"causal", "framewise"}) {
    ToyBundleOptions whole_model;
    whole_model.form = form;
    const Video expected = open(whole_model).decode_latents(latents(5));
    const Video video = open(decoder_of(form)).decode_latents(latents(5));
    EXPECT_EQ(pixels(video), pixels(expected)) << form;
    EXPECT_EQ(video.num_frames, form == std::string("causal") ? 17 : 20);
    EXPECT_EQ(video.height, 8);
    EXPECT_EQ(video.width, 12);
    EXPECT_EQ(video.fps, 8.0);
    EXPECT_EQ(pixels(video).size(), static_cast<std::size_t>(video.num_frames * 8 * 12 * 3));
  }
}

TEST_F(DecodeLatents, AnyChunkingGivesTheSameFramesInEveryForm) {
  backend->reads = {2, 3};
  std::vector<ToyBundleOptions> bundles{decoder_of("causal"), whole_decoder(true, ReceptiveField{2, 3}),
                                        whole_decoder(false, ReceptiveField{2, 3})};
  for (const ToyBundleOptions& bundle : bundles) {
    Pipeline pipeline = open(bundle);
    for (const int latent_frames : {1, 2, 6, 13}) {
      DecodeOptions options = latents(latent_frames);
      const std::vector<std::uint8_t> expected = pixels(pipeline.decode_latents(options));
      for (const int chunk : {1, 2, 3, 5, 12, 13, 14}) {
        options.decode_chunk = chunk;
        EXPECT_EQ(pixels(pipeline.decode_latents(options)), expected)
            << bundle.form << ", " << latent_frames << " latent frames, chunks of " << chunk;
      }
    }
  }
}

TEST_F(DecodeLatents, AReceptiveFieldDeclaredTooSmallGivesOtherFrames) {
  backend->reads = {2, 3};
  for (const ReceptiveField field : {ReceptiveField{1, 3}, ReceptiveField{2, 2}}) {
    Pipeline pipeline = open(whole_decoder(true, field));
    DecodeOptions options = latents(13);
    const std::vector<std::uint8_t> expected = pixels(pipeline.decode_latents(options));
    options.decode_chunk = 4;
    EXPECT_NE(pixels(pipeline.decode_latents(options)), expected);
  }
}

TEST_F(DecodeLatents, AWholeDecoderWithoutAReceptiveFieldTakesNoChunks) {
  Pipeline pipeline = open(whole_decoder(true, std::nullopt));
  DecodeOptions options = latents(6);
  options.decode_chunk = 2;
  EXPECT_TRUE(names(message_of<InvalidArgument>([&] { pipeline.decode_latents(options); }),
                    {"decode_chunk is 2", "needs all 6 latent frames at once"}));
  EXPECT_EQ(backend->loads(), 0);
  options.decode_chunk = 6;
  EXPECT_EQ(pipeline.decode_latents(options).num_frames, 21);
}

TEST_F(DecodeLatents, ChunksOfAWholeDecoderNeedLessMemoryThanTheWhole) {
  Pipeline pipeline = open(whole_decoder(true, ReceptiveField{2, 3}));
  DecodeOptions options = latents(40);
  const GenerationPlan whole = pipeline.plan_decode(options);
  options.decode_chunk = 2;
  const GenerationPlan chunked = pipeline.plan_decode(options);
  EXPECT_EQ(whole.decode_chunk, 40);
  EXPECT_EQ(chunked.decode_chunk, 2);
  EXPECT_LT(4 * chunked.arena_bytes, whole.arena_bytes);
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(DecodeLatents, GenerationsWithAWholeDecoderAreChunkedTheSameWay) {
  backend->reads = {1, 2};
  ToyBundleOptions bundle = whole_decoder(true, ReceptiveField{1, 2});
  bundle.decoder_only = false;
  Pipeline pipeline = open(bundle);
  GenerateOptions options;
  options.prompt = "red circle";
  options.num_frames = 21;
  options.seed = 3;
  const std::vector<std::uint8_t> expected = pixels(pipeline.generate(options));
  options.decode_chunk = 2;
  EXPECT_EQ(pixels(pipeline.generate(options)), expected);
}

TEST(DecodeCalls, CoverTheClipOnceWithWhatEachNeedsAround) {
  VaeConfig vae;
  vae.form = "whole";
  vae.temporal_ratio = 8;
  vae.single_first_frame = true;
  vae.receptive_field = ReceptiveField{3, 2};
  for (int latent_frames = 1; latent_frames < 20; ++latent_frames) {
    for (int chunk = 1; chunk <= latent_frames; ++chunk) {
      int latent = 0;
      int frames = 0;
      for (const DecodeCall& call : decode_calls(vae, latent_frames, chunk)) {
        EXPECT_EQ(call.latent, latent);
        EXPECT_EQ(call.given, std::max(0, latent - 3));
        EXPECT_EQ(call.given + call.given_count, std::min(latent_frames, latent + call.count + 2));
        EXPECT_EQ(call.frames, frames_of_clip(vae, call.given_count));
        EXPECT_LE(call.skipped + call.wanted, call.frames);
        EXPECT_EQ(call.skipped + 8 * call.given, frames);  // a call's own frame 0 is the last of its first latent's
        latent += call.count;
        frames += call.wanted;
      }
      EXPECT_EQ(latent, latent_frames);
      EXPECT_EQ(frames, frames_of_clip(vae, latent_frames));
      EXPECT_EQ(latent_frames_of_clip(vae, frames), latent_frames);
    }
  }
}

TEST_F(DecodeLatents, WithADecoderAloneGeneratingSaysWhatIsMissing) {
  Pipeline pipeline = open(decoder_of("causal"));
  GenerateOptions options;
  options.prompt = "red circle";
  const auto parts = {"has only a decoder", "no text_encoder and no denoiser", "decode_latents"};
  EXPECT_TRUE(names(message_of<BundleError>([&] { pipeline.generate(options); }), parts));
  EXPECT_TRUE(names(message_of<BundleError>([&] { pipeline.plan(options); }), parts));
  EXPECT_TRUE(names(message_of<BundleError>([&] { pipeline.encode_prompt("red"); }), parts));
  EXPECT_EQ(backend->loads(), 0);
  EXPECT_EQ(pipeline.decode_latents(latents(2)).num_frames, 5);
}

TEST_F(DecodeLatents, OnlyTheDecoderIsLoadedAndNamed) {
  Pipeline pipeline = open(ToyBundleOptions{});
  const Video video = pipeline.decode_latents(latents(3));
  EXPECT_EQ(backend->loads(), 2);  // both steps
  EXPECT_EQ(video.metadata.variants,
            (std::map<std::string, std::string>{{"vae_decoder_first", "fp32"}, {"vae_decoder_next", "fp32"}}));
  EXPECT_EQ(video.metadata.bundle, "toy");
  EXPECT_EQ(video.metadata.decode_chunk, 1);
  EXPECT_EQ(video.metadata.prompt, "");
}

TEST_F(DecodeLatents, FramesAreHandedOutAndACancelLeavesThePipelineUsable) {
  Pipeline pipeline = open(decoder_of("causal"));
  DecodeOptions options = latents(4);
  const std::vector<std::uint8_t> expected = pixels(pipeline.decode_latents(options));
  options.keep_frames = false;
  std::vector<std::uint8_t> streamed;
  CancelToken token;
  Callbacks callbacks;
  callbacks.cancel = &token;
  callbacks.on_frames = [&](const FramesEvent& event) {
    streamed.insert(streamed.end(), event.rgb, event.rgb + event.num_frames * event.height * event.width * 3);
    if (event.first_frame == 1) token.cancel();
  };
  EXPECT_TRUE(
      names(message_of<Cancelled>([&] { pipeline.decode_latents(options, callbacks); }), {"after frame 5 of 13"}));
  streamed.clear();
  token.reset();
  callbacks.cancel = nullptr;
  EXPECT_EQ(pipeline.decode_latents(options, callbacks).rgb, nullptr);
  EXPECT_EQ(streamed, expected);
}

TEST_F(DecodeLatents, FloatFramesAreThoseThatBecomeBytes) {
  Pipeline pipeline = open(decoder_of("causal"));
  DecodeOptions options = latents(4);
  const std::vector<std::uint8_t> bytes = pixels(pipeline.decode_latents(options));
  options.output_type = "float32";
  const Video video = pipeline.decode_latents(options);
  EXPECT_EQ(video.rgb, nullptr);
  ASSERT_EQ(video.rgb_float->size(), bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_EQ(bytes[i], static_cast<std::uint8_t>(std::nearbyintf((*video.rgb_float)[i] * 255.0f))) << i;
  }
  options.output_type = "pt";
  EXPECT_TRUE(names(message_of<InvalidArgument>([&] { pipeline.decode_latents(options); }), {"got 'pt'"}));
}

TEST_F(DecodeLatents, ABudgetThatIsTooSmallSaysWhatIsNeededAndOneThatIsNotUnloadsTheRest) {
  PipelineOptions tight;
  tight.memory_budget = 1;
  Pipeline poor = open(ToyBundleOptions{}, tight);
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { poor.decode_latents(latents(2)); }),
                    {"decoding these latents needs at least", "fewer latents"}));
  tight.memory_budget = std::uint64_t{1} << 30U;
  Pipeline pipeline = open(ToyBundleOptions{}, tight);
  GenerateOptions options;
  options.prompt = "red";
  pipeline.generate(options);
  pipeline.decode_latents(latents(2));
  EXPECT_EQ(backend->alive(), 2);
}

TEST_F(DecodeLatents, LatentsThatAreNoneOfThisDecodersAreRefused) {
  Pipeline pipeline = open(decoder_of("causal"));
  const auto refused = [&](const std::function<void(DecodeOptions&)>& spoil) {
    DecodeOptions options = latents(2);
    spoil(options);
    return message_of<InvalidArgument>([&] { pipeline.decode_latents(options); });
  };
  const std::vector<Shape> shapes{{},
                                  {4, 2, 24},
                                  {2, 4, 2, 4, 3},
                                  {3, 2, 4, 6},
                                  {4, 0, 4, 6},
                                  {4, 2, -4, 6},
                                  {4, std::numeric_limits<std::int64_t>::max(), 4, 6}};
  for (const Shape& shape : shapes) {
    EXPECT_TRUE(names(refused([&](DecodeOptions& options) { options.latents.shape = shape; }),
                      {"latents must be float32 (4, T, h, w)", "got float32"}));
  }
  EXPECT_TRUE(names(refused([](DecodeOptions& options) { options.latents.dtype = DType::kFloat16; }), {"float16"}));
  EXPECT_TRUE(names(refused([](DecodeOptions& options) { options.latents.data = nullptr; }), {"latents must be"}));
  EXPECT_TRUE(names(
      refused([](DecodeOptions& options) { options.latents.as<float>()[7] = std::numeric_limits<float>::quiet_NaN(); }),
      {"not finite"}));
  EXPECT_TRUE(names(refused([](DecodeOptions& options) {
                      options.latents.shape = {4, 2, 1, 6};
                    }),
                    {"the latents' height in pixels must be 4 to 128 in steps of 2, got 2"}));
  EXPECT_TRUE(names(refused([](DecodeOptions& options) {
                      options.latents.shape = {4, 99999, 4, 6};
                    }),
                    {"the latents' length in frames must be 1 to 257", "nearest valid: 257"}));
  EXPECT_TRUE(names(refused([](DecodeOptions& options) { options.fps = -1.0; }), {"fps must be more than 0"}));
  EXPECT_TRUE(names(refused([](DecodeOptions& options) { options.decode_chunk = -1; }), {"decode_chunk must be 0"}));
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(DecodeLatents, ABatchOfOneIsTheSameAsNone) {
  Pipeline pipeline = open(decoder_of("causal"));
  DecodeOptions options = latents(3);
  const std::vector<std::uint8_t> expected = pixels(pipeline.decode_latents(options));
  options.latents.shape = {1, 4, 3, 4, 6};
  EXPECT_EQ(pixels(pipeline.decode_latents(options)), expected);
}

}  // namespace
}  // namespace vidrt::testing
