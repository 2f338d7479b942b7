// Files of prompt embeddings: any bytes give embeddings or an InvalidArgument.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "vidrt/errors.h"
#include "vidrt/prompt_embeds.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("vidrt-fuzz-" + std::to_string(getpid()))).string();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    vidrt::PromptEmbeds::load(path);
  } catch (const vidrt::InvalidArgument&) {
  }
  std::filesystem::remove(path);
  return 0;
}
