// Where ONNX Runtime is looked for, and which was found.
#include <pybind11/stl.h>

#include <map>
#include <string>

#include "bindings/bindings.h"
#include "onnxruntime/ort_library.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

std::map<std::string, std::string> onnxruntime_facts() {
  const OrtLibrary& library = ort_library();
  return {{"version", library.version}, {"path", library.path}};
}

}  // namespace

void bind_onnxruntime(py::module_& m) {
  m.def("add_onnxruntime_search_path", &add_onnxruntime_search_path, py::arg("folder"));
  m.def("onnxruntime_facts", &onnxruntime_facts, py::call_guard<py::gil_scoped_release>());
}

}  // namespace vidrt::bindings
