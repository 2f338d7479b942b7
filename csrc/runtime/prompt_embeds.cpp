#include "vidrt/prompt_embeds.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "runtime/atomic_file.h"
#include "runtime/json_object.h"
#include "runtime/paths.h"
#include "runtime/utf8.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

using nlohmann::json;

// The file: the header's length (8 bytes, little-endian), the header (JSON), then the tensors' bytes.
constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{1} << 20U;
constexpr std::int64_t kMaxLength = 4096;
constexpr std::int64_t kMaxDim = 65536;
constexpr const char* kFormat = "vidrt.prompt_embeds.v1";
constexpr const char* kAdvice = "Encode the prompt again with vidrt encode.";

struct Layout {
  std::uint64_t embeds_bytes;
  std::uint64_t mask_bytes;

  Layout(std::int64_t length, std::int64_t dim)
      : embeds_bytes(static_cast<std::uint64_t>(length * dim) * sizeof(float)),
        mask_bytes(static_cast<std::uint64_t>(length) * sizeof(std::int64_t)) {}
};

void check_consistent(const PromptEmbeds& embeds) {
  const bool sizes = embeds.length >= 1 && embeds.length <= kMaxLength && embeds.dim >= 1 && embeds.dim <= kMaxDim;
  if (!sizes || embeds.values.size() != static_cast<std::size_t>(embeds.length * embeds.dim) ||
      embeds.mask.size() != static_cast<std::size_t>(embeds.length)) {
    throw InvalidArgument("these prompt embeddings have " + std::to_string(embeds.values.size()) + " values and " +
                          std::to_string(embeds.mask.size()) + " mask entries, expected " +
                          std::to_string(embeds.length) + " rows of " + std::to_string(embeds.dim) + " (at most " +
                          std::to_string(kMaxLength) + " of " + std::to_string(kMaxDim) + "). " + kAdvice);
  }
}

std::string header_of(const PromptEmbeds& embeds) {
  const Layout layout(embeds.length, embeds.dim);
  const std::uint64_t end = layout.embeds_bytes + layout.mask_bytes;
  const json header = {
      {"__metadata__", {{"format", kFormat}, {"prompt", embeds.prompt}, {"encoder_id", embeds.encoder_id}}},
      {"text_embeds",
       {{"dtype", "F32"}, {"shape", {embeds.length, embeds.dim}}, {"data_offsets", {0, layout.embeds_bytes}}}},
      {"text_mask", {{"dtype", "I64"}, {"shape", {embeds.length}}, {"data_offsets", {layout.embeds_bytes, end}}}}};
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the tensors begin aligned
  return text;
}

// One tensor's entry: its shape, once its dtype and its place in the file are as save() writes them.
std::vector<std::int64_t> read_entry(JsonObject entry, const std::string& dtype, std::size_t rank) {
  entry.word("dtype", {dtype});
  const JsonPlace shape_place = entry.place().key("shape");
  const json& shape = read_array(entry.required("shape"), shape_place, rank, rank);
  std::vector<std::int64_t> dims;
  for (std::size_t i = 0; i < rank; ++i) {
    dims.push_back(read_integer(shape[i], shape_place.index(i), {1, i == 0 ? kMaxLength : kMaxDim}));
  }
  return dims;
}

void check_offsets(JsonObject entry, std::uint64_t begin, std::uint64_t end) {
  const json& offsets = entry.required("data_offsets");
  if (offsets != json::array({begin, end})) {
    entry.place().key("data_offsets").fail(offsets.dump().substr(0, 60), json::array({begin, end}).dump());
  }
}

PromptEmbeds read_header(const std::string& text, const std::string& path) {
  const JsonPlace place{path, "", kAdvice};
  const json document = parse_json(text, place);
  JsonObject root(document, place);
  JsonObject metadata = root.object("__metadata__");
  metadata.word("format", {kFormat});
  PromptEmbeds embeds;
  embeds.prompt = metadata.text("prompt", {0, kMaxHeaderBytes, false});
  embeds.encoder_id = metadata.text("encoder_id", {0, 256});
  metadata.finish();
  const std::vector<std::int64_t> shape = read_entry(root.object("text_embeds"), "F32", 2);
  const std::vector<std::int64_t> mask_shape = read_entry(root.object("text_mask"), "I64", 1);
  if (mask_shape[0] != shape[0]) {
    place.key("text_mask").key("shape").fail(std::to_string(mask_shape[0]), std::to_string(shape[0]));
  }
  embeds.length = shape[0];
  embeds.dim = shape[1];
  const Layout layout(embeds.length, embeds.dim);
  check_offsets(root.object("text_embeds"), 0, layout.embeds_bytes);
  check_offsets(root.object("text_mask"), layout.embeds_bytes, layout.embeds_bytes + layout.mask_bytes);
  root.finish();
  return embeds;
}

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw InvalidArgument("'" + path + "' is no prompt embeddings file: " + what +
                        "; expected what vidrt encode or PromptEmbeds.save writes. " + kAdvice);
}

void check_values(const PromptEmbeds& embeds, const std::string& path) {
  if (!std::all_of(embeds.values.begin(), embeds.values.end(), [](float value) { return std::isfinite(value); })) {
    refuse(path, "it holds values that are not finite");
  }
  if (!std::all_of(embeds.mask.begin(), embeds.mask.end(), [](std::int64_t bit) { return bit == 0 || bit == 1; })) {
    refuse(path, "its mask holds values other than 0 and 1");
  }
}

}  // namespace

void PromptEmbeds::save(const std::string& path) const {
  check_consistent(*this);
  require_utf8(prompt);
  const std::string header = header_of(*this);
  const std::uint64_t length_field = header.size();
  AtomicFile file(path);
  file.write(&length_field, kLengthBytes);
  file.write(header.data(), header.size());
  file.write(values.data(), values.size() * sizeof(float));
  file.write(mask.data(), mask.size() * sizeof(std::int64_t));
  file.commit();
}

PromptEmbeds PromptEmbeds::load(const std::string& path) {
  std::string bytes;
  try {
    const Layout largest(kMaxLength, kMaxDim);
    bytes = read_file(path, kLengthBytes + kMaxHeaderBytes + largest.embeds_bytes + largest.mask_bytes);
  } catch (const BundleError& error) {
    throw IoError(error.what());
  }
  std::uint64_t header_bytes = 0;
  if (bytes.size() < kLengthBytes) refuse(path, "it has only " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - kLengthBytes) {
    refuse(path, "its header would have " + std::to_string(header_bytes) + " bytes");
  }
  PromptEmbeds embeds;
  try {
    embeds = read_header(bytes.substr(kLengthBytes, static_cast<std::size_t>(header_bytes)), path);
  } catch (const BundleError& error) {
    throw InvalidArgument(error.what());
  }
  const Layout layout(embeds.length, embeds.dim);
  const std::uint64_t expected = kLengthBytes + header_bytes + layout.embeds_bytes + layout.mask_bytes;
  if (bytes.size() != expected) {
    refuse(path, "it has " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(expected));
  }
  const char* data = bytes.data() + kLengthBytes + header_bytes;
  embeds.values.resize(static_cast<std::size_t>(embeds.length * embeds.dim));
  embeds.mask.resize(static_cast<std::size_t>(embeds.length));
  std::memcpy(embeds.values.data(), data, static_cast<std::size_t>(layout.embeds_bytes));
  std::memcpy(embeds.mask.data(), data + layout.embeds_bytes, static_cast<std::size_t>(layout.mask_bytes));
  check_values(embeds, path);
  return embeds;
}

}  // namespace vidrt
