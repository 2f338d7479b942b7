#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "vidrt/plan.h"

namespace py = pybind11;

namespace vidrt::bindings {

void bind_plan(py::module_& m) {
  py::class_<PlannedTensor>(m, "PlannedTensor")
      .def_readonly("name", &PlannedTensor::name)
      .def_readonly("bytes", &PlannedTensor::bytes)
      .def_readonly("offset", &PlannedTensor::offset)
      .def_readonly("first_stage", &PlannedTensor::first_stage)
      .def_readonly("last_stage", &PlannedTensor::last_stage);
  py::class_<PlannedModule>(m, "PlannedModule")
      .def_readonly("name", &PlannedModule::name)
      .def_readonly("weight_bytes", &PlannedModule::weight_bytes)
      .def_readonly("streamed_bytes", &PlannedModule::streamed_bytes)
      .def_readonly("packed_bytes", &PlannedModule::packed_bytes)
      .def_readonly("activation_bytes", &PlannedModule::activation_bytes)
      .def_readonly("activation_terms", &PlannedModule::activation_terms);
  py::class_<PlannedTiles>(m, "PlannedTiles")
      .def_readonly("rows", &PlannedTiles::rows)
      .def_readonly("columns", &PlannedTiles::columns)
      .def_readonly("height", &PlannedTiles::height)
      .def_readonly("width", &PlannedTiles::width)
      .def_readonly("overlap_height", &PlannedTiles::overlap_height)
      .def_readonly("overlap_width", &PlannedTiles::overlap_width);
  py::class_<StageMemory>(m, "StageMemory")
      .def_readonly("weight_bytes", &StageMemory::weight_bytes)
      .def_readonly("packed_bytes", &StageMemory::packed_bytes)
      .def_readonly("activation_bytes", &StageMemory::activation_bytes)
      .def_readonly("arena_bytes", &StageMemory::arena_bytes);
  py::class_<GenerationPlan>(m, "GenerationPlan")
      .def_readonly("height", &GenerationPlan::height)
      .def_readonly("width", &GenerationPlan::width)
      .def_readonly("num_frames", &GenerationPlan::num_frames)
      .def_readonly("latent_frames", &GenerationPlan::latent_frames)
      .def_readonly("latent_height", &GenerationPlan::latent_height)
      .def_readonly("latent_width", &GenerationPlan::latent_width)
      .def_readonly("num_inference_steps", &GenerationPlan::num_inference_steps)
      .def_readonly("guidance", &GenerationPlan::guidance)
      .def_readonly("image_conditioning", &GenerationPlan::image_conditioning)
      .def_readonly("strength", &GenerationPlan::strength)
      .def_readonly("step_cache", &GenerationPlan::step_cache)
      .def_readonly("decode_chunk", &GenerationPlan::decode_chunk)
      .def_readonly("tiles", &GenerationPlan::tiles)
      .def_readonly("stages", &GenerationPlan::stages)
      .def_readonly("stage_memory", &GenerationPlan::stage_memory)
      .def_readonly("tensors", &GenerationPlan::tensors)
      .def_readonly("arena_bytes", &GenerationPlan::arena_bytes)
      .def_readonly("unshared_bytes", &GenerationPlan::unshared_bytes)
      .def_readonly("residency", &GenerationPlan::residency)
      .def_readonly("weight_bytes", &GenerationPlan::weight_bytes)
      .def_readonly("modules", &GenerationPlan::modules)
      .def_readonly("packed_bytes", &GenerationPlan::packed_bytes)
      .def_readonly("activation_bytes", &GenerationPlan::activation_bytes)
      .def_readonly("activations_known", &GenerationPlan::activations_known);
}

}  // namespace vidrt::bindings
