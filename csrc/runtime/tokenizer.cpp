#include "runtime/tokenizer.h"

#include <algorithm>
#include <utility>

#include "runtime/clip_tokenizer.h"
#include "runtime/paths.h"
#include "runtime/prompt_cleaning.h"
#include "runtime/sentencepiece_tokenizer.h"
#include "runtime/wordlevel_tokenizer.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{64} << 20U;
constexpr std::uint64_t kMaxVocabularyBytes = std::uint64_t{16} << 20U;  // of JSON, which takes more memory than that

// File number `index` of the configuration.
NamedContent read_content(const TokenizerConfig& config, const std::string& folder, std::size_t index,
                          std::uint64_t max_bytes) {
  const std::string path = resolve_inside(folder, config.files[index]);
  return {path, read_file(path, max_bytes)};
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const TokenizerConfig& config, const std::string& folder) {
  const std::size_t count = config.kind == "clip_bpe" ? 2 : 1;
  if (config.files.size() != count) {
    throw BundleError("the tokenizer '" + config.kind + "' has " + std::to_string(config.files.size()) +
                      " files, expected " + std::to_string(count) + ". Export the bundle again.");
  }
  if (config.kind == "clip_bpe") {
    return std::make_unique<ClipTokenizer>(config, read_content(config, folder, 0, kMaxVocabularyBytes),
                                           read_content(config, folder, 1, kMaxVocabularyBytes));
  }
  const NamedContent file = read_content(config, folder, 0, kMaxTokenizerBytes);
  if (config.kind == "wordlevel") return std::make_unique<WordlevelTokenizer>(config, file.bytes, file.path);
  if (config.kind == "sentencepiece") return std::make_unique<SentencePieceTokenizer>(config, file.bytes, file.path);
  throw BundleError("tokenizer.kind is '" + config.kind +
                    "', expected wordlevel, sentencepiece or clip_bpe. Update vidrt, or export the bundle again.");
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
