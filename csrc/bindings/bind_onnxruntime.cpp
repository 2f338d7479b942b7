// Where ONNX Runtime is looked for, and which was found.
#include <pybind11/stl.h>

#include <map>
#include <string>
#include <vector>

#include "bindings/bindings.h"
#include "onnxruntime/ort_library.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

std::map<std::string, std::string> onnxruntime_facts() {
  const OrtLibrary& library = ort_library();
  return {{"version", library.version}, {"path", library.path}};
}

std::vector<std::string> onnxruntime_providers() {
  const OrtApi& api = *ort_library().api;
  char** names = nullptr;
  int count = 0;
  check_ort(api, api.GetAvailableProviders(&names, &count), "asking ONNX Runtime for its execution providers");
  std::vector<std::string> providers(names, names + count);
  check_ort(api, api.ReleaseAvailableProviders(names, count), "freeing ONNX Runtime's list of execution providers");
  return providers;
}

}  // namespace

void bind_onnxruntime(py::module_& m) {
  m.def("add_onnxruntime_search_path", &add_onnxruntime_search_path, py::arg("folder"));
  m.def("onnxruntime_facts", &onnxruntime_facts, py::call_guard<py::gil_scoped_release>());
  m.def("onnxruntime_providers", &onnxruntime_providers, py::call_guard<py::gil_scoped_release>());
}

}  // namespace vidrt::bindings
