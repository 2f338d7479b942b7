// Prompts to embeddings: tokenizer, text encoder, the few most recent results and those of earlier processes.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "runtime/embeds_cache.h"
#include "runtime/exclusive_words.h"
#include "runtime/module_set.h"
#include "runtime/prompt_length.h"
#include "runtime/tokenizer.h"
#include "vidrt/prompt_embeds.h"

namespace vidrt {

/// A prompt checked and tokenised, before any model is loaded.
struct PreparedPrompt {
  std::string text;
  PaddedTokens tokens;
  std::vector<std::string> warnings;
};

class PromptEncoder {
 public:
  /// `cache_bytes`: of embeddings in the user's cache folder at most; 0: none.
  PromptEncoder(const Bundle& bundle, std::uint64_t cache_bytes);

  /// Tokenise and check. Throws InvalidArgument for invalid UTF-8 and for more tokens than the model takes.
  PreparedPrompt prepare(const std::string& prompt, bool truncate) const;
  /// The same for what the video shall not show, which may be nothing, or many things that exclude each other.
  PreparedPrompt prepare_negative(const std::string& prompt, bool truncate) const;
  /// Whether encode() does without the text encoder, which it then does in this call of the pipeline. Looks into the
  /// cache folder; `warning` says what was wrong there.
  bool recall(const PreparedPrompt& prompt, const ModuleSet& modules, std::string* warning);
  /// Run the text encoder (it must be loaded unless recalled). The same tokens always give the same bits: prompts are
  /// encoded one by one, so that embeddings made alone and in a generation are the same.
  std::shared_ptr<const PromptEmbeds> encode(const PreparedPrompt& prompt, ModuleSet& modules,
                                             const Workspace& workspace);
  /// Identifies the text encoder whose embeddings this pipeline takes (see PromptEmbeds::encoder_id).
  const std::string& encoder_id() const { return encoder_id_; }

 private:
  struct Entry {
    std::vector<std::int64_t> ids;
    std::shared_ptr<const PromptEmbeds> embeds;
  };

  PreparedPrompt prepare(const FittedPrompt& fitted, const std::string& prompt) const;
  /// The recent result of a prompt, moved to the front; null where there is none.
  std::shared_ptr<const PromptEmbeds> recent(const PreparedPrompt& prompt);
  void remember(const PreparedPrompt& prompt, std::shared_ptr<const PromptEmbeds> embeds);
  /// D of the text encoder's embeddings.
  std::int64_t dim(const ModuleSet& modules) const;
  /// The hash of everything that the values depend on: not of the text, but of the tokens that it becomes.
  std::string cache_key(const PreparedPrompt& prompt, const ModuleSet& modules) const;

  const Bundle& bundle_;  // owned by the pipeline, which outlives this
  std::unique_ptr<Tokenizer> tokenizer_;
  ExclusiveWords exclusive_words_;
  std::string encoder_id_;
  EmbedsCache cache_;
  std::list<Entry> recent_;  // newest first
};

}  // namespace vidrt
