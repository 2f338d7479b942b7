// The option structs, attribute by attribute. Tensors and embeddings are arguments of Pipeline.generate instead,
// because the structs do not keep them alive.
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "runtime/backends.h"
#include "vidrt/options.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

PipelineOptions resolved(PipelineOptions options) {
  resolve_backend(&options);
  return options;
}

}  // namespace

void bind_options(py::module_& m) {
  py::class_<PipelineOptions>(m, "PipelineOptions")
      .def(py::init<>())
      .def_readwrite("backend", &PipelineOptions::backend)
      .def_readwrite("device", &PipelineOptions::device)
      .def_readwrite("threads", &PipelineOptions::threads)
      .def_readwrite("memory_budget", &PipelineOptions::memory_budget)
      .def_readwrite("embeds_cache", &PipelineOptions::embeds_cache)
      .def_readwrite("variant", &PipelineOptions::variant)
      .def_readwrite("cuda_graphs", &PipelineOptions::cuda_graphs)
      .def_readwrite("profile_layers", &PipelineOptions::profile_layers);
  m.def("resolve_backend", &resolved, py::arg("options"));
  py::class_<VaeTiling>(m, "VaeTiling")
      .def(py::init<>())
      .def_readwrite("mode", &VaeTiling::mode)
      .def_readwrite("tile_sample_min_height", &VaeTiling::tile_sample_min_height)
      .def_readwrite("tile_sample_min_width", &VaeTiling::tile_sample_min_width)
      .def_readwrite("tile_sample_stride_height", &VaeTiling::tile_sample_stride_height)
      .def_readwrite("tile_sample_stride_width", &VaeTiling::tile_sample_stride_width);
  py::class_<GenerateOptions>(m, "GenerateOptions")
      .def(py::init<>())
      .def_readwrite("prompt", &GenerateOptions::prompt)
      .def_readwrite("negative_prompt", &GenerateOptions::negative_prompt)
      .def_readwrite("height", &GenerateOptions::height)
      .def_readwrite("width", &GenerateOptions::width)
      .def_readwrite("num_frames", &GenerateOptions::num_frames)
      .def_readwrite("num_inference_steps", &GenerateOptions::num_inference_steps)
      .def_readwrite("guidance_scale", &GenerateOptions::guidance_scale)
      .def_readwrite("seed", &GenerateOptions::seed)
      .def_readwrite("fps", &GenerateOptions::fps)
      .def_readwrite("scheduler", &GenerateOptions::scheduler)
      .def_readwrite("strength", &GenerateOptions::strength)
      .def_readwrite("step_cache", &GenerateOptions::step_cache)
      .def_readwrite("truncate", &GenerateOptions::truncate)
      .def_readwrite("decode_chunk", &GenerateOptions::decode_chunk)
      .def_readwrite("vae_tiling", &GenerateOptions::vae_tiling)
      .def_readwrite("output_type", &GenerateOptions::output_type)
      .def_readwrite("keep_frames", &GenerateOptions::keep_frames);
  py::class_<DecodeOptions>(m, "DecodeOptions")
      .def(py::init<>())
      .def_readwrite("fps", &DecodeOptions::fps)
      .def_readwrite("decode_chunk", &DecodeOptions::decode_chunk)
      .def_readwrite("vae_tiling", &DecodeOptions::vae_tiling)
      .def_readwrite("output_type", &DecodeOptions::output_type)
      .def_readwrite("keep_frames", &DecodeOptions::keep_frames);
}

}  // namespace vidrt::bindings
