#include "runtime/tokenizer.h"

#include <algorithm>
#include <utility>

#include "runtime/paths.h"
#include "runtime/prompt_cleaning.h"
#include "runtime/sentencepiece_tokenizer.h"
#include "runtime/wordlevel_tokenizer.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{64} << 20U;

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const TokenizerConfig& config, const std::string& folder) {
  if (config.files.size() != 1) {
    throw BundleError("the tokenizer '" + config.kind + "' has " + std::to_string(config.files.size()) +
                      " files, expected 1. Export the bundle again.");
  }
  const std::string path = resolve_inside(folder, config.files.front());
  const std::string bytes = read_file(path, kMaxTokenizerBytes);
  if (config.kind == "wordlevel") return std::make_unique<WordlevelTokenizer>(config, bytes, path);
  if (config.kind == "sentencepiece") return std::make_unique<SentencePieceTokenizer>(config, bytes, path);
  throw BundleError("tokenizer.kind is '" + config.kind +
                    "', expected wordlevel or sentencepiece. Update vidrt, or export the bundle again.");
}

std::unique_ptr<Tokenizer> make_tokenizer(const Bundle& bundle) {
  if (bundle.manifest().decoder_only) {
    throw BundleError("bundle '" + bundle.path() + "' has only a decoder, and so no tokenizer.");
  }
  const Manifest& manifest = bundle.manifest();
  std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(manifest.tokenizer, bundle.path());
  if (manifest.text_cleaning == "none") return tokenizer;
  return std::make_unique<CleaningTokenizer>(std::move(tokenizer), manifest.text_cleaning);
}

PaddedTokens pad_tokens(const Tokens& tokens, const TokenizerConfig& config) {
  const auto max_length = static_cast<std::size_t>(config.max_length);
  PaddedTokens padded;
  padded.truncated = tokens.ids.size() > max_length;
  padded.input_ids.assign(max_length, config.pad_id);
  padded.attention_mask.assign(max_length, 0);
  const std::size_t kept = std::min(tokens.ids.size(), max_length);
  std::copy_n(tokens.ids.begin(), kept, padded.input_ids.begin());
  std::fill_n(padded.attention_mask.begin(), kept, 1);
  if (padded.truncated) padded.input_ids.back() = config.eos_id;
  return padded;
}

}  // namespace vidrt
