// Prompts to embeddings: tokenizer, text encoder, and the few most recent results.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

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
  explicit PromptEncoder(const Bundle& bundle);

  /// Tokenise and check. Throws InvalidArgument for invalid UTF-8 and for more tokens than the model takes.
  PreparedPrompt prepare(const std::string& prompt, bool truncate) const;
  /// The same for what the video shall not show, which may be nothing, or many things that exclude each other.
  PreparedPrompt prepare_negative(const std::string& prompt, bool truncate) const;
  /// Whether encode() would need the text encoder.
  bool cached(const PreparedPrompt& prompt) const;
  /// Run the text encoder (it must be loaded unless cached). The same tokens always give the same bits: prompts are
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

  const Bundle& bundle_;  // owned by the pipeline, which outlives this
  std::unique_ptr<Tokenizer> tokenizer_;
  ExclusiveWords exclusive_words_;
  std::string encoder_id_;
  std::list<Entry> recent_;  // newest first
};

}  // namespace vidrt
