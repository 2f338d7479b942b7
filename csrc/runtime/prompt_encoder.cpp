#include "runtime/prompt_encoder.h"

#include <algorithm>
#include <utility>

#include "runtime/encoder_id.h"
#include "runtime/symbols.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr std::size_t kRecentPrompts = 8;  // the negative prompt and a few of the last ones

std::string unknown_words_warning(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "'" : ", '") + word + "'";
  return "the model does not know " + list + " and will not see " + (words.size() == 1 ? "it." : "them.");
}

}  // namespace

PromptEncoder::PromptEncoder(const Bundle& bundle)
    : bundle_(bundle), tokenizer_(make_tokenizer(bundle)), encoder_id_(text_encoder_id(bundle)) {}

PreparedPrompt PromptEncoder::prepare(const std::string& prompt, bool truncate) const {
  const Tokens tokens = tokenizer_->encode(prompt);
  const TokenizerConfig& config = bundle_.manifest().tokenizer;
  PreparedPrompt prepared{prompt, pad_tokens(tokens, config, truncate), {}};
  if (!tokens.unknown_words.empty()) prepared.warnings.push_back(unknown_words_warning(tokens.unknown_words));
  if (prepared.tokens.truncated) {
    prepared.warnings.push_back("the prompt has " + std::to_string(tokens.ids.size()) + " tokens and was cut to " +
                                std::to_string(config.max_length) + ".");
  }
  return prepared;
}

bool PromptEncoder::cached(const PreparedPrompt& prompt) const {
  return std::any_of(recent_.begin(), recent_.end(),
                     [&](const Entry& entry) { return entry.ids == prompt.tokens.input_ids; });
}

std::shared_ptr<const PromptEmbeds> PromptEncoder::encode(const PreparedPrompt& prompt, ModuleSet& modules) {
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [&](const Entry& entry) { return entry.ids == prompt.tokens.input_ids; });
  if (found != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, found);
    return recent_.front().embeds;
  }
  const TensorSpec& spec = *find_tensor(modules.variant("text_encoder").outputs, "text_embeds");
  const std::int64_t length = bundle_.manifest().text_length;
  auto embeds = std::make_shared<PromptEmbeds>();
  embeds->prompt = prompt.text;
  embeds->encoder_id = encoder_id_;
  embeds->length = length;
  embeds->dim = evaluate_dimension(spec.shape.at(2), {{"B", 1}, {"L", length}});
  embeds->values.resize(static_cast<std::size_t>(element_count({length, embeds->dim})));
  embeds->mask = prompt.tokens.attention_mask;

  std::vector<std::int64_t> ids = prompt.tokens.input_ids;
  modules.run("text_encoder",
              {{"input_ids", {ids.data(), DType::kInt64, {1, length}}},
               {"attention_mask", {embeds->mask.data(), DType::kInt64, {1, length}}}},
              {{"text_embeds", {embeds->values.data(), DType::kFloat32, {1, length, embeds->dim}}}});
  recent_.push_front({std::move(ids), embeds});
  if (recent_.size() > kRecentPrompts) recent_.pop_back();
  return embeds;
}

}  // namespace vidrt
