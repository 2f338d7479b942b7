// Frames in tiles: the grid, the weights, the frames that come of them, the plan and the options.
#include "runtime/vae_tiling.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

// 500 axes of which no two have much in common, some with tiles that three others overlap.
template <typename Check>
void for_random_axes(const Check& check) {
  std::mt19937 random(7);
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int i = 0; i < 500; ++i) {
    const int size = draw(2, 200);
    const int tile = draw(2, size);
    const int stride = draw(1, tile - 1);
    SCOPED_TRACE(std::to_string(size) + " by " + std::to_string(tile) + ", " + std::to_string(stride));
    check(cover(size, tile, stride), stride);
  }
}

TEST(TileAxis, TilesOfOneSizeCoverEverythingAndOverlapAsAsked) {
  for_random_axes([](const TileAxis& axis, int stride) {
    EXPECT_EQ(axis.start(0), 0);
    EXPECT_EQ(axis.start(axis.count - 1) + axis.tile, axis.size);
    for (int i = 1; i < axis.count; ++i) {
      EXPECT_GT(axis.start(i), axis.start(i - 1));
      EXPECT_LE(axis.start(i), axis.start(i - 1) + stride);
    }
    if (axis.count > 1) {
      EXPECT_GE(axis.least_overlap(), axis.tile - stride);
      EXPECT_LT((axis.count - 2) * stride + axis.tile, axis.size) << "a tile fewer would do";
    } else {
      EXPECT_EQ(axis.tile, axis.size);
      EXPECT_EQ(axis.least_overlap(), 0);
    }
  });
}

TEST(TileAxis, WeightsSumToOneAtEveryPixel) {
  for_random_axes([](const TileAxis& axis, int) {
    for (const int ratio : {1, 8}) {
      std::vector<double> sums(static_cast<std::size_t>(axis.size * ratio), 0.0);
      for (int i = 0; i < axis.count; ++i) {
        const std::vector<float> weights = axis.weights(i, ratio);
        ASSERT_EQ(weights.size(), static_cast<std::size_t>(axis.tile * ratio));
        for (std::size_t x = 0; x < weights.size(); ++x) {
          EXPECT_TRUE(weights[x] >= 0.0f && weights[x] <= 1.0f);
          sums[static_cast<std::size_t>(axis.start(i) * ratio) + x] += weights[x];
        }
      }
      for (const double sum : sums) EXPECT_NEAR(sum, 1.0, 1e-6);
    }
  });
}

TEST(TileAxis, WeightsOfTwoNeighboursAreLinearRamps) {
  const TileAxis axis = cover(10, 6, 4);  // 0 to 6 and 4 to 10
  const std::vector<float> first = axis.weights(0, 2);
  const std::vector<float> second = axis.weights(1, 2);
  EXPECT_EQ(first, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 1, 0.875f, 0.625f, 0.375f, 0.125f}));
  EXPECT_EQ(second, std::vector<float>(first.rbegin(), first.rend()));
}

class VaeTilingPipeline : public ::testing::Test {
 protected:
  static constexpr int kHeight = 20, kWidth = 26;  // latents; two pixels each

  Pipeline open(const std::string& form, const PipelineOptions& options = {}) {
    ToyBundleOptions toy;
    toy.form = form;
    toy.receptive_field = form == "whole" ? std::optional(ReceptiveField{2, 3}) : std::nullopt;
    toy.single_first_frame = form == "whole";
    bundles_.push_back(std::make_unique<ToyBundle>(toy));
    return Pipeline::open(Bundle::open(bundles_.back()->path()), options, backend);
  }

  // Latents (4,T,20,26), or a part of them; another call replaces them.
  DecodeOptions latents(int frames, int top = 0, int left = 0, int height = kHeight, int width = kWidth) {
    values_.clear();
    for (int i = 0; i < 4 * frames; ++i) {
      for (int y = top; y < top + height; ++y) {
        for (int x = left; x < left + width; ++x) {
          const int place = (i * kHeight + y) * kWidth + x;
          values_.push_back(std::sin(0.7f * static_cast<float>(place % 1009 * (place % 1013))));
        }
      }
    }
    DecodeOptions options;
    options.latents = TensorView{values_.data(), DType::kFloat32, {4, frames, height, width}};
    options.vae_tiling.mode = "off";
    return options;
  }

  // 3 x 4 tiles of 16x20 pixels. No three have a row or a column in common.
  static VaeTiling tiling(const std::string& mode = "on") { return {mode, 16, 20, 12, 14}; }

  static std::vector<std::uint8_t> pixels(const Video& video) { return *video.rgb; }

  static std::vector<std::string> warnings_of_tiles(const Video& video) {
    std::vector<std::string> warnings;
    for (const std::string& warning : video.metadata.warnings) {
      if (warning.find("tiles") != std::string::npos) warnings.push_back(warning);
    }
    return warnings;
  }

  // All frames that a decoder gives for a part of the latents, (F,3,H,W), as it gives them.
  std::vector<float> floats_of(Pipeline& pipeline, const DecodeOptions& options) {
    std::vector<float> all;
    backend->after_run = [&](const std::string&, const std::vector<NamedTensor>&, const std::vector<NamedTensor>& out) {
      const TensorView& frames = out.at(0).view;
      const std::int64_t size = frames.shape[3] * frames.shape[4];
      for (std::int64_t f = 0; f < frames.shape[2]; ++f) {
        for (std::int64_t c = 0; c < 3; ++c) {
          const float* plane = frames.as<float>() + (c * frames.shape[2] + f) * size;
          all.insert(all.end(), plane, plane + size);
        }
      }
    };
    pipeline.decode_latents(options);
    backend->after_run = nullptr;
    return all;
  }

  static GenerateOptions prompt_options(const VaeTiling& tiling) {
    GenerateOptions options;
    options.prompt = "red circle";
    options.height = 40;
    options.width = 52;
    options.num_frames = 13;
    options.num_inference_steps = 2;
    options.seed = 3;
    options.vae_tiling = tiling;
    return options;
  }

  std::shared_ptr<ReferenceBackend> backend = std::make_shared<ReferenceBackend>();

 private:
  std::vector<std::unique_ptr<ToyBundle>> bundles_;
  std::vector<float> values_;
};

// How near an edge with a neighbour a pixel is: what a tile counts for before all are divided by their sum.
double tent(int pixel, int size, int ramp, bool has_before, bool has_after) {
  const double before = has_before ? std::min(1.0, (pixel + 0.5) / ramp) : 1.0;
  const double after = has_after ? std::min(1.0, (size - pixel - 0.5) / ramp) : 1.0;
  return std::min(before, after);
}

// Every tile decoded as a clip of its own, blended here by another rule that gives the same where two tiles overlap.
TEST_F(VaeTilingPipeline, FramesAreThoseOfTheTilesDecodedAloneAndBlended) {
  constexpr int kFrames = 3;
  for (const std::string form : {"causal", "framewise"}) {
    Pipeline pipeline = open(form);
    const std::vector<int> tops{0, 6, 12};
    const std::vector<int> lefts{0, 8, 16};
    std::vector<double> sums;
    std::vector<double> weights(static_cast<std::size_t>(4 * kHeight * kWidth), 0.0);
    for (const int top : tops) {
      for (const int left : lefts) {
        const std::vector<float> tile = floats_of(pipeline, latents(kFrames, top, left, 8, 10));
        const std::size_t planes = tile.size() / (16 * 20);
        sums.resize(planes * weights.size(), 0.0);
        for (int y = 0; y < 16; ++y) {
          for (int x = 0; x < 20; ++x) {
            const double weight = tent(y, 16, 4, top != 0, top != 12) * tent(x, 20, 4, left != 0, left != 16);
            const auto place = static_cast<std::size_t>((2 * top + y) * 2 * kWidth + 2 * left + x);
            weights[place] += weight;
            for (std::size_t p = 0; p < planes; ++p) {
              sums[p * weights.size() + place] += weight * tile[p * 16 * 20 + static_cast<std::size_t>(y * 20 + x)];
            }
          }
        }
      }
    }
    DecodeOptions options = latents(kFrames);
    options.vae_tiling = {"on", 16, 20, 12, 16};
    const Video video = pipeline.decode_latents(options);
    EXPECT_EQ(video.metadata.tiles.rows * 10 + video.metadata.tiles.columns, 33);
    const std::vector<std::uint8_t> got = pixels(video);
    ASSERT_EQ(got.size(), sums.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const std::size_t plane = i / weights.size();
      const std::size_t place = i % weights.size();
      const double level = (sums[i] / weights[place] * 0.5 + 0.5) * 255.0;
      const int value = got[(plane / 3 * weights.size() + place) * 3 + plane % 3];
      ASSERT_NEAR(value, level, 0.501) << form << ", plane " << plane << ", pixel " << place;
    }
    EXPECT_GT(*std::max_element(got.begin(), got.end()) - *std::min_element(got.begin(), got.end()), 10);
  }
}

TEST_F(VaeTilingPipeline, AnyChunkingGivesTheSameFramesInEveryForm) {
  for (const std::string form : {"causal", "framewise", "whole"}) {
    backend->reads = form == "whole" ? ReceptiveField{2, 3} : ReceptiveField{};
    Pipeline pipeline = open(form);
    DecodeOptions options = latents(7);
    const std::vector<std::uint8_t> whole = pixels(pipeline.decode_latents(options));
    options.vae_tiling = tiling();
    const std::vector<std::uint8_t> expected = pixels(pipeline.decode_latents(options));
    EXPECT_NE(expected, whole);
    for (const int chunk : {1, 2, 3, 6, 7, 8}) {
      options.decode_chunk = chunk;
      EXPECT_EQ(pixels(pipeline.decode_latents(options)), expected) << form << ", chunks of " << chunk;
    }
  }
}

TEST_F(VaeTilingPipeline, FloatFramesOfTilesAreThoseThatBecomeBytes) {
  Pipeline pipeline = open("causal");
  DecodeOptions options = latents(5);
  options.vae_tiling = tiling();
  const std::vector<std::uint8_t> bytes = pixels(pipeline.decode_latents(options));
  options.output_type = "float32";
  const std::vector<float> floats = *pipeline.decode_latents(options).rgb_float;
  ASSERT_EQ(floats.size(), bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_EQ(bytes[i], static_cast<std::uint8_t>(std::nearbyintf(floats[i] * 255.0f))) << i;
  }
  for (const int chunk : {1, 3, 5}) {
    options.decode_chunk = chunk;
    EXPECT_EQ(*pipeline.decode_latents(options).rgb_float, floats) << "chunks of " << chunk;
  }
}

TEST_F(VaeTilingPipeline, OneTileThatCoversTheFrameIsThePlanAndTheFramesWithoutTiles) {
  for (const std::string form : {"causal", "framewise"}) {
    Pipeline pipeline = open(form);
    DecodeOptions options = latents(5);
    const std::vector<std::uint8_t> expected = pixels(pipeline.decode_latents(options));
    const GenerationPlan plan = pipeline.plan_decode(options);
    for (const VaeTiling& tiling : {VaeTiling{"on", 40, 52}, VaeTiling{"on", 100, 60, 50}, VaeTiling{"auto", 16, 20}}) {
      options.vae_tiling = tiling;
      EXPECT_EQ(pixels(pipeline.decode_latents(options)), expected);
      const GenerationPlan same = pipeline.plan_decode(options);
      EXPECT_EQ(same.tiles.rows * same.tiles.columns, 1);
      EXPECT_EQ(same.tensors.size(), plan.tensors.size());
      EXPECT_EQ(same.arena_bytes, plan.arena_bytes);
    }
  }
}

std::map<std::string, std::uint64_t> bytes_by_name(const GenerationPlan& plan) {
  std::map<std::string, std::uint64_t> bytes;
  for (const PlannedTensor& tensor : plan.tensors) bytes[tensor.name] = tensor.bytes;
  return bytes;
}

TEST_F(VaeTilingPipeline, ThePlanHasTheGridAndCountsEveryTilesCaches) {
  Pipeline pipeline = open("causal");
  DecodeOptions options = latents(9);
  options.decode_chunk = 2;
  options.vae_tiling = tiling();
  const GenerationPlan plan = pipeline.plan_decode(options);
  const PlannedTiles& tiles = plan.tiles;
  EXPECT_EQ((std::vector<int>{tiles.rows, tiles.columns, tiles.height, tiles.width}), (std::vector<int>{3, 4, 16, 20}));
  EXPECT_EQ(tiles.overlap_height, 4);
  EXPECT_EQ(tiles.overlap_width, 8);  // asked for were 6, and latents are two pixels wide
  std::map<std::string, std::uint64_t> bytes = bytes_by_name(plan);
  EXPECT_EQ(bytes["frames_next"], 3u * 8 * 40 * 52 * 4);
  EXPECT_EQ(bytes["tile_frames_next"], 3u * 8 * 16 * 20 * 4);
  EXPECT_EQ(bytes["decode_latents"], 4u * 2 * 8 * 10 * 4);
  // The caches of twelve tiles and one that is written, each aligned, instead of two banks.
  const std::uint64_t place = (bytes["cache_b_0"] + 255) / 256 * 256;
  EXPECT_EQ(bytes["cache_a_0"], 11 * place + bytes["cache_b_0"]);
  options.vae_tiling = {"off"};
  EXPECT_EQ(bytes_by_name(pipeline.plan_decode(options)).count("tile_frames_next"), 0u);
  EXPECT_EQ(backend->loads(), 0);
}

TEST_F(VaeTilingPipeline, MemoryStaysFlatWithTheClipsLength) {
  Pipeline pipeline = open("causal");
  const auto without_latents = [&](int frames) {
    DecodeOptions options = latents(frames);
    options.vae_tiling = tiling();
    const GenerationPlan plan = pipeline.plan_decode(options);
    return plan.unshared_bytes - (bytes_by_name(plan)["latents"] + 255) / 256 * 256;
  };
  EXPECT_EQ(without_latents(40), without_latents(4));
}

TEST_F(VaeTilingPipeline, DecodersAreLoadedForTilesAndNothingElse) {
  backend->built = {{"vae_decoder_first", {{"height", {16, 16}}, {"width", {20, 20}}}},
                    {"vae_decoder_next", {{"height", {16, 16}}, {"width", {20, 20}}}}};
  backend->exact = true;
  Pipeline pipeline = open("causal");
  DecodeOptions options = latents(3);
  EXPECT_THROW(pipeline.decode_latents(options), BackendError);
  options.vae_tiling = tiling();
  EXPECT_EQ(pipeline.decode_latents(options).num_frames, 9);
}

TEST_F(VaeTilingPipeline, AGenerationIsDecodedInTilesAsItsLatentsAre) {
  Pipeline pipeline = open("causal");
  GenerateOptions options = prompt_options({});
  const std::vector<std::uint8_t> whole = pixels(pipeline.generate(options));
  options.vae_tiling = tiling();
  const Video video = pipeline.generate(options);
  EXPECT_NE(pixels(video), whole);
  EXPECT_EQ(video.metadata.tiles.columns, 4);
  EXPECT_EQ(warnings_of_tiles(video), std::vector<std::string>());
  options.decode_chunk = 3;
  EXPECT_EQ(pixels(pipeline.generate(options)), pixels(video));
}

TEST_F(VaeTilingPipeline, MoreTilesThanAreOfUseAreRefusedWhereTheyWereAskedFor) {
  ToyBundle toy;
  toy.edit([](nlohmann::json& manifest) {
    for (const char* side : {"height", "width"}) manifest["limits"][side]["max"] = 16384;
  });
  const Pipeline pipeline = Pipeline::open(Bundle::open(toy.path()), {}, backend);
  GenerateOptions options;
  options.prompt = "red";
  options.height = options.width = 16384;
  options.num_frames = 1;
  EXPECT_EQ(pipeline.plan(options).tiles.rows, 1);
  for (const VaeTiling& tiling : {VaeTiling{"on"}, VaeTiling{"auto", 4, 4, 2, 2}}) {
    options.vae_tiling = tiling;
    EXPECT_TRUE(names(message_of<InvalidArgument>([&] { pipeline.plan(options); }),
                      {tiling.mode == "on" ? "tiles of 256x256 pixels are 85x85" : "are 8191x8191", "at most 4096"}));
  }
}

// A budget in which the decoder finds room for tiles alone.
class TightVaeTiling : public VaeTilingPipeline {
 protected:
  TightVaeTiling() {
    backend->workspace_per_pixel = 1000;
    backend->exact = true;  // as engines, whose workspace is that of the sizes that they are loaded for
  }

  static PipelineOptions budget_of(const GenerationPlan& plan) {
    PipelineOptions options;
    options.memory_budget = plan.total_bytes();
    return options;
  }
};

TEST_F(TightVaeTiling, AutoTakesTilesWhereWholeFramesDoNotFitAndSaysSo) {
  Pipeline roomy = open("causal");
  const GenerationPlan whole = roomy.plan(prompt_options(tiling("auto")));
  EXPECT_EQ(whole.tiles.rows * whole.tiles.columns, 1);
  const GenerationPlan tiled = roomy.plan(prompt_options(tiling("on")));
  ASSERT_LT(2 * tiled.arena_bytes, whole.arena_bytes);
  Pipeline tight = open("causal", budget_of(tiled));
  const Video video = tight.generate(prompt_options(tiling("auto")));
  EXPECT_EQ(pixels(video), pixels(roomy.generate(prompt_options(tiling("on")))));
  ASSERT_EQ(warnings_of_tiles(video).size(), 1u);
  EXPECT_TRUE(names(warnings_of_tiles(video)[0], {"3x4 tiles of 20x16 pixels", "do not fit the memory"}));
  DecodeOptions options = latents(4);
  options.vae_tiling = tiling("auto");
  EXPECT_EQ(tight.decode_latents(options).metadata.tiles.rows, 3);
  EXPECT_EQ(roomy.decode_latents(options).metadata.tiles.rows, 1);
}

// Frames of 40x512 pixels, which tiles of the default size cut.
TEST_F(TightVaeTiling, WhereTilesWouldFitTheErrorNamesThemAndElseNot) {
  ToyBundle toy;
  toy.edit([](nlohmann::json& manifest) { manifest["limits"]["width"]["max"] = 1024; });
  GenerateOptions options = prompt_options({"on"});
  options.width = 512;
  const GenerationPlan tiled = Pipeline::open(Bundle::open(toy.path()), {}, backend).plan(options);
  EXPECT_EQ((std::vector<int>{tiled.tiles.rows, tiled.tiles.columns, tiled.tiles.height, tiled.tiles.width}),
            (std::vector<int>{1, 3, 40, 256}));
  EXPECT_EQ((std::vector<int>{tiled.tiles.overlap_height, tiled.tiles.overlap_width}), (std::vector<int>{0, 128}));
  const std::vector<float> values(4 * 4 * 20 * 256, 0.0f);
  DecodeOptions decode;
  decode.latents = TensorView{const_cast<float*>(values.data()), DType::kFloat32, {4, 4, 20, 256}};
  options.vae_tiling = decode.vae_tiling = {"off"};
  PipelineOptions budget = budget_of(tiled);
  for (const bool is_enough : {true, false}) {
    if (!is_enough) budget.memory_budget = 1000;
    Pipeline tight = Pipeline::open(Bundle::open(toy.path()), budget, backend);
    for (const std::string& message : {message_of<OutOfMemory>([&] { tight.plan(options); }),
                                       message_of<OutOfMemory>([&] { tight.plan_decode(decode); })}) {
      EXPECT_TRUE(names(message, {"memory_budget is"}));
      EXPECT_EQ(message.find("set vae_tiling to on") != std::string::npos, is_enough) << message;
    }
  }
}

TEST_F(TightVaeTiling, AutoWithoutAnEngineForTilesStillSaysWhatWholeFramesNeed) {
  Pipeline roomy = open("causal");
  const GenerationPlan tiled = roomy.plan(prompt_options(tiling("on")));
  for (const char* module : {"vae_decoder_first", "vae_decoder_next"}) {
    backend->built[module] = {{"height", {40, 40}}, {"width", {52, 52}}};
  }
  Pipeline tight = open("causal", budget_of(tiled));
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { tight.plan(prompt_options(tiling("auto"))); }), {"needs at least"}));
  DecodeOptions options = latents(4);
  options.vae_tiling = tiling("auto");
  EXPECT_TRUE(names(message_of<OutOfMemory>([&] { tight.plan_decode(options); }), {"needs at least"}));
  options.vae_tiling = tiling("on");
  EXPECT_THROW(tight.plan_decode(options), BackendError);
}

TEST_F(VaeTilingPipeline, ADecoderThatRunsOutOfMemoryNamesTilesThatAreSmaller) {
  Pipeline pipeline = open("causal");
  DecodeOptions options = latents(3);
  const auto message = [&] { return message_of<OutOfMemory>([&] { pipeline.decode_latents(options); }); };
  backend->before_run = [](const std::string&) { throw OutOfMemory("there is no more."); };
  EXPECT_TRUE(names(message(), {"there is no more. Decode frames in tiles", "vae_tiling on", "less than 40 and 52"}));
  options.vae_tiling = tiling();
  EXPECT_TRUE(names(message(), {"Decode frames in smaller tiles", "less than 16 and 20"}));
  backend->before_run = nullptr;
  EXPECT_EQ(pipeline.decode_latents(options).num_frames, 9);
}

TEST_F(VaeTilingPipeline, TilesThatAreNoneAreRefusedBeforeAnythingIsLoaded) {
  Pipeline pipeline = open("causal");
  struct Case {
    VaeTiling tiling;
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases{
      {{"always"}, {"vae_tiling must be auto, on or off", "'always'"}},
      {{"on", 2}, {"tile_sample_min_height must be 4 to 128 in steps of 2, got 2", "nearest valid: 4"}},
      {{"auto", -8}, {"tile_sample_min_height", "got -8"}},
      {{"on", 0, 17}, {"tile_sample_min_width", "got 17", "nearest valid: 16, 18"}},
      {{"on", 16, 0, 13}, {"tile_sample_stride_height must be 2 to 14 in steps of 2", "got 13", "nearest valid: 12"}},
      {{"on", 16, 0, 16}, {"tile_sample_stride_height", "less than the tile's 16", "got 16", "nearest valid: 14"}},
      {{"on", 0, 20, 0, -2}, {"tile_sample_stride_width", "got -2", "nearest valid: 2"}},
      {{"off", 16}, {"tile_sample_min_height is 16", "no effect with vae_tiling off"}},
      {{"off", 0, 0, 0, 8}, {"tile_sample_stride_width is 8", "no effect"}},
  };
  for (const Case& one : cases) {
    DecodeOptions options = latents(3);
    options.vae_tiling = one.tiling;
    GenerateOptions generate;
    generate.prompt = "red";
    generate.vae_tiling = one.tiling;
    const std::string message = message_of<InvalidArgument>([&] { pipeline.decode_latents(options); });
    EXPECT_EQ(message_of<InvalidArgument>([&] { pipeline.generate(generate); }), message);
    for (const std::string& part : one.parts) EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  EXPECT_EQ(backend->loads(), 0);
}

}  // namespace
}  // namespace vidrt::testing
