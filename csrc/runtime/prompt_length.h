// Prompts of more tokens than the model takes.
#pragma once

#include <string>

#include "runtime/tokenizer.h"

namespace vidrt {

/// A prompt's tokens at the length that the model takes.
struct FittedPrompt {
  Tokens tokens;        // of the whole prompt
  PaddedTokens padded;  // cut where the prompt is too long
  std::string seen;     // the words that the model sees whole: all of the prompt where it was not cut
  std::string warning;  // of a cut prompt, else empty: both lengths, and the words that the model does not see
};

/// Tokenise a prompt. One of too many tokens throws InvalidArgument that names both lengths and the words that do not
/// fit, or, with `truncate`, is cut with the end marker kept as the last token.
FittedPrompt fit_prompt(const Tokenizer& tokenizer, const TokenizerConfig& config, const std::string& prompt,
                        bool truncate);

}  // namespace vidrt
