// The checks of a SentencePiece model file that the library itself does not make.
#pragma once

#include <string>

namespace vidrt {

/// Refuse model files that make sentencepiece 0.2 read outside its memory or recurse without bound: pieces that are
/// empty, overlong or hold a NUL, scores that are not finite, and normalisation tables whose trie leads out of itself
/// (google/sentencepiece issues 1263 and 1269). `file` names the model in messages. Throws BundleError.
void check_sentencepiece_model(const std::string& model, const std::string& file);

}  // namespace vidrt
