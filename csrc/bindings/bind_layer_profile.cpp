#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "vidrt/layer_profile.h"

namespace py = pybind11;

namespace vidrt::bindings {

void bind_layer_profile(py::module_& m) {
  py::class_<LayerTime>(m, "LayerTime")
      .def_readonly("name", &LayerTime::name)
      .def_readonly("type", &LayerTime::type)
      .def_readonly("median_ms", &LayerTime::median_ms)
      .def_readonly("share", &LayerTime::share);
  py::class_<ModuleProfile>(m, "ModuleProfile")
      .def_readonly("module", &ModuleProfile::module)
      .def_readonly("variant", &ModuleProfile::variant)
      .def_readonly("runs", &ModuleProfile::runs)
      .def_readonly("missed_runs", &ModuleProfile::missed_runs)
      .def_readonly("run_ms", &ModuleProfile::run_ms)
      .def_readonly("layers", &ModuleProfile::layers);
}

}  // namespace vidrt::bindings
