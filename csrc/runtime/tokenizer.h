// Text to token ids.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vidrt/bundle.h"

namespace vidrt {

struct Tokens {
  std::vector<std::int64_t> ids;           // end marker included, no padding, not truncated
  std::vector<std::string> unknown_words;  // as written, each once, in order
};

/// Immutable after construction; encode() is thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Encode UTF-8 text. Throws InvalidArgument for invalid UTF-8.
  virtual Tokens encode(const std::string& text) const = 0;
};

/// The tokenizer the bundle declares, which cleans prompts as the bundle says. Throws BundleError when its files are
/// damaged or the kind is unknown.
std::unique_ptr<Tokenizer> make_tokenizer(const Bundle& bundle);

/// The same for a configuration whose files lie in `folder`.
std::unique_ptr<Tokenizer> load_tokenizer(const TokenizerConfig& config, const std::string& folder);

/// Token ids padded to the model's length, and the mask that says which are real.
struct PaddedTokens {
  std::vector<std::int64_t> input_ids;       // (max_length)
  std::vector<std::int64_t> attention_mask;  // (max_length), 1 = token
  bool truncated = false;
};

/// Pad to config.max_length. Overlong tokens are cut with the end marker kept as the last token (but see fit_prompt()).
PaddedTokens pad_tokens(const Tokens& tokens, const TokenizerConfig& config);

}  // namespace vidrt
