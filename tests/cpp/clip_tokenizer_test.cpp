// CLIP's byte-pair encoding: words, normal forms, special tokens, and files that are not what they should be. Ids over
// much text are compared with Hugging Face's in tests/export/clip.
#include "runtime/clip_tokenizer.h"

#include <gtest/gtest.h>

#include "runtime/clip_words.h"
#include "runtime/normal_form.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using Ids = std::vector<std::int64_t>;
using Words = std::vector<std::string_view>;

constexpr const char* kVocabulary =
    R"({"!": 0, "r": 1, "e": 2, "d": 3, "r</w>": 4, "e</w>": 5, "d</w>": 6, "re": 7, "red</w>": 8, "ed</w>": 9,
        "!</w>": 10, "<s>": 20, "<e>": 21})";
constexpr const char* kMerges = "#version: 0.2\nr e\nre d</w>\ne d</w>\n";

TokenizerConfig config() {
  TokenizerConfig config;
  config.kind = "clip_bpe";
  config.files = {"vocab.json", "merges.txt"};
  config.max_length = 8;
  config.bos_id = 20;
  config.eos_id = 21;
  config.unk_id = 21;
  return config;
}

Tokens encode(const std::string& text, const TokenizerConfig& with = config()) {
  return ClipTokenizer(with, {"vocab.json", kVocabulary}, {"merges.txt", kMerges}).encode(text);
}

std::string refused(const std::string& vocabulary, const std::string& merges, const TokenizerConfig& with = config()) {
  return message_of<BundleError>([&] { ClipTokenizer(with, {"vocab.json", vocabulary}, {"merges.txt", merges}); });
}

TEST(ClipTokenizer, MergesTheMostImportantPairFirstAndMarksTheEndOfWords) {
  EXPECT_EQ(encode("red").ids, (Ids{20, 8, 21}));
  EXPECT_EQ(encode("RED  re\ted").ids, (Ids{20, 8, 1, 5, 9, 21}));
  EXPECT_EQ(encode("reed").ids, (Ids{20, 7, 9, 21}));
  EXPECT_EQ(encode("").ids, (Ids{20, 21}));
}

TEST(ClipTokenizer, AddedTokensAreSplitOffTheTextAsItIsWrittenOrOnceItIsNormalised) {
  TokenizerConfig with = config();
  with.added_tokens = {{"!", 0}, {"<E>", 30}};
  with.normalized_added_tokens = {{"<S>", 20}};
  EXPECT_EQ(encode("red!!red", with).ids, (Ids{20, 8, 0, 0, 8, 21}));
  EXPECT_EQ(encode("<s>red<S><E>", with).ids, (Ids{20, 20, 8, 20, 30, 21}));
  EXPECT_EQ(encode("d!").ids, (Ids{20, 6, 10, 21}));
}

TEST(ClipTokenizer, BytesWithoutATokenAreUnknownAndTheirWordIsReported) {
  const Tokens tokens = encode("red rex rex");
  EXPECT_EQ(tokens.ids, (Ids{20, 8, 7, 21, 7, 21, 21}));
  EXPECT_EQ(tokens.unknown_words, std::vector<std::string>{"rex"});
  TokenizerConfig with = config();
  with.unk_id.reset();
  EXPECT_NE(message_of<InvalidArgument>([&] { encode("rex", with); }).find("'rex'"), std::string::npos);
  EXPECT_NE(message_of<InvalidArgument>([] { encode("\xff"); }).find("not valid UTF-8"), std::string::npos);
}

TEST(ClipTokenizer, AWordOfAMegabyteTakesNoLongerThanItsLength) {
  EXPECT_EQ(encode(std::string(1 << 20, 'r') + "e").ids.size(), (std::size_t{1} << 20U) + 3);
  std::string alternating;
  for (int i = 0; i < 1 << 19; ++i) alternating += "re";
  EXPECT_EQ(encode(alternating).ids.size(), (std::size_t{1} << 19U) + 3);  // the last is "r", "e</w>"
}

TEST(ClipTokenizer, FilesThatAreDamagedAreRefusedByName) {
  const auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  has(refused("[]", ""), "vocab.json");
  has(refused("{}", ""), "an object of 1 to 1000000 tokens");
  has(refused(R"({"a": 1, "b": 1})", ""), "an id that another token has");
  has(refused(R"({"a": -1})", ""), "an integer from 0");
  has(refused(R"({"a": 1.5})", ""), "an integer from 0");
  has(refused(R"({"": 1})", ""), "a token of 0 bytes");
  has(refused(R"({"a": 1, "a": 2})", ""), "twice in one object");
  has(refused(kVocabulary, "r e\nr e\n"), "'merges.txt' is no list of merges: line 2 repeats a merge");
  has(refused(kVocabulary, "r e d\n"), "line 1 has no two tokens");
  has(refused(kVocabulary, "r e\n\n"), "line 2 has no two tokens");
  has(refused(kVocabulary, "r d\n"), "\"rd\", which the vocabulary does not have");
  has(refused(kVocabulary, "\xff e\n"), "it is not UTF-8");
  TokenizerConfig with = config();
  with.pad_id = 99;
  has(refused(kVocabulary, kMerges, with), "no token of the id 99");
  with.added_tokens = {{"<pad>", 99}};
  EXPECT_EQ(encode("red", with).ids, (Ids{20, 8, 21}));
  with.bos_id.reset();
  has(refused(kVocabulary, kMerges, with), "no bos_id");
  with = config();
  with.normalized_added_tokens = {{"<A>", 0}, {"<a>", 1}};
  has(refused(kVocabulary, kMerges, with), "is another one once it is normalised");
}

TEST(ClipWords, AreLettersSingleNumbersEndingsAndTheRest) {
  EXPECT_EQ(clip_words("it's 42!? don't"), (Words{"it", "'s", "4", "2", "!?", "don", "'t"}));
  EXPECT_EQ(clip_words("we're he'll I'd I'm I've 'x"),
            (Words{"we", "'re", "he", "'ll", "I", "'d", "I", "'m", "I", "'ve", "'", "x"}));
  EXPECT_EQ(clip_words("''s'"), (Words{"''", "s", "'"}));
  EXPECT_EQ(clip_words("a<|endoftext|>!<|startoftext|>"),
            (Words{"a", "<|", "endoftext", "|>", "!<|", "startoftext", "|>"}));
  EXPECT_EQ(clip_words("<|endoftext|><|startoftext|>!"),
            (Words{"<|", "endoftext", "|>", "<|", "startoftext", "|>", "!"}));
  EXPECT_EQ(clip_words("\xe7\xba\xa2\xe2\x85\xa7x"), (Words{"\xe7\xba\xa2", "\xe2\x85\xa7", "x"}));
  EXPECT_TRUE(clip_words("  ").empty());
}

TEST(ClipWords, ANormalisedTextIsComposedLowerAndSingleSpaced) {
  EXPECT_EQ(clip_normalised("E\xcc\x81 \t\xe3\x80\x80X"), "\xc3\xa9 x");
  EXPECT_EQ(clip_normalised("\xc4\xb0"), "i\xcc\x87");                 // the only letter that becomes two
  EXPECT_EQ(clip_normalised("\xce\xa3\xce\xa3"), "\xcf\x83\xcf\x83");  // no other sigma at the end
}

TEST(NormalForm, ComposesMarksInTheOrderOfTheirClassesAndHangulByArithmetic) {
  EXPECT_EQ(normal_form_c({'q', 0x307, 0x323}), (CodePoints{'q', 0x323, 0x307}));
  EXPECT_EQ(normal_form_c({'a', 0x302, 0x323}), (CodePoints{0x1EAD}));
  EXPECT_EQ(normal_form_c({'a', 0x300, 0x301}), (CodePoints{0xE0, 0x301}));
  EXPECT_EQ(normal_form_c({'a', 0x305, 0x301}), (CodePoints{'a', 0x305, 0x301}));  // the first blocks the second
  EXPECT_EQ(normal_form_c({'a', 0x323, 0x301}), (CodePoints{0x1EA1, 0x301}));
  EXPECT_EQ(normal_form_c({0x301, 'a'}), (CodePoints{0x301, 'a'}));
  EXPECT_EQ(normal_form_c({0x212B, 0x958}), (CodePoints{0xC5, 0x915, 0x93C}));  // the second is never composed
  EXPECT_EQ(normal_form_c({0x1100, 0x1161, 0x11A8}), (CodePoints{0xAC01}));
  EXPECT_EQ(normal_form_c({0xAC00, 0x11A7, 0xAC01, 0x11A8}), (CodePoints{0xAC00, 0x11A7, 0xAC01, 0x11A8}));
  EXPECT_EQ(normal_form_c({0x3B1, 0x323, 0x301, 0x345}), (CodePoints{0x1FB4, 0x323}));
}

}  // namespace
}  // namespace vidrt::testing
