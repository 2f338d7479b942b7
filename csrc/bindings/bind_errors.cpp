// The exception tree of vidrt/errors.h as Python classes. Each is also the builtin a Python caller would expect
// (ValueError, MemoryError, OSError), so that code which knows nothing of vidrt can catch it.
#include "bindings/bindings.h"
#include "vidrt/errors.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

// Owned by the interpreter for good, as static exception types are in every extension module.
struct ErrorClasses {
  PyObject* error;
  PyObject* invalid_argument;
  PyObject* bundle_error;
  PyObject* backend_error;
  PyObject* out_of_memory;
  PyObject* io_error;
  PyObject* cancelled;
};
ErrorClasses classes;

// The class says it lives in `vidrt`, where users import it from: tracebacks and pickles then name that.
PyObject* add_class(py::module_& m, const char* name, const char* doc, const py::tuple& bases) {
  const std::string qualified = std::string("vidrt.") + name;
  PyObject* type = PyErr_NewExceptionWithDoc(qualified.c_str(), doc, bases.ptr(), nullptr);
  if (type == nullptr) throw py::error_already_set();
  m.add_object(name, type);
  return type;
}

py::tuple bases_with(PyObject* builtin) {
  return py::make_tuple(py::handle(classes.error), py::handle(builtin));
}

void translate(std::exception_ptr pointer) {
  if (!pointer) return;
  // From the leaves to the root: the first match wins.
  try {
    std::rethrow_exception(pointer);
  } catch (const InvalidArgument& error) {
    py::set_error(classes.invalid_argument, error.what());
  } catch (const BundleError& error) {
    py::set_error(classes.bundle_error, error.what());
  } catch (const BackendError& error) {
    py::set_error(classes.backend_error, error.what());
  } catch (const OutOfMemory& error) {
    py::set_error(classes.out_of_memory, error.what());
  } catch (const IoError& error) {
    py::set_error(classes.io_error, error.what());
  } catch (const Cancelled& error) {
    py::set_error(classes.cancelled, error.what());
  } catch (const Error& error) {
    py::set_error(classes.error, error.what());
  }
}

}  // namespace

void bind_errors(py::module_& m) {
  classes.error = add_class(m, "Error", "Base of everything vidrt raises on purpose.",
                            py::make_tuple(py::handle(PyExc_Exception)));
  classes.invalid_argument =
      add_class(m, "InvalidArgument", "An option, size or prompt that cannot be used. Nothing was started.",
                bases_with(PyExc_ValueError));
  classes.bundle_error =
      add_class(m, "BundleError", "The bundle is missing, damaged, hostile or of a schema this version does not read.",
                py::make_tuple(py::handle(classes.error)));
  classes.backend_error = add_class(m, "BackendError", "A backend or library is missing, cannot be loaded, or failed.",
                                    py::make_tuple(py::handle(classes.error)));
  classes.out_of_memory =
      add_class(m, "OutOfMemory", "The plan does not fit the memory budget, or the system refused the memory.",
                bases_with(PyExc_MemoryError));
  classes.io_error = add_class(m, "IoError", "A file could not be read or written.", bases_with(PyExc_OSError));
  classes.cancelled = add_class(m, "Cancelled", "The generation was cancelled. The pipeline stays usable.",
                                py::make_tuple(py::handle(classes.error)));
  py::register_exception_translator(&translate);
}

}  // namespace vidrt::bindings
