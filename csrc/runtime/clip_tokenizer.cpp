#include "runtime/clip_tokenizer.h"

#include <algorithm>

#include "runtime/clip_words.h"
#include "runtime/utf8.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

using AddedTokenMap = std::map<std::string, std::int64_t>;

std::int64_t required_bos_id(const TokenizerConfig& config) {
  if (config.bos_id.has_value()) return *config.bos_id;
  throw BundleError(
      "the tokenizer 'clip_bpe' has no bos_id, expected the id that begins a prompt. Export the bundle "
      "again.");
}

AddedTokenMap normalised(const AddedTokenMap& tokens) {
  AddedTokenMap found;
  for (const auto& [text, id] : tokens) {
    if (first_invalid_utf8(text) != text.size()) {
      throw BundleError("an added token is not UTF-8. Export the bundle again.");
    }
    if (!found.emplace(clip_normalised(text), id).second) {
      throw BundleError("the added token '" + text +
                        "' is another one once it is normalised, expected each once. "
                        "Export the bundle again.");
    }
  }
  return found;
}

bool holds_id(const AddedTokenMap& tokens, std::int64_t id) {
  return std::any_of(tokens.begin(), tokens.end(), [&](const auto& token) { return token.second == id; });
}

}  // namespace

ClipTokenizer::ClipTokenizer(const TokenizerConfig& config, const NamedContent& vocabulary, const NamedContent& merges)
    : model_(vocabulary, merges),
      added_tokens_(config.added_tokens),
      normalised_added_tokens_(normalised(config.normalized_added_tokens)),
      bos_id_(required_bos_id(config)),
      eos_id_(config.eos_id),
      unk_id_(config.unk_id) {
  check_ids(config, vocabulary);
}

void ClipTokenizer::check_ids(const TokenizerConfig& config, const NamedContent& vocabulary) const {
  for (const std::int64_t id : {bos_id_, eos_id_, config.pad_id, config.unk_id.value_or(eos_id_)}) {
    if (model_.has_id(id) || holds_id(config.added_tokens, id) || holds_id(config.normalized_added_tokens, id))
      continue;
    throw BundleError("'" + vocabulary.path + "' has no token of the id " + std::to_string(id) +
                      ", which manifest.json uses. Fetch or export the bundle again.");
  }
}

Tokens ClipTokenizer::encode(const std::string& text) const {
  require_utf8(text);
  Tokens tokens;
  const auto on_token = [&](std::int64_t id) { tokens.ids.push_back(id); };
  tokens.ids.push_back(bos_id_);
  added_tokens_.split(
      text,
      [&](std::string_view piece) {
        normalised_added_tokens_.split(
            clip_normalised(piece), [&](std::string_view rest) { encode_normalised(rest, &tokens); }, on_token);
      },
      on_token);
  tokens.ids.push_back(eos_id_);
  return tokens;
}

void ClipTokenizer::encode_normalised(std::string_view text, Tokens* tokens) const {
  for (const std::string_view word : clip_words(text)) {
    for (const std::int64_t id : model_.encode_word(word)) {
      if (id != BpeModel::kUnknown) {
        tokens->ids.push_back(id);
        continue;
      }
      if (!unk_id_.has_value()) {
        throw InvalidArgument("the model has no token for a part of '" + std::string(word) +
                              "'. Leave it out of the prompt.");
      }
      tokens->ids.push_back(*unk_id_);
      std::vector<std::string>& unknown = tokens->unknown_words;
      if (std::find(unknown.begin(), unknown.end(), word) == unknown.end()) unknown.emplace_back(word);
    }
  }
}

}  // namespace vidrt
