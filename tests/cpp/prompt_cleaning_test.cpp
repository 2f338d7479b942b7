// What is done to prompts before they are tokenised. All of HTML's names and numbers are compared with Python in
// tests/export/test_prompt_cleaning_vs_diffusers.py.
#include "runtime/prompt_cleaning.h"

#include <gtest/gtest.h>

#include <utility>

#include "runtime/html_unescape.h"
#include "support/throws.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

// Gives back what it is asked, as bytes.
class Echo : public Tokenizer {
 public:
  Tokens encode(const std::string& text) const override { return {{text.begin(), text.end()}, {}}; }
};

TEST(HtmlUnescape, ResolvesNamesAndNumbersOnce) {
  EXPECT_EQ(html_unescape("&lt;a&gt; &#60;&#x3C;&#X3c; &amp;lt;"), "<a> <<< &lt;");
  EXPECT_EQ(html_unescape("&copy 2024, &notit; &notin;"), "\u00a9 2024, \u00acit; \u2209");
  EXPECT_EQ(html_unescape("&NotEqualTilde;"), "\u2242\u0338");
}

TEST(HtmlUnescape, LeavesWhatIsNoReference) {
  for (const char* text : {"", "&", "R&D", "a & b", "&;", "&#;", "&#x;", "&#xg", "&nothing;", "&\xE7\x8C\xAB;"}) {
    const std::string expected = std::string(text) == "&nothing;" ? "\u00aching;" : text;
    EXPECT_EQ(html_unescape(text), expected);
  }
}

TEST(HtmlUnescape, NumbersThatAreNoCharacterFollowHtmlsTable) {
  EXPECT_EQ(html_unescape("&#0;&#xD800;&#x110000;&#99999999999999999999;"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(html_unescape("a&#1;&#11;&#127;&#xFFFE;&#xFDD0;b"), "ab");
  EXPECT_EQ(html_unescape("&#128;&#129;&#150;"), "\u20AC\u0081\u2013");
}

TEST(PromptCleaning, WhiteSpaceIsSingleAndNotAtTheEnds) {
  EXPECT_EQ(clean_prompt("\u3000 a \t\n b\u0085 c\r\n", "whitespace"), "a b c");
  EXPECT_EQ(clean_prompt(" \x1C a\x1D\x1E b \x1F ", "whitespace"), "a\x1D\x1E b");
  EXPECT_EQ(clean_prompt(" \t\x1C ", "whitespace"), "");
  EXPECT_EQ(clean_prompt("&lt; a", "whitespace"), "&lt; a");
}

TEST(PromptCleaning, HtmlIsResolvedTwiceBeforeWhiteSpace) {
  EXPECT_EQ(clean_prompt("&amp;nbsp;a&amp;lt;b &NewLine; c", "html"), "a<b c");
  EXPECT_EQ(clean_prompt("&amp;amp;amp;", "html"), "&amp;");
}

TEST(PromptCleaning, NoneLeavesTheTextAsItIs) { EXPECT_EQ(clean_prompt(" &lt; \n", "none"), " &lt; \n"); }

TEST(PromptCleaning, ATokenizerIsGivenTheCleanedText) {
  const CleaningTokenizer tokenizer(std::make_unique<Echo>(), "html");
  EXPECT_EQ(tokenizer.encode(" &lt; ").ids, std::vector<std::int64_t>{'<'});
  EXPECT_TRUE(names(message_of<InvalidArgument>([&] { tokenizer.encode("a \xff"); }), {"not valid UTF-8", "byte 2"}));
}

}  // namespace
}  // namespace vidrt::testing
