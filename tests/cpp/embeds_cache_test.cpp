// Embeddings in the user's cache folder: found by later processes, and never trusted.
#include <gtest/gtest.h>
#include <stdlib.h>  // setenv is POSIX

#include <chrono>
#include <filesystem>
#include <limits>
#include <thread>

#include "runtime/embeds_cache.h"
#include "support/pipeline_fixture.h"
#include "support/temp_folder.h"

namespace vidrt::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

class EmbedsCacheTest : public PipelineFixture {
 protected:
  void SetUp() override {
    before_ = getenv("VIDRT_CACHE_DIR");
    setenv("VIDRT_CACHE_DIR", cache.path().c_str(), 1);
  }
  void TearDown() override { setenv("VIDRT_CACHE_DIR", before_.c_str(), 1); }

  static PipelineOptions cached(std::uint64_t bytes = kMiB) {
    PipelineOptions options;
    options.embeds_cache = bytes;
    return options;
  }

  // A pipeline as a new process would have it.
  Video generate(const GenerateOptions& options, const PipelineOptions& pipeline_options = cached()) {
    encoded = 0;
    backend = std::make_shared<ReferenceBackend>();
    backend->before_run = [this](const std::string& module) { encoded += module == "text_encoder" ? 1 : 0; };
    loaded = 0;
    Callbacks callbacks;
    callbacks.on_stage = [this](const StageEvent& event) {
      if (event.stage == Stage::kLoad) loaded = event.total;
    };
    return open(pipeline_options).generate(options, callbacks);
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    const fs::path folder = fs::path(cache.path()) / "prompt-embeds";
    if (!fs::exists(folder)) return found;
    for (const fs::directory_entry& file : fs::directory_iterator(folder)) found.push_back(file.path());
    return found;
  }

  TempFolder cache;
  int encoded = 0;  // runs of the text encoder in the last generation
  int loaded = 0;   // modules

 private:
  std::string before_;
};

PromptEmbeds some_embeds(float value) {
  PromptEmbeds embeds;
  embeds.encoder_id = std::string(64, 'e');
  embeds.length = 4;
  embeds.dim = 128;
  embeds.values.assign(4 * 128, value);
  embeds.mask = {1, 1, 0, 0};
  return embeds;
}

std::string key_of(char digit) { return std::string(64, digit); }

std::shared_ptr<PromptEmbeds> find(const EmbedsCache& cache, const std::string& key, std::string* warning) {
  const PromptEmbeds shape = some_embeds(0);
  return cache.find({key, shape.encoder_id, shape.length, shape.dim, shape.mask}, warning);
}

TEST_F(EmbedsCacheTest, ALaterProcessGeneratesTheSameFramesWithoutTheTextEncoder) {
  const std::vector<std::uint8_t> expected = pixels(generate(prompt_options()));
  EXPECT_EQ(encoded, 2);
  EXPECT_EQ(loaded, 4);
  EXPECT_EQ(files().size(), 2U);
  const Video again = generate(prompt_options());
  EXPECT_EQ(pixels(again), expected);
  EXPECT_EQ(again.metadata.prompt, "red circle");
  EXPECT_EQ(encoded, 0);
  EXPECT_EQ(loaded, 3);
  EXPECT_TRUE(again.metadata.warnings.empty());
}

TEST_F(EmbedsCacheTest, NothingIsWrittenUnlessItIsAskedFor) {
  generate(prompt_options(), {});
  EXPECT_TRUE(files().empty());
  generate(prompt_options());
  generate(prompt_options(), {});
  EXPECT_EQ(encoded, 2);
}

TEST_F(EmbedsCacheTest, NoFileHoldsTheTextAndOthersCannotLookIntoTheFolder) {
  generate(prompt_options());
  for (const fs::path& file : files()) {
    EXPECT_EQ(file.stem().string().size(), 64U);
    EXPECT_EQ(read_bytes(file.string()).find("circle"), std::string::npos);
  }
  EXPECT_EQ(fs::status(fs::path(cache.path()) / "prompt-embeds").permissions(), fs::perms::owner_all);
}

TEST_F(EmbedsCacheTest, ADamagedFileIsMadeAnewWithAWarning) {
  const std::vector<std::uint8_t> expected = pixels(generate(prompt_options()));
  const std::string path = files().front().string();
  const std::string whole = read_bytes(path);
  std::string flipped = whole;
  const std::size_t mask_bytes = PromptEmbeds::load(path).mask.size() * sizeof(std::int64_t);
  flipped[whole.size() - mask_bytes - sizeof(float)] ^= 1;  // the lowest bit of a value
  for (const std::string& damaged :
       {std::string(), whole.substr(0, 100), whole + "x", flipped, std::string(1 << 16, '\0')}) {
    write_bytes(path, damaged);
    const Video video = generate(prompt_options());
    EXPECT_EQ(pixels(video), expected);
    EXPECT_EQ(encoded, 1);
    ASSERT_EQ(video.metadata.warnings.size(), 1U) << damaged.size();
    EXPECT_NE(video.metadata.warnings[0].find("made anew"), std::string::npos);
    EXPECT_EQ(read_bytes(path), whole);
  }
}

TEST_F(EmbedsCacheTest, AFileOfAnotherPromptUnderThisNameIsNotUsed) {
  const std::vector<std::uint8_t> expected = pixels(generate(prompt_options()));
  const std::vector<fs::path> both = files();  // of the prompt and of the negative one, whose masks differ
  const std::string first = read_bytes(both[0].string());
  write_bytes(both[0].string(), read_bytes(both[1].string()));
  EXPECT_EQ(pixels(generate(prompt_options())), expected);
  EXPECT_EQ(encoded, 1);
  EXPECT_EQ(read_bytes(both[0].string()), first);
}

TEST_F(EmbedsCacheTest, AFolderInPlaceOfAFileIsLeftAlone) {
  const std::vector<std::uint8_t> expected = pixels(generate(prompt_options()));
  const fs::path path = files().front();
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_EQ(pixels(generate(prompt_options())), expected);
  EXPECT_EQ(encoded, 1);
  EXPECT_TRUE(fs::is_directory(path));
}

TEST_F(EmbedsCacheTest, ACacheFolderThatCannotBeMadeCostsOnlyTheTextEncoder) {
  write_bytes(cache / "file", "");
  setenv("VIDRT_CACHE_DIR", (cache / "file").c_str(), 1);
  EXPECT_TRUE(generate(prompt_options()).metadata.warnings.empty());
  EXPECT_EQ(encoded, 2);
}

TEST_F(EmbedsCacheTest, WhatWasNotUsedForLongestGoes) {
  const EmbedsCache writer(kMiB);
  std::string warning;
  for (const char key : {'a', 'b', 'c'}) {
    writer.store(key_of(key), some_embeds(1.0F));
    const fs::path path = fs::path(cache.path()) / "prompt-embeds" / (key_of(key) + ".safetensors");
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(10 - (key - 'a')));
  }
  ASSERT_NE(find(writer, key_of('a'), &warning), nullptr);  // now the one that was used last
  const EmbedsCache bounded(3 * fs::file_size(files().front()));
  bounded.store(key_of('d'), some_embeds(2.0F));
  EXPECT_EQ(files().size(), 3U);
  EXPECT_EQ(find(bounded, key_of('b'), &warning), nullptr);
  for (const char key : {'a', 'c', 'd'}) EXPECT_NE(find(bounded, key_of(key), &warning), nullptr) << key;
  EXPECT_EQ(warning, "");
}

TEST_F(EmbedsCacheTest, WhatIsLargerThanTheWholeCacheOrNotFiniteIsNotWritten) {
  EmbedsCache(100).store(key_of('a'), some_embeds(1.0F));
  EmbedsCache(kMiB).store(key_of('a'), some_embeds(std::numeric_limits<float>::infinity()));
  EXPECT_TRUE(files().empty());
}

TEST_F(EmbedsCacheTest, WritersAtOnceLeaveWholeFiles) {
  // Room for few: entries are written, read and removed at the same time.
  const EmbedsCache cache_of_all(7000);
  std::vector<std::thread> threads;
  std::vector<std::string> warnings(4);
  for (std::string& warning : warnings) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const char digit = static_cast<char>('0' + i % 8);
        cache_of_all.store(key_of(digit), some_embeds(static_cast<float>(digit)));
        const std::shared_ptr<PromptEmbeds> found = find(cache_of_all, key_of(digit), &warning);
        if (found != nullptr && found->values[511] != static_cast<float>(digit)) warning = "another's values";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& warning : warnings) EXPECT_EQ(warning, "");
  for (const fs::path& file : files()) EXPECT_EQ(file.extension(), ".safetensors");
}

}  // namespace
}  // namespace vidrt::testing
