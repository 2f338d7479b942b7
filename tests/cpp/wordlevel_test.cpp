// Words to ids, unknown words as written, and padding to the model's length.
#include "runtime/wordlevel_tokenizer.h"

#include <gtest/gtest.h>

#include "support/throws.h"
#include "support/toy_bundle.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using Ids = std::vector<std::int64_t>;

constexpr const char* kVocabulary = "<pad>\n<unk>\n<eos>\nred\nblue\nit's\n\xe7\xba\xa2\n42\n";

TokenizerConfig config() {
  TokenizerConfig config;
  config.kind = "wordlevel";
  config.files = {"vocab.txt"};
  config.max_length = 4;
  config.eos_id = 2;
  config.unk_id = 1;
  return config;
}

Tokens encode(const std::string& text) { return WordlevelTokenizer(config(), kVocabulary, "vocab.txt").encode(text); }

std::string refused(const std::string& vocabulary, const TokenizerConfig& with = config()) {
  return message_of<BundleError>([&] { WordlevelTokenizer(with, vocabulary, "vocab.txt"); });
}

TEST(Wordlevel, WordsAreRunsOfLettersDigitsApostrophesAndOtherScriptsInAnyCase) {
  EXPECT_EQ(encode("red").ids, (Ids{3, 2}));
  EXPECT_EQ(encode("Red,BLUE;it's 42!").ids, (Ids{3, 4, 5, 7, 2}));
  EXPECT_EQ(encode("\xe7\xba\xa2 red\xe3\x80\x82").ids, (Ids{6, 1, 2}));  // an ideographic full stop is no separator
  EXPECT_EQ(encode("").ids, (Ids{2}));
  EXPECT_EQ(encode(" \t\n.,-_<>").ids, (Ids{2}));
  EXPECT_EQ(encode(std::string("red\0blue", 8)).ids, (Ids{3, 4, 2}));
}

TEST(Wordlevel, TheMarkersThemselvesCannotBeWritten) { EXPECT_EQ(encode("<eos> <pad>").ids, (Ids{1, 1, 2})); }

TEST(Wordlevel, UnknownWordsAreReportedAsWrittenOnceInOrder) {
  const Tokens tokens = encode("Zebra red zebra, Zebra Yak");
  EXPECT_EQ(tokens.ids, (Ids{1, 3, 1, 1, 1, 2}));
  EXPECT_EQ(tokens.unknown_words, (std::vector<std::string>{"Zebra", "zebra", "Yak"}));
}

TEST(Wordlevel, WithoutAnUnknownTokenAnUnknownWordIsRefused) {
  TokenizerConfig strict = config();
  strict.unk_id.reset();
  const WordlevelTokenizer tokenizer(strict, kVocabulary, "vocab.txt");
  EXPECT_EQ(tokenizer.encode("red").ids, (Ids{3, 2}));
  EXPECT_TRUE(names(message_of<InvalidArgument>([&] { tokenizer.encode("red Zebra"); }), {"'Zebra'"}));
}

TEST(Wordlevel, InvalidUtf8IsRefusedWithThePosition) {
  for (const char* bad : {"red \xff", "red \xc0\x80", "red \xed\xa0\x80", "red \xe7\xba", "red \xf4\x90\x80\x80",
                          "red \xe0\x80\x80", "red \x80"}) {
    EXPECT_TRUE(names(message_of<InvalidArgument>([&] { encode(bad); }), {"not valid UTF-8", "byte 4 of"}));
  }
  EXPECT_NO_THROW(encode("\xf0\x9f\x94\xb4 \xf4\x8f\xbf\xbf \xed\x9f\xbf \xee\x80\x80"));
}

TEST(Wordlevel, ADamagedVocabularyIsRefusedWithTheLine) {
  EXPECT_TRUE(names(refused("a\n\nb\n"), {"vocab.txt", "line 2 is empty"}));
  EXPECT_TRUE(names(refused("a\nb\na\n"), {"line 3 repeats"}));
  EXPECT_TRUE(names(refused("a\r\nb\r\n"), {"line 1 ends in a carriage return"}));
  EXPECT_TRUE(names(refused("a\n\xff\n"), {"not UTF-8"}));
  EXPECT_TRUE(names(refused("a\nb\n"), {"2 tokens", "the id 2"}));
  EXPECT_TRUE(names(refused(""), {"0 tokens"}));
  TokenizerConfig added = config();
  added.added_tokens = {{"<x>", 1}};
  EXPECT_TRUE(names(refused(kVocabulary, added), {"no added_tokens"}));
}

TEST(Wordlevel, TheLastLineNeedsNoEnd) {
  EXPECT_EQ(WordlevelTokenizer(config(), "a\nb\nc", "vocab.txt").encode("c").ids, (Ids{2, 2}));
}

TEST(PadTokens, PadsToTheLengthAndMarksWhatIsReal) {
  TokenizerConfig padded = config();
  padded.pad_id = 7;
  const PaddedTokens tokens = pad_tokens({{3, 2}, {}}, padded);
  EXPECT_EQ(tokens.input_ids, (Ids{3, 2, 7, 7}));
  EXPECT_EQ(tokens.attention_mask, (Ids{1, 1, 0, 0}));
  EXPECT_FALSE(tokens.truncated);
  EXPECT_EQ(pad_tokens({{3, 4, 3, 2}, {}}, padded).attention_mask, (Ids{1, 1, 1, 1}));
}

TEST(PadTokens, OverlongTokensAreCutWithTheEndMarkerKept) {
  const PaddedTokens cut = pad_tokens({{3, 4, 3, 4, 3, 2}, {}}, config());
  EXPECT_EQ(cut.input_ids, (Ids{3, 4, 3, 2}));
  EXPECT_EQ(cut.attention_mask, (Ids{1, 1, 1, 1}));
  EXPECT_TRUE(cut.truncated);
}

TEST(MakeTokenizer, ReadsTheBundlesVocabularyAndRefusesADamagedOne) {
  ToyBundle toy;
  EXPECT_EQ(make_tokenizer(Bundle::open(toy.path()))->encode("red zebra").ids, (Ids{3, 1, 2}));
  toy.write("tokenizer/vocab.txt", "<pad>\n");
  EXPECT_TRUE(
      names(message_of<BundleError>([&] { make_tokenizer(Bundle::open(toy.path())); }), {"tokenizer/vocab.txt"}));
}

TEST(MakeTokenizer, AnUnknownKindOrNumberOfFilesIsRefused) {
  const TempFolder folder;
  write_bytes(folder / "vocab.txt", kVocabulary);
  TokenizerConfig bad = config();
  bad.kind = "bpe";
  EXPECT_TRUE(names(message_of<BundleError>([&] { load_tokenizer(bad, folder.path()); }), {"'bpe'"}));
  bad = config();
  bad.files.clear();
  EXPECT_TRUE(names(message_of<BundleError>([&] { load_tokenizer(bad, folder.path()); }), {"0 files"}));
}

}  // namespace
}  // namespace vidrt::testing
