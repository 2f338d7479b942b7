// Prompts: any bytes are cleaned or refused, and what is cleaned is UTF-8 with single spaces.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "runtime/prompt_cleaning.h"
#include "runtime/utf8.h"
#include "vidrt/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    for (const char* cleaning : {"whitespace", "html"}) {
      const std::string cleaned = vidrt::clean_prompt(text, cleaning);
      if (vidrt::first_invalid_utf8(cleaned) != cleaned.size()) std::abort();
      if (vidrt::clean_prompt(cleaned, "whitespace") != cleaned) std::abort();
      if (cleaned.size() > 2 * text.size()) std::abort();  // "&nGt;" is the longest for its name: 6 bytes
    }
  } catch (const vidrt::InvalidArgument&) {
  }
  return 0;
}
