// Python callables as the core's Callbacks.
#pragma once

#include <pybind11/pybind11.h>

#include "vidrt/events.h"

namespace vidrt::bindings {

/// Callables or None. Outlives the generation; callbacks() refers to it.
struct PythonCallbacks {
  pybind11::object on_stage;    // (stage: str, done: int, total: int)
  pybind11::object on_step;     // (step: int, num_inference_steps: int, timestep: float)
  pybind11::object on_frames;   // (first_frame: int, frames: (n,H,W,3), a copy that is the callee's to keep)
  pybind11::object on_warning;  // (message: str)

  /// Callbacks that take the GIL, run pending signal handlers (so that Ctrl-C ends a generation between steps and
  /// chunks, as the handler's own exception), then call the Python side. Exceptions leave as they are.
  Callbacks callbacks(const CancelToken* cancel) const;
};

}  // namespace vidrt::bindings
