// SentencePiece with added tokens split off first, and model files that the library itself would trust too far.
#include "runtime/sentencepiece_tokenizer.h"

#include <gtest/gtest.h>

#include <limits>

#include "runtime/sentencepiece_model.h"
#include "support/sentencepiece_writer.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using Ids = std::vector<std::int64_t>;

TokenizerConfig config() {
  TokenizerConfig config;
  config.kind = "sentencepiece";
  config.files = {"spiece.model"};
  config.max_length = 16;
  config.eos_id = 1;
  config.unk_id = 2;
  config.added_tokens = {{"<x>", 100}, {"<x>y", 101}, {"</s>", 1}};
  return config;
}

Tokens encode(const std::string& text) {
  return SentencePieceTokenizer(config(), ToySentencePiece().model(), "spiece.model").encode(text);
}

std::string refused(const std::string& model, const TokenizerConfig& with = config()) {
  return message_of<BundleError>([&] { SentencePieceTokenizer(with, model, "spiece.model"); });
}

TEST(SentencePiece, TakesTheLikeliestPiecesAndAddsTheEndMarker) {
  EXPECT_EQ(encode("red").ids, (Ids{4, 1}));
  EXPECT_EQ(encode("red blue reds").ids, (Ids{4, 5, 4, 8, 1}));
  EXPECT_EQ(encode("  red   blue ").ids, (Ids{4, 5, 1}));
  EXPECT_EQ(encode("\xe7\xba\xa2\xe7\xba\xa2").ids, (Ids{9, 10, 1}));
  EXPECT_EQ(encode("").ids, (Ids{1}));
}

TEST(SentencePiece, AddedTokensAreSplitOffFirstTheLongestWins) {
  EXPECT_EQ(encode("red<x>blue").ids, (Ids{4, 100, 5, 1}));
  EXPECT_EQ(encode("<x>").ids, (Ids{100, 1}));
  EXPECT_EQ(encode("<x><x>yred").ids, (Ids{100, 101, 4, 1}));
  EXPECT_EQ(encode("red </s> blue").ids, (Ids{4, 1, 5, 1}));
  EXPECT_EQ(encode(" <x> ").ids, (Ids{100, 1}));
}

TEST(SentencePiece, UnknownTextIsReportedAsWritten) {
  const Tokens tokens = encode("red Q blue Q");
  EXPECT_EQ(tokens.ids, (Ids{4, 3, 2, 5, 3, 2, 1}));
  EXPECT_EQ(tokens.unknown_words, std::vector<std::string>{"Q"});
}

TEST(SentencePiece, WithoutByteFallbackARunOfUnknownCharactersIsOneUnknownToken) {
  ToySentencePiece toy;
  toy.byte_fallback = true;
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    toy.pieces.push_back({std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">", 0.0f, 6});
  }
  TokenizerConfig spelled = config();
  spelled.added_tokens.clear();
  TokenizerConfig unknown = spelled;
  unknown.byte_fallback = false;
  const SentencePieceTokenizer with(spelled, toy.model(), "m");
  const SentencePieceTokenizer without(unknown, toy.model(), "m");
  const std::int64_t bytes = 11;  // the id of <0x00>
  EXPECT_EQ(with.encode("red QZ").ids, (Ids{4, 3, bytes + 'Q', bytes + 'Z', 1}));
  EXPECT_TRUE(with.encode("red QZ").unknown_words.empty());
  EXPECT_EQ(without.encode("red QZ\u00e9 Q blue").ids, (Ids{4, 3, 2, 3, 2, 5, 1}));
  EXPECT_EQ(without.encode("red QZ\u00e9 Q blue").unknown_words, (std::vector<std::string>{"QZ\u00e9", "Q"}));
}

TEST(SentencePiece, InvalidUtf8IsRefused) {
  EXPECT_TRUE(names(message_of<InvalidArgument>([] { encode("red \xff"); }), {"not valid UTF-8", "byte 4"}));
}

TEST(SentencePiece, IdsThatTheModelDoesNotHaveAreRefused) {
  TokenizerConfig other = config();
  other.unk_id = 3;
  EXPECT_TRUE(names(refused(ToySentencePiece().model(), other), {"unknown text is 2", "unk_id 3"}));
  other = config();
  other.eos_id = 11;
  EXPECT_TRUE(names(refused(ToySentencePiece().model(), other), {"11 tokens", "the id 11"}));
  other.eos_id = 100;  // an added token
  EXPECT_EQ(SentencePieceTokenizer(other, ToySentencePiece().model(), "m").encode("red").ids, (Ids{4, 100}));
}

TEST(SentencePieceModel, BytesThatAreNoModelAreRefused) {
  const std::string valid = ToySentencePiece().model();
  EXPECT_TRUE(names(refused(""), {"spiece.model", "no pieces"}));
  EXPECT_TRUE(names(refused("not protobuf at all"), {"spiece.model"}));
  for (std::size_t size = 1; size < valid.size(); ++size) {
    try {
      SentencePieceTokenizer(config(), valid.substr(0, size), "spiece.model").encode("red Q");
    } catch (const BundleError&) {
    }
  }
}

TEST(SentencePieceModel, PiecesThatTheLibraryStumblesOverAreRefused) {
  const auto with = [](const ToyPiece& piece) {
    ToySentencePiece toy;
    toy.pieces.push_back(piece);
    return toy.model();
  };
  EXPECT_TRUE(names(refused(with({std::string(200000, 'a'), 0.0f})), {"200000 bytes"}));
  EXPECT_TRUE(names(refused(with({"", 0.0f})), {"0 bytes"}));
  EXPECT_TRUE(names(refused(with({std::string("a\0b", 3), 0.0f})), {"NUL"}));
  EXPECT_TRUE(names(refused(with({"nan", std::numeric_limits<float>::quiet_NaN()})), {"not finite"}));
  EXPECT_TRUE(names(refused(with({"<unk2>", 0.0f, 2})), {"spiece.model"}));  // a second token for unknown text
}

TEST(SentencePieceModel, ANormalisationTableThatStaysInsideItselfIsTaken) {
  ToySentencePiece toy;
  toy.charsmap = charsmap(empty_trie(), std::string(1, '\0'));
  EXPECT_EQ(SentencePieceTokenizer(config(), toy.model(), "m").encode("red").ids, (Ids{4, 1}));
}

TEST(SentencePieceModel, ANormalisationTableThatLeadsOutOfItselfIsRefused) {
  const auto with = [](const std::vector<std::uint32_t>& trie, const std::string& texts) {
    ToySentencePiece toy;
    toy.charsmap = charsmap(trie, texts);
    return toy.model();
  };
  const std::string texts(1, '\0');
  std::vector<std::uint32_t> trie = empty_trie();
  trie[0] = 0x1fffffU << 10U;
  EXPECT_TRUE(names(refused(with(trie, texts)), {"leads out of itself"}));
  trie[0] = (0x1fffffU << 10U) | (1U << 9U);  // the long form of an offset
  EXPECT_TRUE(names(refused(with(trie, texts)), {"leads out of itself"}));
  trie[0] = 0x80000000U | (0x1fffffU << 10U);  // a value in the root's place is followed all the same
  EXPECT_TRUE(names(refused(with(trie, texts)), {"no root"}));
  trie = empty_trie();
  trie[7] = 0x80000000U | 1U;
  EXPECT_TRUE(names(refused(with(trie, texts)), {"behind its texts"}));
  EXPECT_TRUE(names(refused(with(empty_trie(), "x")), {"have no end"}));
  EXPECT_TRUE(names(refused(with({}, texts)), {"a trie of 0 bytes"}));
  EXPECT_TRUE(names(refused(with(std::vector<std::uint32_t>(100, 0), texts)), {"a trie of 400 bytes"}));
  ToySentencePiece cut;
  cut.charsmap = "abc";
  EXPECT_TRUE(names(refused(cut.model()), {"cut short"}));
  cut.charsmap = std::string("\xff\xff\xff\xff\0\0", 6);
  EXPECT_TRUE(names(refused(cut.model()), {"a trie of 4294967295 bytes"}));
}

}  // namespace
}  // namespace vidrt::testing
