// The pipeline. Every call gives up the GIL: a generation holds the pipeline's lock while its callbacks wait for the
// GIL, so a call that waited for that lock with the GIL in its hands would never end.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <optional>
#include <string>

#include "bindings/bindings.h"
#include "bindings/python_callbacks.h"
#include "runtime/generation.h"
#include "vidrt/pipeline.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

using Latents = py::array_t<float, py::array::c_style>;
using Pixels = py::array_t<std::uint8_t, py::array::c_style>;

// The core only reads it; TensorView has no const form.
template <typename T>
TensorView view_of(const py::array_t<T, py::array::c_style>& array, DType dtype) {
  return {const_cast<T*>(array.data()), dtype, Shape(array.shape(), array.shape() + array.ndim())};
}

TensorView view_of(const Latents& latents) { return view_of(latents, DType::kFloat32); }

GenerateOptions with_tensors(GenerateOptions options, const std::optional<Latents>& latents,
                             const std::optional<Pixels>& image, const std::optional<Pixels>& video,
                             const PromptEmbeds* prompt_embeds, const PromptEmbeds* negative_prompt_embeds) {
  if (latents) options.latents = view_of(*latents);
  if (image) options.image = view_of(*image, DType::kUInt8);
  if (video) options.video = view_of(*video, DType::kUInt8);
  options.prompt_embeds = prompt_embeds;
  options.negative_prompt_embeds = negative_prompt_embeds;
  return options;
}

Pipeline open_pipeline(const std::filesystem::path& bundle, const PipelineOptions& options) {
  const py::gil_scoped_release no_gil;
  return Pipeline::open(bundle.string(), options);
}

PromptEmbeds encode_prompt(Pipeline& pipeline, const std::string& prompt, bool truncate, const CancelToken* cancel,
                           const PythonCallbacks& callbacks) {
  const Callbacks core_callbacks = callbacks.callbacks(cancel);
  const py::gil_scoped_release no_gil;
  return pipeline.encode_prompt(prompt, truncate, core_callbacks);
}

void check_options(const Bundle& bundle, const GenerateOptions& options, const std::optional<Latents>& latents,
                   const std::optional<Pixels>& image, const std::optional<Pixels>& video,
                   const PromptEmbeds* prompt_embeds, const PromptEmbeds* negative_prompt_embeds) {
  check_generation(bundle, with_tensors(options, latents, image, video, prompt_embeds, negative_prompt_embeds));
}

GenerationPlan plan(const Pipeline& pipeline, const GenerateOptions& options, const std::optional<Latents>& latents,
                    const std::optional<Pixels>& image, const std::optional<Pixels>& video,
                    const PromptEmbeds* prompt_embeds, const PromptEmbeds* negative_prompt_embeds) {
  const GenerateOptions complete = with_tensors(options, latents, image, video, prompt_embeds, negative_prompt_embeds);
  const py::gil_scoped_release no_gil;
  return pipeline.plan(complete);
}

GenerationPlan plan_decode(const Pipeline& pipeline, DecodeOptions options, const Latents& latents) {
  options.latents = view_of(latents);
  const py::gil_scoped_release no_gil;
  return pipeline.plan_decode(options);
}

Video decode_latents(Pipeline& pipeline, DecodeOptions options, const Latents& latents, const CancelToken* cancel,
                     const PythonCallbacks& callbacks) {
  options.latents = view_of(latents);
  const Callbacks core_callbacks = callbacks.callbacks(cancel);
  const py::gil_scoped_release no_gil;
  return pipeline.decode_latents(options, core_callbacks);
}

Video generate(Pipeline& pipeline, const GenerateOptions& options, const std::optional<Latents>& latents,
               const std::optional<Pixels>& image, const std::optional<Pixels>& video,
               const PromptEmbeds* prompt_embeds, const PromptEmbeds* negative_prompt_embeds, const CancelToken* cancel,
               const PythonCallbacks& callbacks) {
  const GenerateOptions complete = with_tensors(options, latents, image, video, prompt_embeds, negative_prompt_embeds);
  const Callbacks core_callbacks = callbacks.callbacks(cancel);
  const py::gil_scoped_release no_gil;
  return pipeline.generate(complete, core_callbacks);
}

}  // namespace

void bind_pipeline(py::module_& m) {
  py::class_<CancelToken>(m, "CancelToken", "Asks a running generation to stop, from any thread or signal handler.")
      .def(py::init<>())
      .def("cancel", &CancelToken::cancel)
      .def("reset", &CancelToken::reset)
      .def_property_readonly("cancelled", &CancelToken::cancelled);
  py::class_<PythonCallbacks>(m, "Callbacks")
      .def(py::init<py::object, py::object, py::object, py::object>(), py::kw_only(), py::arg("on_stage") = py::none(),
           py::arg("on_step") = py::none(), py::arg("on_frames") = py::none(), py::arg("on_warning") = py::none());
  m.def("check_options", &check_options, py::arg("bundle"), py::arg("options"), py::arg("latents").noconvert(),
        py::arg("image").noconvert(), py::arg("video").noconvert(), py::arg("prompt_embeds"),
        py::arg("negative_prompt_embeds"));
  py::class_<Pipeline>(m, "Pipeline")
      .def(py::init(&open_pipeline), py::arg("bundle"), py::arg("options"))
      .def_property_readonly("bundle", &Pipeline::bundle, py::return_value_policy::reference_internal)
      .def_property_readonly("backend_description", &Pipeline::backend_description)
      .def("encode_prompt", &encode_prompt, py::arg("prompt"), py::arg("truncate"), py::arg("cancel"),
           py::arg("callbacks"))
      .def("plan", &plan, py::arg("options"), py::arg("latents").noconvert(), py::arg("image").noconvert(),
           py::arg("video").noconvert(), py::arg("prompt_embeds"), py::arg("negative_prompt_embeds"))
      .def("activations_file", &Pipeline::activations_file, py::arg("module"))
      .def("plan_decode", &plan_decode, py::arg("options"), py::arg("latents").noconvert())
      .def("decode_latents", &decode_latents, py::arg("options"), py::arg("latents").noconvert(), py::arg("cancel"),
           py::arg("callbacks"))
      .def("generate", &generate, py::arg("options"), py::arg("latents").noconvert(), py::arg("image").noconvert(),
           py::arg("video").noconvert(), py::arg("prompt_embeds"), py::arg("negative_prompt_embeds"), py::arg("cancel"),
           py::arg("callbacks"))
      .def("take_layer_profile", &Pipeline::take_layer_profile, py::call_guard<py::gil_scoped_release>());
}

}  // namespace vidrt::bindings
