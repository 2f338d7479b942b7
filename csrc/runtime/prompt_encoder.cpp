#include "runtime/prompt_encoder.h"

#include <algorithm>
#include <utility>

#include "runtime/encoder_id.h"
#include "runtime/processor.h"
#include "runtime/sha256.h"
#include "runtime/symbols.h"
#include "runtime/words.h"
#include "vidrt/errors.h"
#include "vidrt/version.h"

namespace vidrt {
namespace {

constexpr std::size_t kRecentPrompts = 8;  // the negative prompt and a few of the last ones

std::string unknown_words_warning(const std::vector<std::string>& words) {
  return "the model does not know " + quoted_list(words) + " and will not see " + (words.size() == 1 ? "it." : "them.");
}

// A prompt that says something, but nothing that the model knows. The end marker is the last of its tokens.
bool all_unknown(const std::string& prompt, const Tokens& tokens, const TokenizerConfig& config) {
  const bool blank = prompt.find_first_not_of(" \t\r\n") == std::string::npos;
  return !blank && std::all_of(tokens.ids.begin(), tokens.ids.end() - 1,
                               [&](std::int64_t id) { return config.unk_id.has_value() && id == *config.unk_id; });
}

// How many tokens the text encoder is run for. Where the rows after a prompt's end are zeros, nothing depends on the
// padding, and what takes any length is spared it.
std::int64_t tokens_to_encode(const PaddedTokens& tokens, const Manifest& manifest, const ModuleSet& modules) {
  const std::int64_t length = manifest.text_length;
  if (!manifest.zero_after_mask || !modules.backend().takes_any_length()) return length;
  const TensorSpec& ids = *find_tensor(modules.variant("text_encoder").inputs, "input_ids");
  const std::int64_t used = std::count(tokens.attention_mask.begin(), tokens.attention_mask.end(), 1);
  return evaluate_dimension(ids.shape.at(1), {{"B", 1}, {"L", used}}) == used ? used : length;
}

void run_text_encoder(const PaddedTokens& tokens, std::int64_t length, ModuleSet& modules, const Workspace& workspace,
                      PromptEmbeds* embeds) {
  Device& device = modules.backend().device();
  const std::size_t ids_bytes = static_cast<std::size_t>(length) * sizeof(std::int64_t);
  const std::size_t values_bytes = static_cast<std::size_t>(length * embeds->dim) * sizeof(float);
  const DeviceBuffer ids(device, ids_bytes);
  const DeviceBuffer mask(device, ids_bytes);
  const DeviceBuffer values(device, values_bytes);
  device.copy_from_host(ids.data(), tokens.input_ids.data(), ids_bytes);
  device.copy_from_host(mask.data(), tokens.attention_mask.data(), ids_bytes);
  modules.run("text_encoder",
              {{"input_ids", {ids.data(), DType::kInt64, {1, length}}},
               {"attention_mask", {mask.data(), DType::kInt64, {1, length}}}},
              {{"text_embeds", {values.data(), DType::kFloat32, {1, length, embeds->dim}}}}, workspace);
  device.copy_to_host(embeds->values.data(), values.data(), values_bytes);
}

}  // namespace

PromptEncoder::PromptEncoder(const Bundle& bundle, std::uint64_t cache_bytes)
    : bundle_(bundle),
      tokenizer_(make_tokenizer(bundle)),
      exclusive_words_(bundle.manifest().exclusive_words),
      encoder_id_(text_encoder_id(bundle)),
      cache_(cache_bytes) {}

PreparedPrompt PromptEncoder::prepare(const std::string& prompt, bool truncate) const {
  const TokenizerConfig& config = bundle_.manifest().tokenizer;
  const FittedPrompt fitted = fit_prompt(*tokenizer_, config, prompt, truncate);
  PreparedPrompt prepared = prepare(fitted, prompt);
  if (all_unknown(prompt, fitted.tokens, config)) {
    prepared.warnings.emplace_back("the model knows no word of the prompt; what the video shows is left to chance.");
  }
  for (std::string& warning : exclusive_words_.warnings(fitted.seen)) prepared.warnings.push_back(std::move(warning));
  return prepared;
}

PreparedPrompt PromptEncoder::prepare_negative(const std::string& prompt, bool truncate) const {
  return prepare(fit_prompt(*tokenizer_, bundle_.manifest().tokenizer, prompt, truncate), prompt);
}

PreparedPrompt PromptEncoder::prepare(const FittedPrompt& fitted, const std::string& prompt) const {
  PreparedPrompt prepared{prompt, fitted.padded, {}};
  const std::vector<std::string>& unknown = fitted.tokens.unknown_words;
  if (!unknown.empty()) prepared.warnings.push_back(unknown_words_warning(unknown));
  if (!fitted.warning.empty()) prepared.warnings.push_back(fitted.warning);
  return prepared;
}

std::shared_ptr<const PromptEmbeds> PromptEncoder::recent(const PreparedPrompt& prompt) {
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [&](const Entry& entry) { return entry.ids == prompt.tokens.input_ids; });
  if (found == recent_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found);
  return recent_.front().embeds;
}

void PromptEncoder::remember(const PreparedPrompt& prompt, std::shared_ptr<const PromptEmbeds> embeds) {
  recent_.push_front({prompt.tokens.input_ids, std::move(embeds)});
  if (recent_.size() > kRecentPrompts) recent_.pop_back();
}

std::int64_t PromptEncoder::dim(const ModuleSet& modules) const {
  const TensorSpec& spec = *find_tensor(modules.variant("text_encoder").outputs, "text_embeds");
  return evaluate_dimension(spec.shape.at(2), {{"B", 1}, {"L", bundle_.manifest().text_length}});
}

std::string PromptEncoder::cache_key(const PreparedPrompt& prompt, const ModuleSet& modules) const {
  // Libraries of another version, or on another processor, may round otherwise.
  std::string parts = std::string("vidrt ") + version() + "\n" + encoder_id_ + "\n" +
                      modules.variant("text_encoder").id + "\n" + modules.backend().description() + "\n" +
                      processor_description();
  for (const std::int64_t id : prompt.tokens.input_ids) parts += std::to_string(id) + " ";
  return sha256_of(parts);
}

bool PromptEncoder::recall(const PreparedPrompt& prompt, const ModuleSet& modules, std::string* warning) {
  if (recent(prompt) != nullptr) return true;
  if (!cache_.enabled()) return false;
  const std::shared_ptr<PromptEmbeds> found =
      cache_.find({cache_key(prompt, modules), encoder_id_, bundle_.manifest().text_length, dim(modules),
                   prompt.tokens.attention_mask},
                  warning);
  if (found == nullptr) return false;
  found->prompt = prompt.text;
  remember(prompt, found);
  return true;
}

std::shared_ptr<const PromptEmbeds> PromptEncoder::encode(const PreparedPrompt& prompt, ModuleSet& modules,
                                                          const Workspace& workspace) {
  if (std::shared_ptr<const PromptEmbeds> known = recent(prompt); known != nullptr) return known;
  auto embeds = std::make_shared<PromptEmbeds>();
  embeds->prompt = prompt.text;
  embeds->encoder_id = encoder_id_;
  embeds->length = bundle_.manifest().text_length;
  embeds->dim = dim(modules);
  embeds->values.resize(static_cast<std::size_t>(element_count({embeds->length, embeds->dim})));
  embeds->mask = prompt.tokens.attention_mask;

  const std::int64_t length = tokens_to_encode(prompt.tokens, bundle_.manifest(), modules);
  run_text_encoder(prompt.tokens, length, modules, workspace, embeds.get());
  if (cache_.enabled()) cache_.store(cache_key(prompt, modules), *embeds);
  remember(prompt, embeds);
  return embeds;
}

}  // namespace vidrt
