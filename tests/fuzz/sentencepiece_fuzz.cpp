// SentencePiece models: any bytes give a tokenizer or a BundleError, and a tokenizer takes any text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/sentencepiece_tokenizer.h"
#include "vidrt/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vidrt::TokenizerConfig config;
  config.kind = "sentencepiece";
  config.eos_id = 1;
  try {
    const vidrt::SentencePieceTokenizer tokenizer(config, std::string(reinterpret_cast<const char*>(data), size),
                                                  "spiece.model");
    tokenizer.encode("red blue \xE7\xBA\xA2\xE8\x89\xB2 \xF0\x9F\x98\x80 s\xCC\x81");
  } catch (const vidrt::BundleError&) {
  }
  return 0;
}
