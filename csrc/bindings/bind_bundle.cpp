// The bundle reader. There is no other validator: Python only looks at what it has accepted.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "bindings/bindings.h"
#include "runtime/onnx_graph.h"
#include "vidrt/bundle.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

// Node counts by operator, for people who ask what a graph needs. Opening has checked the file, so it is not absent.
std::map<std::string, std::int64_t> operators(const Bundle& bundle, const Variant& variant) {
  std::ifstream file(bundle.resolve(variant.file), std::ios::binary);
  const std::string model{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return read_onnx_graph(model, variant.file).op_counts;
}

}  // namespace

void bind_bundle(py::module_& m) {
  py::class_<Bundle>(m, "Bundle")
      .def_static(
          "open", [](const std::filesystem::path& path) { return Bundle::open(path.string()); }, py::arg("path"),
          py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("path", &Bundle::path)
      .def_property_readonly("manifest", &Bundle::manifest, py::return_value_policy::reference_internal)
      .def_property_readonly("manifest_json", &Bundle::manifest_json)
      .def("resolve", &Bundle::resolve, py::arg("relative"))
      .def("operators", &operators, py::arg("variant"), py::call_guard<py::gil_scoped_release>())
      .def("verify_weights", &Bundle::verify_weights, py::call_guard<py::gil_scoped_release>());
}

}  // namespace vidrt::bindings
