// Modules, tensor names, dtypes and shapes are those of docs/bundle.md.
#include <gtest/gtest.h>

#include "runtime/manifest_reader.h"
#include "support/throws.h"
#include "support/toy_bundle.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using nlohmann::json;

json& tensors(json& manifest, const std::string& module) {
  return manifest["modules"][module]["variants"][0]["tensors"];
}

std::string refused(const json& manifest) {
  return message_of<BundleError>([&] { parse_manifest(manifest.dump(), "m.json"); });
}

void accepted(const json& manifest) { EXPECT_NO_THROW(parse_manifest(manifest.dump(), "m.json")); }

ToyBundleOptions of_form(const std::string& form, bool vae_encoder = false) {
  ToyBundleOptions options;
  options.form = form;
  options.vae_encoder = vae_encoder;
  return options;
}

TEST(ModuleContract, BundlesOfEveryFormWithAndWithoutImagesAreAccepted) {
  for (const char* form : {"causal", "framewise", "whole"}) {
    accepted(make_toy_bundle(of_form(form)).manifest);
    accepted(make_toy_bundle(of_form(form, true)).manifest);
  }
  ToyBundleOptions plain;
  plain.text_mask = false;
  plain.text_counts = true;
  plain.num_caches = 0;
  accepted(make_toy_bundle(plain).manifest);
}

TEST(ModuleContract, ABundleMayHoldADecoderAlone) {
  for (const char* form : {"causal", "framewise", "whole"}) {
    ToyBundleOptions options = of_form(form);
    options.decoder_only = true;
    const Manifest manifest = parse_manifest(make_toy_bundle(options).manifest.dump(), "m.json");
    EXPECT_TRUE(manifest.decoder_only);
    EXPECT_EQ(manifest.image_conditioning, "none");
  }
  EXPECT_FALSE(parse_manifest(make_toy_bundle().manifest.dump(), "m.json").decoder_only);
  ToyBundleOptions decoder = of_form("whole");
  decoder.decoder_only = true;
  json manifest = make_toy_bundle(decoder).manifest;
  manifest["modules"].erase("vae_decoder");
  EXPECT_TRUE(names(refused(manifest), {"modules.vae_decoder: got nothing"}));
}

TEST(ModuleContract, ADecoderAloneSaysNothingOfGenerations) {
  ToyBundleOptions decoder;
  decoder.decoder_only = true;
  const json whole_model = make_toy_bundle().manifest;
  for (const char* key : {"tokenizer", "scheduler", "guidance", "text", "image_conditioning"}) {
    json manifest = make_toy_bundle(decoder).manifest;
    manifest[key] = whole_model[key];
    EXPECT_TRUE(names(refused(manifest), {key, "got a value", "neither text_encoder nor denoiser"}));
  }
  json manifest = make_toy_bundle(decoder).manifest;
  manifest["defaults"]["guidance_scale"] = 3.0;
  EXPECT_TRUE(names(refused(manifest), {"guidance_scale"}));
  manifest = whole_model;  // half of a generation is none
  manifest["modules"].erase("text_encoder");
  EXPECT_TRUE(names(refused(manifest), {"modules.text_encoder: got nothing"}));
}

TEST(ModuleContract, AWholeDecodersFirstLatentFrameMayStandForOneFrame) {
  ToyBundleOptions options = of_form("whole");
  options.single_first_frame = true;
  options.receptive_field = ReceptiveField{3, 2};
  json manifest = make_toy_bundle(options).manifest;
  const VaeConfig vae = parse_manifest(manifest.dump(), "m.json").vae;
  EXPECT_TRUE(vae.single_first_frame);
  ASSERT_TRUE(vae.receptive_field.has_value());
  EXPECT_EQ(vae.receptive_field->before, 3);
  EXPECT_EQ(vae.receptive_field->after, 2);
  tensors(manifest, "vae_decoder")["outputs"][0]["shape"][2] = "T*4";  // one frame too many
  EXPECT_TRUE(names(refused(manifest), {"shape[2]: got \"T*4\", expected F"}));
  manifest = make_toy_bundle(of_form("whole")).manifest;
  tensors(manifest, "vae_decoder")["outputs"][0]["shape"][2] = "T*4";
  accepted(manifest);
  EXPECT_FALSE(parse_manifest(manifest.dump(), "m.json").vae.single_first_frame);
}

TEST(ModuleContract, AMissingModuleIsNamedWithTheReason) {
  for (const auto& [form, module] :
       std::map<std::string, std::string>{{"causal", "vae_decoder_next"}, {"framewise", "vae_decoder"}}) {
    json manifest = make_toy_bundle(of_form(form)).manifest;
    manifest["modules"].erase(module);
    EXPECT_TRUE(names(refused(manifest), {("modules." + module + ": got nothing").c_str(), form.c_str()}));
  }
  json manifest = make_toy_bundle().manifest;
  manifest["modules"].erase("text_encoder");
  EXPECT_TRUE(names(refused(manifest), {"modules.text_encoder: got nothing"}));
  manifest = make_toy_bundle().manifest;
  manifest["image_conditioning"] = "first_latent_frame";
  EXPECT_TRUE(names(refused(manifest), {"modules.vae_encoder: got nothing", "first_latent_frame"}));
}

TEST(ModuleContract, AModuleOfAnotherFormOrOfAnUnknownNameIsRefused) {
  json manifest = make_toy_bundle().manifest;
  manifest["modules"]["vae_decoder"] = make_toy_bundle(of_form("whole")).manifest["modules"]["vae_decoder"];
  manifest["data_files"].update(make_toy_bundle(of_form("whole")).manifest["data_files"]);
  EXPECT_TRUE(names(refused(manifest), {"modules.vae_decoder: got a module", "causal"}));
  manifest = make_toy_bundle().manifest;
  manifest["modules"]["upscaler"] = manifest["modules"]["denoiser"];
  EXPECT_TRUE(names(refused(manifest), {"upscaler"}));
}

TEST(ModuleContract, NamesOrderAndNumberOfTensorsAreChecked) {
  json manifest = make_toy_bundle().manifest;
  tensors(manifest, "denoiser")["inputs"][0]["name"] = "sample";
  EXPECT_TRUE(names(refused(manifest), {"denoiser", "inputs[0].name: got \"sample\"", "\"latents\""}));
  manifest = make_toy_bundle().manifest;
  std::swap(tensors(manifest, "text_encoder")["inputs"][0], tensors(manifest, "text_encoder")["inputs"][1]);
  EXPECT_TRUE(names(refused(manifest), {"text_encoder", "\"input_ids\""}));
  manifest = make_toy_bundle().manifest;
  tensors(manifest, "denoiser")["inputs"].erase(2);
  EXPECT_TRUE(names(refused(manifest), {"denoiser", "inputs: got 3 tensors", "text_embeds"}));
  manifest = make_toy_bundle(of_form("whole")).manifest;
  json& outputs = tensors(manifest, "vae_decoder")["outputs"];
  outputs.push_back(json(outputs[0]));
  EXPECT_TRUE(names(refused(manifest), {"vae_decoder", "outputs: got 2 tensors"}));
}

TEST(ModuleContract, DtypesAreChecked) {
  json manifest = make_toy_bundle().manifest;
  tensors(manifest, "text_encoder")["inputs"][0]["dtype"] = "int32";
  EXPECT_TRUE(names(refused(manifest), {"inputs[0].dtype: got int32, expected int64"}));
  manifest = make_toy_bundle().manifest;
  tensors(manifest, "denoiser")["inputs"][1]["dtype"] = "float16";
  EXPECT_TRUE(names(refused(manifest), {"inputs[1].dtype: got float16, expected float32"}));
}

TEST(ModuleContract, RanksAndDimensionsAreChecked) {
  const auto with = [](const char* module, const char* side, int tensor, int dim, const json& value) {
    json manifest = make_toy_bundle().manifest;
    tensors(manifest, module)[side][tensor]["shape"][dim] = value;
    return manifest;
  };
  EXPECT_TRUE(names(refused(with("denoiser", "inputs", 0, 1, 5)), {"shape[1]: got \"5\", expected 4"}));
  EXPECT_TRUE(names(refused(with("denoiser", "inputs", 0, 2, "F")), {"shape[2]: got \"F\", expected T"}));
  EXPECT_TRUE(names(refused(with("denoiser", "inputs", 0, 3, 64)), {"shape[3]: got \"64\", expected h"}));
  EXPECT_TRUE(names(refused(with("denoiser", "inputs", 0, 0, 1)), {"shape[0]: got \"1\", expected B"}));
  EXPECT_TRUE(names(refused(with("denoiser", "inputs", 2, 2, 7)), {"shape[2]: got \"7\", expected 6"}));
  EXPECT_TRUE(names(refused(with("text_encoder", "outputs", 0, 2, "D")), {"outputs[0].shape", "D a number"}));
  EXPECT_TRUE(names(refused(with("vae_decoder_next", "inputs", 0, 2, 1)), {"shape[2]: got \"1\", expected k"}));
  EXPECT_TRUE(names(refused(with("vae_decoder_next", "outputs", 0, 2, "k*3")), {"shape[2]: got \"k*3\", expected F"}));
  EXPECT_TRUE(names(refused(with("vae_decoder_first", "outputs", 0, 3, "h*4")), {"shape[3]: got \"h*4\", expected H"}));
  for (const char* strange :
       {"h*", "*h", "h*-2", "h*0", "h**2", "2*h", "h+1", "h*99999999999999999999", " h", "C", "D"}) {
    EXPECT_TRUE(names(refused(with("denoiser", "inputs", 0, 3, strange)), {"shape[3]: got ", "expected h"})) << strange;
  }
  json manifest = make_toy_bundle().manifest;
  tensors(manifest, "denoiser")["inputs"][0]["shape"].erase(4);
  EXPECT_TRUE(names(refused(manifest), {"shape: got 4 dimensions, expected 5"}));
}

TEST(ModuleContract, ADimensionMayBeWrittenInAnyWayThatMeansTheSame) {
  json manifest = make_toy_bundle().manifest;
  tensors(manifest, "vae_decoder_next")["outputs"][0]["shape"] = {"B", 3, "k*4", "h*2", "w*2"};
  tensors(manifest, "vae_decoder_first")["outputs"][0]["shape"] = {1, 3, 1, "h*2", "W"};
  tensors(manifest, "text_encoder")["inputs"][0]["shape"] = {1, 16};
  accepted(manifest);
}

TEST(DecoderCaches, InAndOutOfBothStepsMustAgree) {
  const auto with = [](const char* module, const char* side, int tensor, const char* key, const json& value) {
    json manifest = make_toy_bundle().manifest;
    tensors(manifest, module)[side][tensor][key] = value;
    return manifest;
  };
  EXPECT_TRUE(names(refused(with("vae_decoder_next", "inputs", 1, "name", "cache_in_1")), {"\"cache_in_0\""}));
  EXPECT_TRUE(names(refused(with("vae_decoder_first", "outputs", 2, "name", "cache_out_2")), {"\"cache_out_1\""}));
  EXPECT_TRUE(
      names(refused(with("vae_decoder_next", "outputs", 1, "dtype", "float16")), {"got float16, expected float32"}));
  EXPECT_TRUE(names(refused(with("vae_decoder_next", "inputs", 2, "shape", {"B", 5, 2, "h*2", "w*3"})),
                    {"inputs[2].shape", "as cache_out_1 of vae_decoder_first"}));
  for (const char* dim : {"k", "T", "F", "x"}) {
    EXPECT_TRUE(names(refused(with("vae_decoder_first", "outputs", 1, "shape", {"B", 6, dim, "h", "w"})),
                      {"not known before decoding"}));
  }
  json same = with("vae_decoder_next", "inputs", 2, "shape", {1, 5, 2, "H", "w*2"});  // H is h*2
  accepted(same);
}

TEST(DecoderCaches, TheirNumberMustAgree) {
  json manifest = make_toy_bundle().manifest;
  tensors(manifest, "vae_decoder_next")["inputs"].erase(2);
  EXPECT_TRUE(names(refused(manifest), {"inputs: got 1 caches, expected 2"}));
}

TEST(DecoderCaches, ASizeThatOverflowsIsRefused) {
  json manifest = make_toy_bundle().manifest;
  const json shape = {"B", 2147483647, 2147483647, "h*2147483647", "w"};
  for (const auto& [module, side] : {std::pair{"vae_decoder_first", "outputs"}, std::pair{"vae_decoder_next", "inputs"},
                                     std::pair{"vae_decoder_next", "outputs"}}) {
    tensors(manifest, module)[side][1]["shape"] = shape;
  }
  EXPECT_TRUE(names(refused(manifest), {"too large"}));
}

TEST(DecoderCaches, BothStepsMustHaveTheSameVariants) {
  json manifest = make_toy_bundle().manifest;
  manifest["modules"]["vae_decoder_next"]["variants"][0]["id"] = "fp16";
  EXPECT_TRUE(names(refused(manifest), {"vae_decoder_next", "'fp16'", "'fp32'"}));
  manifest = make_toy_bundle().manifest;
  manifest["modules"]["vae_decoder_next"]["variants"][0]["backends"] = {"tensorrt"};
  EXPECT_TRUE(names(refused(manifest), {"backends"}));
}

}  // namespace
}  // namespace vidrt::testing
