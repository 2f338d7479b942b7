#include "bindings/python_callbacks.h"

#include <pybind11/numpy.h>

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

}  // namespace

Callbacks PythonCallbacks::callbacks(const CancelToken* cancel) const {
  Callbacks callbacks;
  callbacks.on_stage = [this](const StageEvent& event) {
    const py::gil_scoped_acquire gil;
    run_signal_handlers();
    if (!on_stage.is_none()) on_stage(stage_name(event.stage), event.done, event.total);
  };
  callbacks.on_step = [this](const StepEvent& event) {
    const py::gil_scoped_acquire gil;
    run_signal_handlers();
    if (!on_step.is_none()) on_step(event.step, event.num_inference_steps, event.timestep);
  };
  callbacks.on_frames = [this](const FramesEvent& event) {
    const py::gil_scoped_acquire gil;
    run_signal_handlers();
    if (on_frames.is_none()) return;
    // Without a base object NumPy copies: the core's pixels are valid during this call only.
    const std::vector<py::ssize_t> shape{event.num_frames, event.height, event.width, 3};
    if (event.rgb_float != nullptr) {
      on_frames(event.first_frame, py::array_t<float>(shape, event.rgb_float));
    } else {
      on_frames(event.first_frame, py::array_t<std::uint8_t>(shape, event.rgb));
    }
  };
  callbacks.on_warning = [this](const std::string& message) {
    const py::gil_scoped_acquire gil;
    if (!on_warning.is_none()) on_warning(message);
  };
  callbacks.cancel = cancel;
  return callbacks;
}

}  // namespace vidrt::bindings
