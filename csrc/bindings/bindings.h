// The parts of the Python module `vidrt._core`, one function per file. Python's names, types and docstrings are in
// python/vidrt/_core.pyi; what users see is made of these parts in engine/.
#pragma once

#include <pybind11/pybind11.h>

namespace vidrt::bindings {

void bind_errors(pybind11::module_& m);
void bind_manifest(pybind11::module_& m);
void bind_bundle(pybind11::module_& m);
void bind_tokenizer(pybind11::module_& m);
void bind_prompt_embeds(pybind11::module_& m);
void bind_options(pybind11::module_& m);
void bind_plan(pybind11::module_& m);
void bind_video(pybind11::module_& m);
void bind_layer_profile(pybind11::module_& m);
void bind_pipeline(pybind11::module_& m);
void bind_schedulers(pybind11::module_& m);
void bind_onnxruntime(pybind11::module_& m);
void bind_engines(pybind11::module_& m);
void bind_host(pybind11::module_& m);

}  // namespace vidrt::bindings
