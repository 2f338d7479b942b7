#include "runtime/text_inputs.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

// The first `rows` rows of every prompt.
TensorView with_rows(TensorView tensor, std::int64_t rows) {
  tensor.shape[1] = rows;
  return tensor;
}

void check_width(const PromptEmbeds& embeds, const TensorView& target) {
  if (target.shape[2] == embeds.dim) return;
  throw InvalidArgument("the prompt embeddings have " + std::to_string(embeds.dim) +
                        " columns, but the denoiser takes " + std::to_string(target.shape[2]) + ".");
}

// How many rows each of the first `rows` stands for: those after the distinct ones for none.
std::vector<float> row_counts(const PromptEmbeds& embeds, std::int64_t distinct, std::int64_t rows) {
  std::vector<float> counts(static_cast<std::size_t>(rows), 0.0f);
  std::fill_n(counts.begin(), distinct, 1.0f);
  counts[static_cast<std::size_t>(distinct - 1)] = static_cast<float>(embeds.length - distinct + 1);
  return counts;
}

}  // namespace

std::int64_t distinct_rows(const PromptEmbeds& embeds) {
  const auto width = static_cast<std::size_t>(embeds.dim);
  const auto row_of = [&](std::int64_t index) {
    return embeds.values.data() + static_cast<std::size_t>(index) * width;
  };
  const float* last = row_of(embeds.length - 1);
  std::int64_t rows = embeds.length;
  while (rows > 1 && std::memcmp(row_of(rows - 2), last, width * sizeof(float)) == 0) --rows;
  return rows;
}

std::vector<NamedTensor> fill_text(Device& device, const ArenaTensors& tensors,
                                   const std::vector<SharedEmbeds>& prompts) {
  for (const SharedEmbeds& embeds : prompts) check_width(*embeds, tensors["text_embeds"]);
  std::vector<std::int64_t> distinct;
  std::int64_t rows = tensors["text_embeds"].shape[1];
  if (tensors.has("text_counts")) {
    for (const SharedEmbeds& embeds : prompts) distinct.push_back(distinct_rows(*embeds));
    rows = *std::max_element(distinct.begin(), distinct.end());
  }
  std::vector<NamedTensor> inputs;
  for (const char* name : {"text_embeds", "text_mask", "text_counts"}) {
    if (tensors.has(name)) inputs.push_back({name, with_rows(tensors[name], rows)});
  }
  for (const NamedTensor& input : inputs) {
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const PromptEmbeds& embeds = *prompts[i];
      const TensorView target = row(input.view, static_cast<std::int64_t>(i));
      if (input.name == "text_embeds") {
        device.copy_from_host(target.data, embeds.values.data(), target.bytes());
      } else if (input.name == "text_mask") {
        device.copy_from_host(target.data, embeds.mask.data(), target.bytes());
      } else {
        device.copy_from_host(target.data, row_counts(embeds, distinct[i], rows).data(), target.bytes());
      }
    }
  }
  return inputs;
}

}  // namespace vidrt
