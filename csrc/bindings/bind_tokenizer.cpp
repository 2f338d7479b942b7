#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "runtime/prompt_cleaning.h"
#include "runtime/prompt_length.h"
#include "runtime/tokenizer.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

using AddedTokenMap = std::map<std::string, std::int64_t>;

// A tokenizer without a bundle around it, for comparing one with the library it stands in for.
std::unique_ptr<Tokenizer> load_from_folder(const std::filesystem::path& folder, std::string kind,
                                            std::vector<std::string> files, int max_length, std::int64_t pad_id,
                                            std::int64_t eos_id, std::optional<std::int64_t> unk_id,
                                            AddedTokenMap added_tokens, bool byte_fallback,
                                            std::optional<std::int64_t> bos_id, AddedTokenMap normalized_added_tokens) {
  TokenizerConfig config;
  config.kind = std::move(kind);
  config.files = std::move(files);
  config.max_length = max_length;
  config.pad_id = pad_id;
  config.eos_id = eos_id;
  config.unk_id = unk_id;
  config.added_tokens = std::move(added_tokens);
  config.byte_fallback = byte_fallback;
  config.bos_id = bos_id;
  config.normalized_added_tokens = std::move(normalized_added_tokens);
  return load_tokenizer(config, folder.string());
}

PaddedTokens fit(const Tokenizer& tokenizer, const std::string& prompt, const TokenizerConfig& config, bool truncate) {
  return fit_prompt(tokenizer, config, prompt, truncate).padded;
}

}  // namespace

void bind_tokenizer(py::module_& m) {
  py::class_<Tokens>(m, "Tokens")
      .def_readonly("ids", &Tokens::ids)
      .def_readonly("unknown_words", &Tokens::unknown_words);
  py::class_<PaddedTokens>(m, "PaddedTokens")
      .def_readonly("input_ids", &PaddedTokens::input_ids)
      .def_readonly("attention_mask", &PaddedTokens::attention_mask)
      .def_readonly("truncated", &PaddedTokens::truncated);
  py::class_<Tokenizer>(m, "Tokenizer")
      .def(py::init(&make_tokenizer), py::arg("bundle"))
      .def("encode", &Tokenizer::encode, py::arg("text"))
      .def("fit", &fit, py::arg("prompt"), py::arg("config"), py::arg("truncate") = false);
  m.def("load_tokenizer", &load_from_folder, py::arg("folder"), py::arg("kind"), py::arg("files"), py::kw_only(),
        py::arg("max_length"), py::arg("pad_id"), py::arg("eos_id"), py::arg("unk_id") = py::none(),
        py::arg("added_tokens") = AddedTokenMap{}, py::arg("byte_fallback") = true, py::arg("bos_id") = py::none(),
        py::arg("normalized_added_tokens") = AddedTokenMap{});
  m.def("clean_prompt", &clean_prompt, py::arg("text"), py::arg("cleaning"));
}

}  // namespace vidrt::bindings
