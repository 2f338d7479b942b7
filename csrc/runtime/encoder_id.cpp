#include "runtime/encoder_id.h"

#include "runtime/sha256.h"
#include "vidrt/errors.h"

namespace vidrt {

std::string text_encoder_id(const Bundle& bundle) {
  // Every part is 64 hex digits on a line of its own, so that no two lists of parts give the same text.
  Sha256 hash;
  const Manifest& manifest = bundle.manifest();
  for (const Variant& variant : bundle.module("text_encoder").variants) {
    hash.update(variant.sha256 + "\n");
    for (const std::string& file : variant.data_files) hash.update(manifest.data_files.at(file).sha256 + "\n");
  }
  for (const std::string& file : manifest.tokenizer.files) {
    try {
      hash.update(sha256_of_file(bundle.resolve(file)) + "\n");
    } catch (const IoError& error) {
      throw BundleError(error.what());
    }
  }
  return hash.finish();
}

}  // namespace vidrt
