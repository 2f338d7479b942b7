// The text that modules are run on: no padding for the text encoder where it can do without, and equal rows once for a
// denoiser that counts them.
#include <map>
#include <string>
#include <vector>

#include "runtime/text_inputs.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

PromptEmbeds embeds_of(const std::vector<std::vector<float>>& rows) {
  PromptEmbeds embeds;
  embeds.length = static_cast<std::int64_t>(rows.size());
  embeds.dim = static_cast<std::int64_t>(rows.front().size());
  for (const std::vector<float>& row : rows) embeds.values.insert(embeds.values.end(), row.begin(), row.end());
  return embeds;
}

TEST(TextInputs, EqualRowsCountOnceAtTheEndAlone) {
  EXPECT_EQ(distinct_rows(embeds_of({{1, 2}, {0, 0}, {0, 0}, {0, 0}})), 2);
  EXPECT_EQ(distinct_rows(embeds_of({{0, 0}, {1, 2}, {1, 2}, {0, 3}})), 4);
  EXPECT_EQ(distinct_rows(embeds_of({{5, 6}, {5, 6}, {5, 6}})), 1);
  EXPECT_EQ(distinct_rows(embeds_of({{5, 6}})), 1);
  EXPECT_EQ(distinct_rows(embeds_of({{1, 2}, {0, 7}, {0, 8}})), 3);  // equal in a column is not equal
}

class TextInputsTest : public PipelineFixture {
 protected:
  // The shapes and values of an input of a module's last run, by name.
  struct Seen {
    std::map<std::string, Shape> shapes;
    std::vector<float> counts;
  };

  Seen watch(Pipeline& pipeline, const std::string& module, const GenerateOptions& options) {
    Seen seen;
    backend->after_run = [&](const std::string& ran, const std::vector<NamedTensor>& inputs, const auto&) {
      if (ran != module) return;
      for (const NamedTensor& input : inputs) {
        seen.shapes[input.name] = input.view.shape;
        if (input.name != "text_counts") continue;
        seen.counts.assign(input.view.as<float>(), input.view.as<float>() + input.view.elements());
      }
    };
    frames = float_pixels(pipeline.generate(options));
    backend->after_run = nullptr;
    return seen;
  }

  static GenerateOptions float_options() {
    GenerateOptions options = prompt_options();
    options.negative_prompt = "a blue square moves";
    options.output_type = "float32";
    return options;
  }

  static ToyBundleOptions counting() {
    ToyBundleOptions options;
    options.text_counts = true;
    return options;
  }

  std::vector<float> frames;
};

TEST_F(TextInputsTest, TheTextEncoderRunsOverThePromptsTokensAlone) {
  Pipeline pipeline = open();
  const Seen seen = watch(pipeline, "text_encoder", float_options());
  EXPECT_EQ(seen.shapes.at("input_ids"), (Shape{1, 3}));  // red, circle and the end
  EXPECT_EQ(seen.shapes.at("attention_mask"), (Shape{1, 3}));
  const std::vector<float> whole = frames;

  ToyBundle padded;
  padded.edit([](nlohmann::json& manifest) { manifest["text"]["zero_after_mask"] = false; });
  Pipeline other = Pipeline::open(Bundle::open(padded.path()), {}, backend);
  EXPECT_EQ(watch(other, "text_encoder", float_options()).shapes.at("input_ids"), (Shape{1, 16}));
  EXPECT_EQ(frames, whole);
}

TEST_F(TextInputsTest, ADenoiserWithoutCountsIsGivenAllRows) {
  Pipeline pipeline = open();
  const Seen seen = watch(pipeline, "denoiser", float_options());
  EXPECT_EQ(seen.shapes.at("text_embeds"), (Shape{2, 16, 6}));
  EXPECT_EQ(seen.shapes.at("text_mask"), (Shape{2, 16}));
}

TEST_F(TextInputsTest, ADenoiserWithCountsIsGivenEqualRowsOnceAndMakesTheSameVideo) {
  Pipeline plain = open();
  watch(plain, "denoiser", float_options());
  const std::vector<float> whole = frames;
  const ToyBundle bundle(counting());
  Pipeline pipeline = Pipeline::open(Bundle::open(bundle.path()), {}, backend);
  const Seen seen = watch(pipeline, "denoiser", float_options());
  // The negative prompt has four words and an end, the prompt two and an end; then a row of zeros.
  EXPECT_EQ(seen.shapes.at("text_embeds"), (Shape{2, 6, 6}));
  EXPECT_EQ(seen.shapes.at("text_mask"), (Shape{2, 6}));
  EXPECT_EQ(seen.counts, (std::vector<float>{1, 1, 1, 1, 1, 11, 1, 1, 1, 13, 0, 0}));
  ASSERT_EQ(frames.size(), whole.size());
  for (std::size_t i = 0; i < frames.size(); ++i) ASSERT_NEAR(frames[i], whole[i], 1e-5) << i;
}

TEST_F(TextInputsTest, SequentialGuidanceGivesEachPromptItsCounts) {
  const ToyBundle bundle(counting());
  Pipeline batched = Pipeline::open(Bundle::open(bundle.path()), {}, backend);
  watch(batched, "denoiser", float_options());
  const std::vector<float> expected = frames;
  backend->built = {{"text_encoder", {}}, {"vae_decoder_first", {}}, {"vae_decoder_next", {}}};
  backend->built["denoiser"] = {{"batch", {1, 1}}};
  Pipeline pipeline = Pipeline::open(Bundle::open(bundle.path()), {}, backend);
  const Seen seen = watch(pipeline, "denoiser", float_options());
  EXPECT_EQ(seen.counts, (std::vector<float>{1, 1, 1, 13, 0, 0}));
  EXPECT_EQ(frames, expected);
}

TEST_F(TextInputsTest, APromptThatFillsItsRowsLeavesNothingOut) {
  const ToyBundle bundle(counting());
  Pipeline pipeline = Pipeline::open(Bundle::open(bundle.path()), {}, backend);
  GenerateOptions options = float_options();
  options.prompt = "red a red a red a red a red a red a red a red";
  const Seen seen = watch(pipeline, "denoiser", options);
  EXPECT_EQ(seen.shapes.at("text_embeds"), (Shape{2, 16, 6}));
  EXPECT_EQ(std::vector<float>(seen.counts.begin() + 16, seen.counts.end()), std::vector<float>(16, 1.0f));
}

}  // namespace
}  // namespace vidrt::testing
