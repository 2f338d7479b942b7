#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <string>

#include "bindings/array_views.h"
#include "bindings/bindings.h"
#include "vidrt/errors.h"
#include "vidrt/prompt_embeds.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style>;
using IntArray = py::array_t<std::int64_t, py::array::c_style>;

PromptEmbeds make_prompt_embeds(const FloatArray& text_embeds, const IntArray& text_mask, std::string prompt,
                                std::string encoder_id) {
  if (text_embeds.ndim() != 2) {
    throw InvalidArgument("text_embeds must have two dimensions (L, D), got " + std::to_string(text_embeds.ndim()) + ".");
  }
  if (text_mask.ndim() != 1 || text_mask.shape(0) != text_embeds.shape(0)) {
    throw InvalidArgument("text_mask must have one value for each of the " + std::to_string(text_embeds.shape(0)) +
                          " rows of text_embeds, got " + std::to_string(text_mask.size()) + ".");
  }
  PromptEmbeds embeds;
  embeds.prompt = std::move(prompt);
  embeds.encoder_id = std::move(encoder_id);
  embeds.length = text_embeds.shape(0);
  embeds.dim = text_embeds.shape(1);
  embeds.values.assign(text_embeds.data(), text_embeds.data() + text_embeds.size());
  embeds.mask.assign(text_mask.data(), text_mask.data() + text_mask.size());
  return embeds;
}

}  // namespace

void bind_prompt_embeds(py::module_& m) {
  py::class_<PromptEmbeds>(m, "PromptEmbeds", "The text encoder's output for one prompt.")
      .def(py::init(&make_prompt_embeds), py::arg("text_embeds"), py::arg("text_mask"), py::arg("prompt") = "",
           py::arg("encoder_id") = "")
      .def_readonly("prompt", &PromptEmbeds::prompt)
      .def_readonly("encoder_id", &PromptEmbeds::encoder_id)
      .def_property_readonly("text_embeds",
                             [](const py::object& self) {
                               const auto& embeds = self.cast<const PromptEmbeds&>();
                               return readonly_view<float>({embeds.length, embeds.dim}, embeds.values.data(), self);
                             })
      .def_property_readonly("text_mask",
                             [](const py::object& self) {
                               const auto& embeds = self.cast<const PromptEmbeds&>();
                               return readonly_view<std::int64_t>({embeds.length}, embeds.mask.data(), self);
                             })
      .def(
          "save", [](const PromptEmbeds& embeds, const std::filesystem::path& path) { embeds.save(path.string()); },
          py::arg("path"), py::call_guard<py::gil_scoped_release>())
      .def_static(
          "load", [](const std::filesystem::path& path) { return PromptEmbeds::load(path.string()); }, py::arg("path"),
          py::call_guard<py::gil_scoped_release>());
}

}  // namespace vidrt::bindings
