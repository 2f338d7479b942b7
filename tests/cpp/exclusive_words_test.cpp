// Prompts that name several things of which a model shows one.
#include "runtime/exclusive_words.h"

#include <gtest/gtest.h>

namespace vidrt::testing {
namespace {

using Warnings = std::vector<std::string>;

const std::map<std::string, ExclusiveGroup> kGroups = {
    {"colour", {{"red"}, {"purple", "violet"}, {"dark red"}}},
    {"motion", {{"left"}, {"still", "not moving"}, {"moving"}}},
};

Warnings warnings(const std::string& text) { return ExclusiveWords(kGroups).warnings(text); }

std::string only_warning(const std::string& text) {
  const Warnings found = warnings(text);
  return found.size() == 1 ? found.front() : std::to_string(found.size()) + " warnings";
}

TEST(ExclusiveWords, OneOfAGroupIsFineHoweverOftenItIsSaid) {
  EXPECT_EQ(warnings("red"), Warnings{});
  EXPECT_EQ(warnings("red RED left, Red!"), Warnings{});
  EXPECT_EQ(warnings("violet or purple"), Warnings{});
  EXPECT_EQ(warnings("blue and green"), Warnings{});
  EXPECT_EQ(warnings(""), Warnings{});
  EXPECT_EQ(warnings("\xe7\xba\xa2 ..."), Warnings{});
}

TEST(ExclusiveWords, TwoOfAGroupAreNamedInTheOrderOfThePrompt) {
  EXPECT_EQ(only_warning("a Violet square, a RED one"),
            "the prompt names more than one colour: 'violet', 'red'; the model shows one at most, and which of them is "
            "left to chance.");
}

TEST(ExclusiveWords, EveryGroupIsLookedAt) {
  const Warnings found = warnings("red purple left still");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NE(found[0].find("colour: 'red', 'purple'"), std::string::npos) << found[0];
  EXPECT_NE(found[1].find("motion: 'left', 'still'"), std::string::npos) << found[1];
}

TEST(ExclusiveWords, TheLongestPhraseCountsAndItsWordsAreTakenOnce) {
  EXPECT_EQ(warnings("dark red"), Warnings{});
  EXPECT_EQ(warnings("not moving"), Warnings{});
  EXPECT_NE(only_warning("not moving, moving").find("'not moving', 'moving'"), std::string::npos);
  EXPECT_NE(only_warning("red dark red").find("'red', 'dark red'"), std::string::npos);
}

TEST(ExclusiveWords, APhraseStandsForItselfOnlyAsWholeWordsInOrder) {
  EXPECT_EQ(warnings("red darkred"), Warnings{});
  EXPECT_EQ(warnings("reddish purple"), Warnings{});
  EXPECT_EQ(warnings("left not"), Warnings{});
  EXPECT_EQ(warnings("left not really"), Warnings{});
}

TEST(ExclusiveWords, WithoutGroupsNothingIsSaid) { EXPECT_EQ(ExclusiveWords({}).warnings("red purple"), Warnings{}); }

}  // namespace
}  // namespace vidrt::testing
