// The engine cache as the core reads it, so that Python and the runtime agree on which engine may be used.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cstdint>
#include <map>
#include <string>

#include "bindings/bindings.h"
#include "runtime/engine_store.h"
#include "runtime/tensorrt_library.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

std::filesystem::path find_sidecar(const std::filesystem::path& folder, const Bundle& bundle, const std::string& module,
                                   const std::string& backend, const std::string& version,
                                   const std::string& compute_capability,
                                   const std::map<std::string, std::int64_t>& sizes) {
  EngineWish wish{bundle, module, "", backend, version, compute_capability, {}};
  for (const auto& [name, size] : sizes) wish.sizes[name] = {size, size};
  return find_engine(folder.string(), wish).path;
}

std::string changed_since(const std::filesystem::path& sidecar, const Bundle& bundle) {
  return changed_source(read_engine_sidecar(sidecar.string()), bundle);
}

}  // namespace

void bind_engines(py::module_& m) {
  m.def("add_tensorrt_search_path", &add_tensorrt_search_path, py::arg("backend"), py::arg("folder"));
  m.def("find_engine", &find_sidecar, py::arg("folder"), py::arg("bundle"), py::arg("module"), py::arg("backend"),
        py::arg("version"), py::arg("compute_capability"), py::arg("sizes"), py::call_guard<py::gil_scoped_release>());
  m.def("changed_source", &changed_since, py::arg("sidecar"), py::arg("bundle"));
}

}  // namespace vidrt::bindings
