// A bundle that is missing, truncated, edited or hostile gives one BundleError that names the file.
#include "vidrt/bundle.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // setenv is POSIX
#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include "runtime/encoder_id.h"
#include "runtime/manifest_reader.h"
#include "support/onnx_writer.h"
#include "support/throws.h"
#include "support/toy_bundle.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string refused(const std::string& path) {
  return message_of<BundleError>([&] { Bundle::open(path); });
}

TEST(Bundle, OpensAValidFolderAndCountsTheWeightsOfEachGraph) {
  const ToyBundle toy;
  const Bundle bundle = Bundle::open(toy.path());
  EXPECT_EQ(bundle.path(), toy.path());
  EXPECT_EQ(bundle.manifest().name, "toy");
  EXPECT_EQ(json::parse(bundle.manifest_json()), toy.manifest());
  EXPECT_EQ(bundle.module("denoiser").variants[0].weight_bytes, 32U);
  EXPECT_TRUE(bundle.has_module("vae_decoder_next"));
  EXPECT_FALSE(bundle.has_module("vae_encoder"));
  EXPECT_EQ(bundle.resolve("tokenizer/vocab.txt"), toy.file_path("tokenizer/vocab.txt"));
  EXPECT_NO_THROW(bundle.verify_weights());
}

TEST(Bundle, OpensThroughALinkToTheFolder) {
  const ToyBundle toy;
  const TempFolder elsewhere;
  fs::create_directory_symlink(toy.path(), elsewhere / "link");
  EXPECT_EQ(Bundle::open(elsewhere / "link").path(), toy.path());
}

TEST(Bundle, AModuleThatIsNotThereIsNamedWithThoseThatAre) {
  const ToyBundle toy;
  const Bundle bundle = Bundle::open(toy.path());
  EXPECT_TRUE(
      names(message_of<BundleError>([&] { bundle.module("upscaler"); }), {"'upscaler'", "denoiser, text_encoder"}));
}

TEST(Bundle, AFolderThatIsNoBundleIsRefused) {
  const TempFolder folder;
  write_bytes(folder / "file", "x");
  EXPECT_TRUE(names(refused(folder / "none"), {"none", "No such file", "manifest.json"}));
  EXPECT_TRUE(names(refused(folder / "file"), {"is a file"}));
  EXPECT_TRUE(names(refused(folder.path()), {"has no manifest.json", "Export"}));
}

TEST(Bundle, AMissingFileIsNamed) {
  for (const std::string& file :
       {std::string("denoiser.fp32.onnx"), std::string("tokenizer/vocab.txt"), ToyBundle().weights()}) {
    const ToyBundle toy;
    fs::remove(toy.file_path(file));
    EXPECT_TRUE(names(refused(toy.path()), {file.c_str(), "No such file"}));
  }
}

TEST(Bundle, ATruncatedFileIsNamedWithBothSizes) {
  for (const std::string& file : {std::string("denoiser.fp32.onnx"), ToyBundle().weights()}) {
    ToyBundle toy;
    const std::string bytes = read_bytes(toy.file_path(file));
    toy.write(file, bytes.substr(0, bytes.size() - 1));
    EXPECT_TRUE(names(refused(toy.path()), {file.c_str(), std::to_string(bytes.size() - 1).c_str(),
                                            ("expected " + std::to_string(bytes.size())).c_str()}));
  }
}

TEST(Bundle, AnEditedGraphHasAnotherHash) {
  ToyBundle toy;
  std::string bytes = read_bytes(toy.file_path("denoiser.fp32.onnx"));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  toy.write("denoiser.fp32.onnx", bytes);
  EXPECT_TRUE(names(refused(toy.path()), {"denoiser.fp32.onnx", "SHA-256", "edited"}));
}

TEST(Bundle, EditedWeightsAreFoundWhenTheyAreVerified) {
  ToyBundle toy;
  std::string bytes = read_bytes(toy.file_path(toy.weights()));
  bytes[10] = static_cast<char>(bytes[10] ^ 1);
  toy.write(toy.weights(), bytes);
  const Bundle bundle = Bundle::open(toy.path());  // reads no weight bytes
  for (const auto& verify : {&Bundle::verify_weights, &Bundle::verify_weights_once}) {
    EXPECT_TRUE(names(message_of<BundleError>([&] { (bundle.*verify)(); }), {toy.weights().c_str(), "SHA-256"}));
  }
}

TEST(Bundle, FilesThatAreLinksOutOfTheFolderAreRefused) {
  for (const std::string& file : {std::string("manifest.json"), std::string("denoiser.fp32.onnx"),
                                  std::string("tokenizer/vocab.txt"), ToyBundle().weights()}) {
    const ToyBundle toy;
    const TempFolder outside;
    fs::rename(toy.file_path(file), outside / "moved");
    fs::create_symlink(outside / "moved", toy.file_path(file));
    EXPECT_TRUE(names(refused(toy.path()), {file.c_str(), "out of the folder"}));
  }
}

TEST(Bundle, AFolderOrAPipeInTheManifestsPlaceIsRefused) {
  const TempFolder folder;
  fs::create_directory(folder / "manifest.json");
  EXPECT_TRUE(names(refused(folder.path()), {"no regular file"}));
  fs::remove(folder / "manifest.json");
  ASSERT_EQ(mkfifo((folder / "manifest.json").c_str(), 0600), 0);
  EXPECT_TRUE(names(refused(folder.path()), {"no regular file"}));
}

TEST(Bundle, AManifestOfAbsurdSizeIsNotRead) {
  const ToyBundle toy;
  fs::resize_file(toy.file_path("manifest.json"), kMaxManifestBytes + 1);  // sparse: takes no room
  EXPECT_TRUE(names(refused(toy.path()), {"manifest.json", "expected at most 16777216"}));
}

TEST(Bundle, ErrorsInTheManifestNameItsPath) {
  ToyBundle toy;
  toy.edit([](json& manifest) { manifest["schema_version"] = 7; });
  EXPECT_TRUE(names(refused(toy.path()), {toy.file_path("manifest.json").c_str(), "schema_version: got 7"}));
}

TEST(Bundle, AGraphThatPointsOutsideItsWeightsIsRefused) {
  ToyBundle toy;
  const Variant variant = Bundle::open(toy.path()).module("denoiser").variants[0];
  const auto replace = [&](const std::string& location, std::uint64_t offset) {
    const ProtoWriter graph = graph_proto(variant.inputs, variant.outputs, {{"w", {2, 4}, location, offset, 32}});
    toy.replace_graph("denoiser", model_proto(graph, variant.opset).data());
  };
  replace(toy.weights(), 128);
  EXPECT_TRUE(names(refused(toy.path()), {"denoiser.fp32.onnx", "32 bytes at 128", "only 128"}));
  replace("../../etc/passwd", 0);
  EXPECT_TRUE(names(refused(toy.path()), {"denoiser.fp32.onnx", "../../etc/passwd", "data_files"}));
  replace(toy.weights(), 96);
  EXPECT_NO_THROW(Bundle::open(toy.path()));
}

TEST(Bundle, AGraphThatIsNoGraphIsRefused) {
  ToyBundle toy;
  toy.replace_graph("text_encoder", "not protobuf at all");
  EXPECT_TRUE(names(refused(toy.path()), {"text_encoder.fp32.onnx", "no valid ONNX graph"}));
}

// Tells a hash that was taken from one that was remembered: the bytes change, size and time do not.
void edit_unnoticed(const ToyBundle& toy) {
  const std::string path = toy.file_path(toy.weights());
  const auto time = fs::last_write_time(path);
  std::string bytes = read_bytes(path);
  bytes[0] = static_cast<char>(bytes[0] ^ 1);
  write_bytes(path, bytes);
  fs::last_write_time(path, time);
}

TEST(VerifyWeightsOnce, FilesThatWereVerifiedAreNotHashedAgainUntilTheirTimeChanges) {
  const ToyBundle toy;
  const Bundle bundle = Bundle::open(toy.path());
  bundle.verify_weights_once();
  edit_unnoticed(toy);
  EXPECT_NO_THROW(bundle.verify_weights_once());
  EXPECT_TRUE(names(message_of<BundleError>([&] { bundle.verify_weights(); }), {"SHA-256"}));
  const std::string path = toy.file_path(toy.weights());
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(2));
  EXPECT_TRUE(names(message_of<BundleError>([&] { bundle.verify_weights_once(); }), {"SHA-256"}));
}

TEST(VerifyWeightsOnce, AnotherExpectedHashIsNotCoveredByTheOldOne) {
  ToyBundle toy;
  Bundle::open(toy.path()).verify_weights_once();
  toy.edit([&](json& manifest) { manifest["data_files"][toy.weights()]["sha256"] = std::string(64, 'a'); });
  const Bundle edited = Bundle::open(toy.path());
  EXPECT_TRUE(names(message_of<BundleError>([&] { edited.verify_weights_once(); }), {"SHA-256"}));
}

TEST(VerifyWeightsOnce, WhatIsVerifiedIsWrittenToTheCacheFolderAndAnUnwritableOneIsNoError) {
  const std::string before = getenv("VIDRT_CACHE_DIR");
  const TempFolder cache;
  setenv("VIDRT_CACHE_DIR", (cache / "sub").c_str(), 1);
  const ToyBundle first;
  Bundle::open(first.path()).verify_weights_once();
  EXPECT_TRUE(names(read_bytes(cache / "sub/verified-files"), {first.file_path(first.weights()).c_str(), " 128 "}));
  write_bytes(cache / "file", "x");
  setenv("VIDRT_CACHE_DIR", (cache / "file").c_str(), 1);  // a file is no folder
  const ToyBundle second;
  EXPECT_NO_THROW(Bundle::open(second.path()).verify_weights_once());
  setenv("VIDRT_CACHE_DIR", before.c_str(), 1);
}

TEST(TextEncoderId, DependsOnGraphWeightsAndTokenizerAndNothingElse) {
  const std::string id = text_encoder_id(Bundle::open(ToyBundle().path()));
  EXPECT_EQ(id.size(), 64U);
  EXPECT_EQ(text_encoder_id(Bundle::open(ToyBundle().path())), id);  // another folder
  ToyBundle renamed;
  renamed.edit([](json& manifest) { manifest["name"] = "other"; });
  EXPECT_EQ(text_encoder_id(Bundle::open(renamed.path())), id);

  ToyBundle words;
  words.write("tokenizer/vocab.txt", read_bytes(words.file_path("tokenizer/vocab.txt")) + "more\n");
  EXPECT_NE(text_encoder_id(Bundle::open(words.path())), id);
  ToyBundle graph;
  const std::string model = read_bytes(graph.file_path("text_encoder.fp32.onnx"));
  graph.replace_graph("text_encoder", model + ProtoWriter().bytes(2, "producer").data());
  EXPECT_NE(text_encoder_id(Bundle::open(graph.path())), id);
  ToyBundle weights;
  weights.edit([&](json& manifest) { manifest["data_files"][weights.weights()]["sha256"] = std::string(64, 'a'); });
  EXPECT_NE(text_encoder_id(Bundle::open(weights.path())), id);
}

}  // namespace
}  // namespace vidrt::testing
