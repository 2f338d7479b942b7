// Which text encoder made an embedding.
#pragma once

#include <string>

#include "vidrt/bundle.h"

namespace vidrt {

/// SHA-256 (hex) over the bundle's text encoder: the graph hashes of its variants, the hashes of their data files and
/// the contents of the tokenizer's files.
std::string text_encoder_id(const Bundle& bundle);

}  // namespace vidrt
