// Prompt embeddings as the denoiser's inputs.
#pragma once

#include <memory>
#include <vector>

#include "runtime/arena_tensors.h"
#include "runtime/session.h"
#include "vidrt/prompt_embeds.h"

namespace vidrt {

using SharedEmbeds = std::shared_ptr<const PromptEmbeds>;

/// Rows up to the first of those at the end of a prompt's embeddings that are all equal, that one included.
std::int64_t distinct_rows(const PromptEmbeds& embeds);

/// Write prompts into the tensors "text_embeds" and, where the denoiser has them, "text_mask" and "text_counts", a row
/// of the batch each, and return these with the shapes that the denoiser is run with. Where it has text_counts, equal
/// rows at the end of a prompt are given once. Throws InvalidArgument where the embeddings have another width.
std::vector<NamedTensor> fill_text(Device& device, const ArenaTensors& tensors,
                                   const std::vector<SharedEmbeds>& prompts);

}  // namespace vidrt
