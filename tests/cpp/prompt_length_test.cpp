// Prompts that are too long: what does not fit is named before it is cut.
#include "runtime/prompt_length.h"

#include <gtest/gtest.h>

#include "runtime/wordlevel_tokenizer.h"
#include "runtime/words.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

using Ids = std::vector<std::int64_t>;

TokenizerConfig config() {
  TokenizerConfig config;
  config.kind = "wordlevel";
  config.max_length = 4;
  config.eos_id = 2;
  config.unk_id = 1;
  return config;
}

FittedPrompt fit(const std::string& prompt, bool truncate) {
  const WordlevelTokenizer tokenizer(config(), "<pad>\n<unk>\n<eos>\nred\nblue\n", "vocab.txt");
  return fit_prompt(tokenizer, config(), prompt, truncate);
}

std::string refused(const std::string& prompt) {
  return message_of<InvalidArgument>([&] { fit(prompt, false); });
}

TEST(FitPrompt, APromptThatFitsStaysAsItIs) {
  const FittedPrompt fitted = fit(" red,  blue red ", false);
  EXPECT_EQ(fitted.padded.input_ids, (Ids{3, 4, 3, 2}));
  EXPECT_EQ(fitted.seen, " red,  blue red ");
  EXPECT_EQ(fitted.warning, "");
}

TEST(FitPrompt, AnOverlongOneNamesBothLengthsAndTheWordsThatDoNotFit) {
  EXPECT_TRUE(names(refused("red blue red Blue, red!"),
                    {"has 6 tokens, the end marker included, but this model takes 4: 3 of its 5 words.",
                     "It would not see 'Blue, red!'; shorten it, or set truncate"}));
}

TEST(FitPrompt, ItIsCutWhereThatWasAskedForAndSaysSo) {
  const FittedPrompt fitted = fit("red blue red blue red", true);
  EXPECT_EQ(fitted.padded.input_ids, (Ids{3, 4, 3, 2}));
  EXPECT_EQ(fitted.seen, "red blue red");
  EXPECT_EQ(fitted.tokens.ids.size(), 6U);
  EXPECT_TRUE(names(fitted.warning, {"3 of its 5 words. It does not see 'blue red'."}));
}

TEST(FitPrompt, AWordThatIsCutThroughIsNotSeen) {
  const FittedPrompt fitted = fit("red blue,blue,red", true);
  EXPECT_EQ(fitted.padded.input_ids, (Ids{3, 4, 4, 2}));
  EXPECT_EQ(fitted.seen, "red");
  EXPECT_TRUE(names(fitted.warning, {"1 of its 2 words. It does not see 'blue,blue,red'."}));
}

TEST(FitPrompt, WordsEndAtWhiteSpaceOfAnyScript) {
  EXPECT_TRUE(names(refused("red\tred-blue-red\xe3\x80\x80\xe7\xba\xa2"), {"takes 4: 1 of its 3 words"}));
}

TEST(FitPrompt, ALongRestIsShortenedBetweenCharacters) {
  std::string prompt = "red blue red ";
  for (int i = 0; i < 300; ++i) prompt += "\xe7\xba\xa2";
  const std::string message = refused(prompt);
  EXPECT_TRUE(names(message, {"3 of its 4 words", "\xe7\xba\xa2...'"}));
  EXPECT_LT(message.size(), 400U);
  for (int i = 0; i < 100000; ++i) prompt += " red";  // found by halving: no time to speak of
  EXPECT_TRUE(names(refused(prompt), {"100005 tokens", "3 of its 100004 words"}));
}

TEST(QuotedList, AllOrTheFirstAndHowManyOthers) {
  EXPECT_EQ(quoted_list({}), "");
  EXPECT_EQ(quoted_list({"a"}), "'a'");
  EXPECT_EQ(quoted_list({"a", "b"}, 2), "'a', 'b'");
  EXPECT_EQ(quoted_list({"a", "b", "c", "d"}, 2), "'a', 'b' and 2 others");
}

}  // namespace
}  // namespace vidrt::testing
