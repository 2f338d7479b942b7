// The bundle reader. There is no other validator: Python only looks at what it has accepted.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include "bindings/bindings.h"
#include "vidrt/bundle.h"

namespace py = pybind11;

namespace vidrt::bindings {

void bind_bundle(py::module_& m) {
  py::class_<Bundle>(m, "Bundle")
      .def_static(
          "open", [](const std::filesystem::path& path) { return Bundle::open(path.string()); }, py::arg("path"),
          py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("path", &Bundle::path)
      .def_property_readonly("manifest", &Bundle::manifest, py::return_value_policy::reference_internal)
      .def_property_readonly("manifest_json", &Bundle::manifest_json)
      .def("resolve", &Bundle::resolve, py::arg("relative"))
      .def("verify_weights", &Bundle::verify_weights, py::call_guard<py::gil_scoped_release>());
}

}  // namespace vidrt::bindings
