// Prompt embeddings as things of their own: made on a workstation, used on a device that cannot hold the text encoder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vidrt/api.h"

namespace vidrt {

/// The text encoder's output for one prompt.
struct VIDRT_API PromptEmbeds {
  std::string prompt;            // what was encoded, for people
  std::string encoder_id;        // SHA-256 over the text encoder's graph, its weights and the tokenizer's files
  std::int64_t length = 0;       // L, rows
  std::int64_t dim = 0;          // D, columns
  std::vector<float> values;     // (L, D) row-major, rows after the mask zeroed where the model says so
  std::vector<std::int64_t> mask;  // (L), 1 for a token, 0 for padding

  /// Write a safetensors file (tensors text_embeds and text_mask; prompt and encoder_id as metadata); atomic.
  /// Throws IoError.
  void save(const std::string& path) const;
  /// Read what save() wrote. Throws InvalidArgument for a file that is something else, IoError if it cannot be read.
  static PromptEmbeds load(const std::string& path);
};

}  // namespace vidrt
