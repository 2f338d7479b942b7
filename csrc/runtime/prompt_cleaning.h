// What is done to a prompt before it is tokenised, where the bundle says so.
#pragma once

#include <memory>
#include <string>

#include "runtime/tokenizer.h"

namespace vidrt {

/// `cleaning` is a word of Manifest::text_cleaning. "none": the text as it is. "whitespace": each run of white space is
/// one space, with none at the ends. "html": html_unescape() twice before that, as the prompts of Wan are cleaned by
/// diffusers. White space is Unicode's; at the ends U+001C to U+001F count as well. Throws InvalidArgument for invalid
/// UTF-8.
std::string clean_prompt(const std::string& text, const std::string& cleaning);

/// Cleans what it is given, then asks the tokenizer inside.
class CleaningTokenizer : public Tokenizer {
 public:
  CleaningTokenizer(std::unique_ptr<Tokenizer> inner, std::string cleaning);

  Tokens encode(const std::string& text) const override;

 private:
  std::unique_ptr<Tokenizer> inner_;
  std::string cleaning_;
};

}  // namespace vidrt
