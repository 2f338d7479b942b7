// Embeddings survive the disk bit for bit, and a file that is anything else is refused.
#include "vidrt/prompt_embeds.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/temp_folder.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using nlohmann::json;

PromptEmbeds sample() {
  PromptEmbeds embeds;
  embeds.prompt = "a red circle \xe7\xba\xa2 \"quoted\"\n";
  embeds.encoder_id = std::string(64, 'c');
  embeds.length = 3;
  embeds.dim = 2;
  embeds.values = {0.1f, -2.5f, 1e-30f, 3e38f, -0.0f, 0.0f};
  embeds.mask = {1, 1, 0};
  return embeds;
}

json header_of(const std::string& bytes) {
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof(size));
  return json::parse(bytes.substr(8, size));
}

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  std::string bytes(sizeof(size), '\0');
  std::memcpy(bytes.data(), &size, sizeof(size));
  return bytes + header + data;
}

class PromptEmbedsFile : public ::testing::Test {
 protected:
  PromptEmbedsFile() {
    sample().save(path);
    bytes = read_bytes(path);
    header = header_of(bytes);
    data = bytes.substr(bytes.size() - (6 * 4 + 3 * 8));
  }
  std::string refused(const std::string& content) {
    write_bytes(path, content);
    return message_of<InvalidArgument>([&] { PromptEmbeds::load(path); });
  }
  std::string refused_header(const char* pointer, const json& value) {
    json changed = header;
    changed[json::json_pointer(pointer)] = value;
    return refused(file_of(changed.dump(), data));
  }

  TempFolder folder;
  std::string path = folder / "prompt.safetensors";
  std::string bytes, data;
  json header;
};

TEST_F(PromptEmbedsFile, SaveAndLoadGiveTheSameBits) {
  const PromptEmbeds loaded = PromptEmbeds::load(path);
  const PromptEmbeds expected = sample();
  EXPECT_EQ(loaded.prompt, expected.prompt);
  EXPECT_EQ(loaded.encoder_id, expected.encoder_id);
  EXPECT_EQ(loaded.length, 3);
  EXPECT_EQ(loaded.dim, 2);
  EXPECT_EQ(loaded.mask, expected.mask);
  ASSERT_EQ(loaded.values.size(), expected.values.size());
  EXPECT_EQ(std::memcmp(loaded.values.data(), expected.values.data(), 24), 0);
}

TEST_F(PromptEmbedsFile, IsASafetensorsFileWithAlignedTensors) {
  EXPECT_EQ(header["text_embeds"], (json{{"dtype", "F32"}, {"shape", {3, 2}}, {"data_offsets", {0, 24}}}));
  EXPECT_EQ(header["text_mask"], (json{{"dtype", "I64"}, {"shape", {3}}, {"data_offsets", {24, 48}}}));
  EXPECT_EQ((bytes.size() - data.size()) % 8, 0U);
}

TEST_F(PromptEmbedsFile, ATruncatedOrLongerFileIsRefusedAtEveryLength) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(refused(bytes.substr(0, size)).empty()) << size;
  }
  EXPECT_TRUE(names(refused(bytes + "x"), {"prompt.safetensors", std::to_string(bytes.size() + 1).c_str()}));
}

TEST_F(PromptEmbedsFile, AHostileHeaderIsRefused) {
  EXPECT_TRUE(names(refused(std::string(8, '\xff') + bytes), {"its header would have 18446744073709551615 bytes"}));
  EXPECT_TRUE(names(refused(file_of("{}", data)), {"__metadata__"}));
  EXPECT_TRUE(names(refused(file_of("[1", data)), {"valid JSON"}));
  EXPECT_TRUE(names(refused_header("/__metadata__/format", "pt"), {"__metadata__.format", "got \"pt\""}));
  EXPECT_TRUE(names(refused_header("/text_embeds/dtype", "F16"), {"text_embeds.dtype: got \"F16\""}));
  EXPECT_TRUE(names(refused_header("/text_embeds/shape", {3, -2}), {"shape[1]: got -2"}));
  EXPECT_TRUE(names(refused_header("/text_embeds/shape", {3, 1ll << 62}), {"shape[1]"}));
  EXPECT_TRUE(names(refused_header("/text_embeds/shape", {6}), {"an array of 2 to 2"}));
  EXPECT_TRUE(names(refused_header("/text_mask/shape", {2}), {"text_mask.shape: got 2, expected 3"}));
  EXPECT_TRUE(
      names(refused_header("/text_mask/data_offsets", {0, 24}), {"text_mask.data_offsets", "[24,48]"}));  // overlaps
  EXPECT_TRUE(names(refused_header("/text_embeds/data_offsets", {0, 1ll << 40}), {"[0,24]"}));
  EXPECT_TRUE(names(refused_header("/weight", {{"dtype", "F32"}}), {"weight"}));
}

TEST_F(PromptEmbedsFile, ValuesThatAreNotFiniteAndMasksOtherThanZeroAndOneAreRefused) {
  std::string changed = bytes;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(changed.data() + bytes.size() - data.size(), &nan, sizeof(nan));
  EXPECT_TRUE(names(refused(changed), {"not finite"}));
  changed = bytes;
  changed[changed.size() - 8] = 2;
  EXPECT_TRUE(names(refused(changed), {"other than 0 and 1"}));
}

TEST_F(PromptEmbedsFile, AMissingFileAFolderAndAnUnwritablePlaceAreIoErrors) {
  EXPECT_TRUE(names(message_of<IoError>([&] { PromptEmbeds::load(folder / "none"); }), {"none", "No such file"}));
  EXPECT_TRUE(names(message_of<IoError>([&] { PromptEmbeds::load(folder.path()); }), {"no regular file"}));
  EXPECT_TRUE(names(message_of<IoError>([&] { sample().save(folder / "none/x"); }), {"none/x"}));
}

TEST_F(PromptEmbedsFile, EmbeddingsThatContradictThemselvesAreNotWritten) {
  PromptEmbeds wrong = sample();
  wrong.values.pop_back();
  EXPECT_TRUE(names(message_of<InvalidArgument>([&] { wrong.save(folder / "new"); }), {"5 values", "3 rows of 2"}));
  wrong = sample();
  wrong.prompt = "\xff";
  EXPECT_TRUE(names(message_of<InvalidArgument>([&] { wrong.save(folder / "new"); }), {"UTF-8"}));
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
}

}  // namespace
}  // namespace vidrt::testing
