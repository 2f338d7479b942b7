// The engine cache as the core reads it, so that Python and the runtime agree on which engine may be used.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cstdint>
#include <exception>
#include <map>
#include <string>

#include "bindings/bindings.h"
#include "runtime/engine_store.h"
#include "runtime/engine_target.h"
#include "runtime/tensorrt_library.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

using Sizes = std::map<std::string, std::int64_t>;

std::filesystem::path find_sidecar(const std::filesystem::path& folder, const Bundle& bundle, const std::string& module,
                                   const std::string& backend, const std::string& version,
                                   const std::string& compute_capability, const Sizes& sizes) {
  EngineWish wish{bundle, module, "", backend, version, compute_capability, {}};
  for (const auto& [name, size] : sizes) wish.sizes[name] = {size, size};
  return find_engine(folder.string(), wish).path;
}

std::string fault_of_all(const std::filesystem::path& folder, const Bundle& bundle, const std::string& module,
                         const std::string& variant, const std::string& backend, const std::string& version,
                         const std::string& compute_capability) {
  return engine_fault(folder.string(), {bundle, module, variant, backend, version, compute_capability, {}});
}

std::string changed_since(const std::filesystem::path& sidecar, const Bundle& bundle) {
  return changed_source(read_engine_sidecar(sidecar.string()), bundle);
}

// Owned by the interpreter for good, as the classes of bind_errors.cpp.
PyObject* missing_engine_class = nullptr;

// Registered after the translator of all errors, and so asked before it.
void translate_missing_engine(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const MissingEngine& missing) {
    const py::object error = py::handle(missing_engine_class)(missing.what());
    error.attr("module") = missing.module;
    error.attr("variant") = missing.variant;
    py::dict sizes;
    for (const auto& [name, size] : missing.sizes) sizes[py::str(name)] = py::make_tuple(size.min, size.max);
    error.attr("sizes") = sizes;
    PyErr_SetObject(missing_engine_class, error.ptr());
  }
}

void bind_missing_engine(py::module_& m) {
  py::dict attributes;
  attributes["module"] = "";
  attributes["variant"] = "";
  attributes["sizes"] = py::dict();
  missing_engine_class = PyErr_NewExceptionWithDoc("vidrt._core.MissingEngine", "No engine of a module fits.",
                                                   m.attr("BackendError").ptr(), attributes.ptr());
  if (missing_engine_class == nullptr) throw py::error_already_set();
  m.add_object("MissingEngine", missing_engine_class);
  py::register_exception_translator(&translate_missing_engine);
}

}  // namespace

void bind_engines(py::module_& m) {
  bind_missing_engine(m);
  m.def("add_tensorrt_search_path", &add_tensorrt_search_path, py::arg("backend"), py::arg("folder"));
  m.def("find_engine", &find_sidecar, py::arg("folder"), py::arg("bundle"), py::arg("module"), py::arg("backend"),
        py::arg("version"), py::arg("compute_capability"), py::arg("sizes"), py::call_guard<py::gil_scoped_release>());
  m.def("engine_fault", &fault_of_all, py::arg("folder"), py::arg("bundle"), py::arg("module"), py::arg("variant"),
        py::arg("backend"), py::arg("version"), py::arg("compute_capability"),
        py::call_guard<py::gil_scoped_release>());
  m.def("same_version", &same_version, py::arg("a"), py::arg("b"));
  m.def("runs_on", &runs_on, py::arg("targets"), py::arg("compute_capability"));
  m.def("changed_source", &changed_since, py::arg("sidecar"), py::arg("bundle"));
}

}  // namespace vidrt::bindings
