// CLIP's tokenizer: a vocabulary, a NUL, merges, a NUL and a prompt; any bytes give a tokenizer or a BundleError, and a
// tokenizer takes any prompt in UTF-8.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "runtime/clip_tokenizer.h"
#include "vidrt/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::size_t first = std::min(input.find('\0'), size);
  const std::size_t second = std::min(input.find('\0', std::min(first + 1, size)), size);
  const auto part = [&](std::size_t begin, std::size_t end) {
    return begin < end ? input.substr(begin, end - begin) : std::string();
  };
  vidrt::TokenizerConfig config;
  config.kind = "clip_bpe";
  config.bos_id = 0;
  config.unk_id = 0;
  config.added_tokens = {{"!", 0}};
  config.normalized_added_tokens = {{"<|endoftext|>", 0}};
  try {
    const vidrt::ClipTokenizer tokenizer(config, {"vocab.json", part(0, first)},
                                         {"merges.txt", part(first + 1, second)});
    const std::string prompt = part(second + 1, size);
    // A normal form is three times as long as a text at most, its lower case half as long again; a token is a byte.
    if (tokenizer.encode(prompt).ids.size() > 5 * prompt.size() + 2) std::abort();
  } catch (const vidrt::BundleError&) {
  } catch (const vidrt::InvalidArgument&) {
  }
  return 0;
}
