// The manifest reader: any bytes give a Manifest or a BundleError.
#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/manifest_reader.h"
#include "vidrt/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    vidrt::parse_manifest(std::string(reinterpret_cast<const char*>(data), size), "manifest.json");
  } catch (const vidrt::BundleError&) {
  }
  return 0;
}
