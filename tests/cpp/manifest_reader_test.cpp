// Every key of the manifest is checked for type and range, and messages name the key, what was got and what was
// expected.
#include "runtime/manifest_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/throws.h"
#include "support/toy_bundle.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using nlohmann::json;
using Pointer = json::json_pointer;

std::string refused(const std::string& text) {
  return message_of<BundleError>([&] { parse_manifest(text, "m.json"); });
}

std::string refused(const json& manifest) { return refused(manifest.dump()); }

TEST(ManifestReader, ReadsEveryFieldOfAValidManifest) {
  const Manifest manifest = parse_manifest(make_toy_bundle().manifest.dump(), "m.json");
  EXPECT_EQ(manifest.schema_version, 1);
  EXPECT_EQ(manifest.name, "toy");
  EXPECT_EQ(manifest.family, "toy");
  EXPECT_EQ(manifest.license, "Apache-2.0");
  EXPECT_EQ(manifest.tokenizer.kind, "wordlevel");
  EXPECT_EQ(manifest.tokenizer.files, std::vector<std::string>{"tokenizer/vocab.txt"});
  EXPECT_EQ(manifest.tokenizer.max_length, 16);
  EXPECT_EQ(manifest.tokenizer.eos_id, 2);
  EXPECT_EQ(manifest.tokenizer.unk_id, 1);
  EXPECT_EQ(json::parse(manifest.scheduler_json)["shift"], 2.0);
  EXPECT_EQ(manifest.height.min, 4);
  EXPECT_EQ(manifest.width.max, 128);
  EXPECT_EQ(manifest.height.step, 2);
  EXPECT_EQ(manifest.height.measured_min, 8);
  EXPECT_EQ(manifest.height.measured_max, 16);
  EXPECT_EQ(manifest.num_frames.max, 257);
  EXPECT_EQ(manifest.vae.form, "causal");
  EXPECT_EQ(manifest.vae.temporal_ratio, 4);
  EXPECT_EQ(manifest.vae.spatial_ratio, 2);
  EXPECT_EQ(manifest.vae.latent_channels, 4);
  EXPECT_EQ(manifest.guidance_off_at, 1.0);
  EXPECT_EQ(manifest.text_length, 16);
  EXPECT_TRUE(manifest.zero_after_mask);
  ASSERT_EQ(manifest.exclusive_words.size(), 2U);
  EXPECT_EQ(manifest.exclusive_words.at("colour"), (ExclusiveGroup{{"red"}, {"blue"}, {"green", "lime green"}}));
  EXPECT_EQ(manifest.image_conditioning, "none");
  EXPECT_EQ(manifest.defaults.num_frames, 9);
  EXPECT_EQ(manifest.defaults.fps, 8.0);
  ASSERT_EQ(manifest.data_files.size(), 1U);
  EXPECT_EQ(manifest.data_files.begin()->second.bytes, 128U);
  const Variant& denoiser = manifest.modules.at("denoiser").variants.at(0);
  EXPECT_EQ(denoiser.id, "fp32");
  EXPECT_EQ(denoiser.opset, 22);
  EXPECT_EQ(denoiser.backends, std::vector<std::string>{"onnxruntime"});
  EXPECT_EQ(denoiser.inputs.at(0).shape, (std::vector<std::string>{"B", "4", "T", "h", "w"}));
  EXPECT_EQ(denoiser.inputs.at(3).dtype, DType::kInt64);
  ASSERT_TRUE(denoiser.parity.has_value());
  EXPECT_EQ(denoiser.parity->tolerance, 1e-4);
  EXPECT_EQ(denoiser.parity->cases, 3);
  EXPECT_EQ(denoiser.parity->method, "run");  // where the manifest says nothing
}

TEST(ManifestReader, SaysHowPromptsAreCleanedAndSpelled) {
  json manifest = make_toy_bundle().manifest;
  manifest["text"]["cleaning"] = "html";
  manifest["text"]["ftfy"] = true;
  manifest["tokenizer"]["kind"] = "sentencepiece";
  manifest["tokenizer"]["byte_fallback"] = false;
  const Manifest read = parse_manifest(manifest.dump(), "m.json");
  EXPECT_EQ(read.text_cleaning, "html");
  EXPECT_TRUE(read.text_ftfy);
  EXPECT_FALSE(read.tokenizer.byte_fallback);
  manifest["tokenizer"]["kind"] = "wordlevel";
  EXPECT_TRUE(names(message_of<BundleError>([&] { parse_manifest(manifest.dump(), "m.json"); }),
                    {"tokenizer.byte_fallback", "nothing, as tokenizer.kind is wordlevel"}));
}

TEST(ManifestReader, ClipsTokenizerHasTwoFilesABeginningAndTokensOfTheNormalisedText) {
  json manifest = make_toy_bundle().manifest;
  json& tokenizer = manifest["tokenizer"];
  tokenizer["kind"] = "clip_bpe";
  tokenizer["files"] = {"tokenizer/vocab.json", "tokenizer/merges.txt"};
  tokenizer["bos_id"] = 7;
  tokenizer["normalized_added_tokens"] = {{"<s>", 7}};
  const Manifest read = parse_manifest(manifest.dump(), "m.json");
  EXPECT_EQ(read.tokenizer.files.size(), 2u);
  EXPECT_EQ(read.tokenizer.bos_id, 7);
  EXPECT_EQ(read.tokenizer.normalized_added_tokens.at("<s>"), 7);
  const auto refused = [&] { return message_of<BundleError>([&] { parse_manifest(manifest.dump(), "m.json"); }); };
  tokenizer.erase("bos_id");
  EXPECT_TRUE(names(refused(), {"tokenizer.bos_id: got nothing, expected this key"}));
  tokenizer["bos_id"] = 7;
  tokenizer["files"] = {"tokenizer/vocab.json"};
  EXPECT_TRUE(names(refused(), {"tokenizer.files", "an array of 2 to 2"}));
  tokenizer["kind"] = "wordlevel";
  EXPECT_TRUE(names(refused(), {"tokenizer.normalized_added_tokens", "nothing, as tokenizer.kind is wordlevel"}));
  tokenizer.erase("normalized_added_tokens");
  EXPECT_TRUE(names(refused(), {"tokenizer.bos_id", "nothing, as tokenizer.kind is wordlevel"}));
}

TEST(ManifestReader, WhatMayBeLeftOutMayBeLeftOut) {
  json manifest = make_toy_bundle().manifest;
  manifest.erase("extra");
  manifest.erase("created_by");
  manifest["tokenizer"].erase("unk_id");
  manifest["tokenizer"].erase("added_tokens");
  manifest["text"].erase("exclusive_words");
  manifest["modules"]["denoiser"]["variants"][0]["parity"] = nullptr;
  manifest["modules"]["text_encoder"]["variants"][0]["parity"]["method"] = "emulated";
  const Manifest read = parse_manifest(manifest.dump(), "m.json");
  EXPECT_FALSE(read.tokenizer.unk_id.has_value());
  EXPECT_TRUE(read.exclusive_words.empty());
  EXPECT_TRUE(read.tokenizer.byte_fallback);
  EXPECT_EQ(read.text_cleaning, "none");
  EXPECT_FALSE(read.text_ftfy);
  EXPECT_FALSE(read.modules.at("denoiser").variants[0].parity.has_value());
  EXPECT_EQ(read.modules.at("text_encoder").variants[0].parity->method, "emulated");
}

TEST(ManifestReader, EveryOtherKeyIsNeeded) {
  const json valid = make_toy_bundle().manifest;
  const std::vector<std::string> optional{"/extra", "/created_by", "/tokenizer/unk_id", "/tokenizer/added_tokens",
                                          "/text/exclusive_words"};
  const json flat = valid.flatten();
  std::set<std::string> tried;
  for (const auto& item : flat.items()) {
    for (Pointer pointer(item.key()); !pointer.empty(); pointer = pointer.parent_pointer()) {
      const bool in_array = valid.at(pointer.parent_pointer()).is_array();
      const bool free_form = pointer.to_string().rfind("/created_by", 0) == 0;
      const bool scheduler = pointer.parent_pointer() == Pointer("/scheduler") && pointer.back() != "_class_name";
      const bool named = pointer.parent_pointer() == Pointer("/data_files") ||
                         pointer.parent_pointer() == Pointer("/text/exclusive_words");
      if (!tried.insert(pointer.to_string()).second) break;
      if (in_array || free_form || scheduler || named) continue;
      if (std::find(optional.begin(), optional.end(), pointer.to_string()) != optional.end()) continue;
      json manifest = valid;
      manifest.at(pointer.parent_pointer()).erase(pointer.back());
      EXPECT_TRUE(names(refused(manifest), {"m.json: ", pointer.back().c_str()})) << pointer;
    }
  }
  EXPECT_GT(tried.size(), 100U);
}

TEST(ManifestReader, NoValueMayBeOfAnotherType) {
  const json valid = make_toy_bundle().manifest;
  int tried = 0;
  const json flat = valid.flatten();
  for (const auto& item : flat.items()) {
    const Pointer pointer(item.key());
    if (item.key().rfind("/created_by/", 0) == 0 || item.key().rfind("/scheduler/num", 0) == 0 ||
        item.key() == "/scheduler/shift") {
      continue;
    }
    for (const json& wrong : {json(true), json(json::array({json::array()})), json({{"a", 1}})}) {
      if (wrong.type() == valid.at(pointer).type() || (item.key() == "/extra" && wrong.is_object())) continue;
      if (item.key() == "/tokenizer/added_tokens" && wrong.is_object()) continue;
      json manifest = valid;
      manifest[pointer] = wrong;
      EXPECT_TRUE(names(refused(manifest), {"m.json: ", "got ", "expected "})) << pointer << " = " << wrong;
      ++tried;
    }
  }
  EXPECT_GT(tried, 300);
}

TEST(ManifestReader, ExclusiveWordsAreLimitedInNumber) {
  json manifest = make_toy_bundle().manifest;
  const auto words = [](std::size_t count) {
    json values = json::array();
    for (std::size_t i = 0; i < count; ++i) values.push_back({"w" + std::to_string(i)});
    return values;
  };
  json& groups = manifest["text"]["exclusive_words"];
  groups["shape"] = words(256);
  EXPECT_NO_THROW(parse_manifest(manifest.dump(), "m.json"));
  groups["shape"] = words(257);
  EXPECT_TRUE(names(refused(manifest), {"text.exclusive_words.\"shape\": got an array of 257"}));
  groups = json::object();
  for (int i = 0; i < 65; ++i) groups["g" + std::to_string(i)] = words(2);
  EXPECT_TRUE(names(refused(manifest), {"text.exclusive_words: got an object", "64 groups"}));
}

struct Fault {
  const char* name;
  const char* pointer;
  json value;
  const char* says;
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.name; }

class ManifestFault : public ::testing::TestWithParam<Fault> {};

TEST_P(ManifestFault, IsRefusedWithTheKeyAndWhatIsExpected) {
  json manifest = make_toy_bundle().manifest;
  manifest[Pointer(GetParam().pointer)] = GetParam().value;
  EXPECT_TRUE(names(refused(manifest), {"m.json: ", "got ", "expected ", GetParam().says}));
}

constexpr const char* kVariant = "/modules/denoiser/variants/0";
const std::string kHash(64, 'a');

INSTANTIATE_TEST_SUITE_P(
    AbsurdValues, ManifestFault,
    ::testing::Values(
        Fault{"SchemaZero", "/schema_version", 0, "schema_version: got 0"},
        Fault{"EmptyName", "/name", "", "name: got a string of 0 bytes"},
        Fault{"HugeName", "/name", std::string(1000, 'x'), "1 to 256 bytes"},
        Fault{"NameWithEscapes", "/name", "\x1b[2J", "without control characters"},
        Fault{"UnknownTokenizer", "/tokenizer/kind", "bpe", "one of: wordlevel, sentencepiece, clip_bpe"},
        Fault{"TwoTokenizerFiles", "/tokenizer/files", {"a", "b"}, "an array of 1 to 1"},
        Fault{"TokenizerFileOutside", "/tokenizer/files/0", "../vocab.txt", "stays inside the bundle"},
        Fault{"HugeTokenLength", "/tokenizer/max_length", 1 << 30, "tokenizer.max_length: got 1073741824"},
        Fault{"NegativeId", "/tokenizer/eos_id", -1, "tokenizer.eos_id: got -1"},
        Fault{"IdBeyond32Bits", "/tokenizer/pad_id", 1ll << 40, "tokenizer.pad_id"},
        Fault{"EmptyAddedToken", "/tokenizer/added_tokens", {{"", 5}}, "the token's text"},
        Fault{"AddedTokenId", "/tokenizer/added_tokens", {{"<a>", -5}}, "got -5"},
        Fault{"SchedulerWithoutClass", "/scheduler", json::object(), "scheduler._class_name: got nothing"},
        Fault{"ZeroStep", "/limits/height/step", 0, "limits.height.step: got 0, expected an integer from 1"},
        Fault{"NegativeSize", "/limits/height/min", -64, "limits.height.min: got -64"},
        Fault{"HugeSize", "/limits/width/max", 2147483647, "limits.width.max"},
        Fault{"MinAboveMax", "/limits/num_frames/max", 0, "limits.num_frames.max: got 0, expected an integer from 1"},
        Fault{"FractionalSize", "/limits/height/max", 64.5, "limits.height.max: got 64.5"},
        Fault{"MeasuredOutside", "/limits/height/measured", {2, 8}, "limits.height.measured[0]: got 2"},
        Fault{"MeasuredBackwards", "/limits/height/measured", {16, 8}, "limits.height.measured[1]: got 8"},
        Fault{"SizeThatTheVaeCannotDo", "/vae/spatial_ratio", 4, "multiples of the VAE's ratio 4"},
        Fault{"FramesThatTheVaeCannotDo", "/vae/temporal_ratio", 8, "multiples of the VAE's ratio 8, plus 1"},
        Fault{"CausalWithAWholeFirstLatent", "/vae/single_first_frame", false, "what the form causal does"},
        Fault{"CausalWithAReceptiveField", "/vae/receptive_field", {1, 1}, "nothing, as vae.form is causal"},
        Fault{"UnknownForm", "/vae/form", "causl", "one of: causal, framewise, whole"},
        Fault{"ZeroRatio", "/vae/spatial_ratio", 0, "vae.spatial_ratio: got 0"},
        Fault{"HugeChannels", "/vae/latent_channels", 1000000, "vae.latent_channels"},
        Fault{"BatchOrder", "/guidance/batch_order", {"positive", "negative"}, "[\"negative\", \"positive\"]"},
        Fault{"NegativeOffAt", "/guidance/off_at", -0.5, "guidance.off_at: got -0.5"},
        Fault{"TextLengthUnlikeTokenizer", "/text/length", 15, "tokenizer.max_length, 16"},
        Fault{"ExclusiveWordsAList", "/text/exclusive_words", json::array(), "an object of at most 64 groups"},
        Fault{"ExclusiveGroupOfOne", "/text/exclusive_words/shape", {{"circle"}}, "an array of 2 to 256"},
        Fault{"ExclusiveGroupWithEscapes", "/text/exclusive_words/\x1b[2J", {{"a"}, {"b"}}, "without control"},
        Fault{"ExclusiveGroupWithoutName", "/text/exclusive_words/", {{"a"}, {"b"}}, "1 to 256 bytes"},
        Fault{"ExclusiveValueWithoutWords", "/text/exclusive_words/colour/1", json::array(), "an array of 1 to 64"},
        Fault{"EmptyPhrase", "/text/exclusive_words/colour/0/0", "", "1 to 256 bytes"},
        Fault{"HugePhrase", "/text/exclusive_words/colour/0/0", std::string(1000, 'x'), "1 to 256 bytes"},
        Fault{"PhraseInUpperCase", "/text/exclusive_words/colour/0/0", "Red", "words in lower case"},
        Fault{"PhraseThatNoPromptHolds", "/text/exclusive_words/colour/0/0", "dark-red", "words in lower case"},
        Fault{"PhraseWithTwoSpaces", "/text/exclusive_words/colour/0/0", "dark  red", "one space between"},
        Fault{"PhraseOfTwoValues", "/text/exclusive_words/colour/0/0", "blue", "colour\"[1][0]: got \"blue\" again"},
        Fault{"UnknownConditioning", "/image_conditioning", "all", "one of: none, first_latent_frame"},
        Fault{"DefaultOffTheGrid", "/defaults/height", 9, "a value that limits.height allows"},
        Fault{"DefaultOutside", "/defaults/num_frames", 100001, "defaults.num_frames: got 100001"},
        Fault{"ZeroSteps", "/defaults/num_inference_steps", 0, "defaults.num_inference_steps: got 0"},
        Fault{"StepsThatAreNotAsManyAsChosenTimesteps",
              "/scheduler/timesteps",
              {1000, 500},
              "defaults.num_inference_steps: got 4, expected 2, as many as scheduler.timesteps has"},
        Fault{"ZeroFps", "/defaults/fps", 0, "defaults.fps: got 0"},
        Fault{"HugeGuidance", "/defaults/guidance_scale", 1e300, "defaults.guidance_scale"},
        Fault{"DataFileOutside", "/data_files/..~1x", {{"bytes", 1}, {"sha256", kHash}}, "has a part '..'"},
        Fault{"AbsoluteDataFile", "/data_files/~1etc~1passwd", {{"bytes", 1}, {"sha256", kHash}}, "is absolute"},
        Fault{"NegativeBytes", "/data_files/x", {{"bytes", -1}, {"sha256", kHash}}, "data_files.x.bytes: got -1"},
        Fault{"BytesBeyond63Bits",
              "/data_files/x",
              {{"bytes", 18446744073709551615ull}, {"sha256", kHash}},
              "data_files.x.bytes: got 18446744073709551615"},
        Fault{"ShortHash", "/data_files/x", {{"bytes", 1}, {"sha256", "abc"}}, "64 lower-case hex digits"},
        Fault{"UpperCaseHash", "/data_files/x", {{"bytes", 1}, {"sha256", std::string(64, 'A')}}, "64 lower-case"}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    AbsurdVariants, ManifestFault,
    ::testing::Values(
        Fault{"NoVariants", "/modules/denoiser/variants", json::array(), "an array of 1 to 32"},
        Fault{"GraphOutside", "/modules/denoiser/variants/0/file", "../x.onnx", "stays inside the bundle"},
        Fault{"GraphInAFolder", "/modules/denoiser/variants/0/file", "graphs/x.onnx", "at the top of the folder"},
        Fault{"EmptyGraph", "/modules/denoiser/variants/0/bytes", 0, "variants[0].bytes: got 0"},
        Fault{"HugeGraph", "/modules/denoiser/variants/0/bytes", 1ll << 40, "variants[0].bytes"},
        Fault{"UndeclaredDataFile", "/modules/denoiser/variants/0/data_files/0", "weights/x", "a key of data_files"},
        Fault{"HugeOpset", "/modules/denoiser/variants/0/opset", 1000, "variants[0].opset: got 1000"},
        Fault{"UnknownPrecision", "/modules/denoiser/variants/0/precision", "fp8", "one of: fp32, fp16, bf16"},
        Fault{"CustomOpWithoutDomain", "/modules/denoiser/variants/0/custom_ops", {"Conv"}, "vidrt::DepthwiseConv3d"},
        Fault{"UnknownBackend", "/modules/denoiser/variants/0/backends", {"cuda"}, "tensorrt-rtx"},
        Fault{"BackendTwice", "/modules/denoiser/variants/0/backends", {"onnxruntime", "onnxruntime"}, "a second time"},
        Fault{"ParityMethod", "/modules/denoiser/variants/0/parity/method", "guessed",
              "parity.method: got \"guessed\", expected one of"},
        Fault{"NegativeParity", "/modules/denoiser/variants/0/parity/max_abs", -1, "parity.max_abs: got -1"},
        Fault{"NegativeDimension", "/modules/denoiser/variants/0/tensors/inputs/0/shape/1", -4, "shape[1]: got -4"},
        Fault{"ZeroDimension", "/modules/denoiser/variants/0/tensors/inputs/0/shape/1", 0, "shape[1]: got 0"},
        Fault{"HugeDimension", "/modules/denoiser/variants/0/tensors/inputs/0/shape/1", 1ll << 62, "shape[1]"},
        Fault{"HugeRank", "/modules/denoiser/variants/0/tensors/inputs/0/shape", std::vector<int>(100, 1), "1 to 8"},
        Fault{"UnknownDtype", "/modules/denoiser/variants/0/tensors/inputs/0/dtype", "float8", "one of: float32"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ManifestReader, QualityMayBeUnmeasured) {
  json manifest = make_toy_bundle().manifest;
  manifest["limits"]["height"]["measured"] = nullptr;
  const Limit limit = parse_manifest(manifest.dump(), "m.json").height;
  EXPECT_EQ(limit.measured_min, 0);
  EXPECT_EQ(limit.measured_max, 0);
}

TEST(ManifestReader, AReceptiveFieldIsTwoNumbersOfLatentFrames) {
  ToyBundleOptions options;
  options.form = "whole";
  json manifest = make_toy_bundle(options).manifest;
  for (const json& wrong : {json({1}), json({1, 2, 3}), json({-1, 2}), json({1, 1.5}), json({1, 1 << 30}), json(7)}) {
    manifest["vae"]["receptive_field"] = wrong;
    EXPECT_TRUE(names(refused(manifest), {"vae.receptive_field", "expected "})) << wrong;
  }
}

TEST(ManifestReader, ASchemaFromTheFutureSaysThatVidrtMustBeUpdated) {
  json manifest = make_toy_bundle().manifest;
  manifest["schema_version"] = 2;
  manifest["something_new"] = 1;  // the version is judged first
  EXPECT_TRUE(names(refused(manifest), {"schema_version: got 2", "at most 1", "newer vidrt", "Update vidrt"}));
}

TEST(ManifestReader, AnUnknownKeyAtAnyLevelIsRefusedAndFreeFormPlacesAreFree) {
  const json valid = make_toy_bundle().manifest;
  for (const char* place : {"", "/tokenizer", "/limits", "/limits/height", "/vae", "/guidance", "/text", "/defaults",
                            "/modules", "/modules/denoiser", kVariant, "/modules/denoiser/variants/0/tensors",
                            "/modules/denoiser/variants/0/tensors/inputs/0", "/modules/denoiser/variants/0/parity"}) {
    json manifest = valid;
    manifest[Pointer(place) / "surprise"] = 1;
    EXPECT_TRUE(names(refused(manifest), {"surprise", "newer vidrt"})) << place;
  }
  json manifest = valid;
  manifest["extra"]["surprise"] = {1, 2};
  manifest["created_by"]["surprise"] = "x";
  manifest["scheduler"]["surprise"] = 1;
  EXPECT_NO_THROW(parse_manifest(manifest.dump(), "m.json"));
}

TEST(ManifestReader, TextThatIsNoJsonIsRefused) {
  const std::string valid = make_toy_bundle().manifest.dump();
  for (const std::string& text : {std::string(), std::string("{"), std::string("null"), std::string("[]"), valid + "x",
                                  valid.substr(0, valid.size() / 2), "\xff" + valid, std::string(100, '\0')}) {
    EXPECT_TRUE(names(refused(text), {"m.json: the document: got ", "expected "})) << text.substr(0, 20);
  }
}

TEST(ManifestReader, NumbersThatNoDoubleHoldsAreRefused) {
  std::string text = make_toy_bundle().manifest.dump();
  const std::string fps = "\"fps\":8";
  text.replace(text.find(fps), fps.size(), "\"fps\":1e999");
  EXPECT_TRUE(names(refused(text), {"1e999", "valid JSON"}));
}

TEST(ManifestReader, AKeyThatIsThereTwiceIsRefused) {
  std::string text = make_toy_bundle().manifest.dump();
  text.insert(1, "\"name\":\"other\",");
  EXPECT_TRUE(names(refused(text), {"\"name\" twice"}));
}

TEST(ManifestReader, DeepNestingIsRefusedWithoutRecursion) {
  json manifest = make_toy_bundle().manifest;
  std::string text = manifest.dump();
  const std::string deep = std::string(1000000, '[') + std::string(1000000, ']');
  const std::string extra = "\"extra\":{}";
  text.replace(text.find(extra), extra.size(), "\"extra\":{\"a\":" + deep + "}");
  EXPECT_TRUE(names(refused(text), {"deeper nesting"}));
}

TEST(ManifestReader, TwoVariantsMayNotShareAnId) {
  json manifest = make_toy_bundle().manifest;
  json& variants = manifest["modules"]["denoiser"]["variants"];
  variants.push_back(json(variants[0]));
  EXPECT_TRUE(names(refused(manifest), {"variants[1].id", "a second time"}));
}

}  // namespace
}  // namespace vidrt::testing
