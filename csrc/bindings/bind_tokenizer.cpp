#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "runtime/tokenizer.h"

namespace py = pybind11;

namespace vidrt::bindings {

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
      .def("encode", &Tokenizer::encode, py::arg("text"));
  m.def("pad_tokens", &pad_tokens, py::arg("tokens"), py::arg("config"), py::arg("truncate") = false);
}

}  // namespace vidrt::bindings
