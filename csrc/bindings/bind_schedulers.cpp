// The sampling tables and the initial noise, for tests and for people who want to look at them.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "runtime/philox.h"
#include "runtime/scheduler.h"
#include "vidrt/errors.h"

namespace py = pybind11;

namespace vidrt::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style>;

py::array_t<double> timesteps(const SchedulerTable& table) {
  py::array_t<double> values(static_cast<py::ssize_t>(table.steps.size()));
  for (std::size_t i = 0; i < table.steps.size(); ++i) values.mutable_at(i) = table.steps[i].timestep;
  return values;
}

void check_size(const char* name, const FloatArray& array, py::ssize_t count) {
  if (array.size() == count) return;
  throw InvalidArgument(std::string(name) + " has " + std::to_string(array.size()) + " elements; expected " +
                        std::to_string(count) + ", as sample.");
}

const float* readable(const char* name, const FloatArray& array, py::ssize_t count) {
  check_size(name, array, count);
  return array.data();
}

float* writable(const char* name, FloatArray& array, py::ssize_t count) {
  check_size(name, array, count);
  return array.mutable_data();
}

std::vector<FloatArray> run_step(const SchedulerTable& table, int step, FloatArray sample, const FloatArray& output,
                                 const std::optional<FloatArray>& output_negative, float guidance_scale,
                                 std::optional<FloatArray> prev_sample, std::vector<FloatArray> history) {
  if (step < 0 || static_cast<std::size_t>(step) >= table.steps.size()) {
    throw InvalidArgument("step is " + std::to_string(step) + "; expected 0 to " +
                          std::to_string(table.steps.size() - 1) + ".");
  }
  if (table.needs_prev_sample != prev_sample.has_value() || history.size() != std::size_t(table.num_history)) {
    throw InvalidArgument("scheduler '" + table.name + "' takes " + std::to_string(table.num_history) +
                          " history arrays and " + (table.needs_prev_sample ? "a" : "no") + " prev_sample.");
  }
  StepTensors tensors;
  tensors.count = sample.size();
  tensors.sample = sample.mutable_data();
  tensors.output_positive = readable("output", output, tensors.count);
  if (output_negative) tensors.output_negative = readable("output_negative", *output_negative, tensors.count);
  tensors.guidance_scale = guidance_scale;
  if (prev_sample) tensors.prev_sample = writable("prev_sample", *prev_sample, tensors.count);
  for (std::size_t i = 0; i < history.size(); ++i) {
    tensors.history[i] = writable("history", history[i], tensors.count);
  }
  apply_step(table, step, tensors);
  // Returned in the order of the next step, as rotate_history does with pointers.
  if (history.size() > 1) std::rotate(history.begin(), history.end() - 1, history.end());
  return history;
}

FloatArray standard_normal(std::uint64_t seed, std::int64_t count, std::uint32_t stream) {
  if (count < 0) throw InvalidArgument("count is " + std::to_string(count) + "; expected 0 or more.");
  FloatArray values(count);
  fill_standard_normal_range(seed, 0, count, values.mutable_data(), stream);
  return values;
}

}  // namespace

void bind_schedulers(py::module_& m) {
  py::class_<StepCoefficients>(m, "StepCoefficients")
      .def_readonly("timestep", &StepCoefficients::timestep)
      .def_readonly("to_m_sample", &StepCoefficients::to_m_sample)
      .def_readonly("to_m_output", &StepCoefficients::to_m_output)
      .def_readonly("correct", &StepCoefficients::correct)
      .def_readonly("c_prev", &StepCoefficients::c_prev)
      .def_readonly("c_m", &StepCoefficients::c_m)
      .def_readonly("c_history", &StepCoefficients::c_history)
      .def_readonly("p_sample", &StepCoefficients::p_sample)
      .def_readonly("p_m", &StepCoefficients::p_m)
      .def_readonly("p_history", &StepCoefficients::p_history);
  py::class_<SchedulerTable>(m, "SchedulerTable")
      .def_readonly("name", &SchedulerTable::name)
      .def_readonly("init_noise_sigma", &SchedulerTable::init_noise_sigma)
      .def_property_readonly(
          "start", [](const SchedulerTable& table) { return std::make_pair(table.start.alpha, table.start.sigma); })
      .def_readonly("num_history", &SchedulerTable::num_history)
      .def_readonly("needs_prev_sample", &SchedulerTable::needs_prev_sample)
      .def_readonly("adds_noise", &SchedulerTable::adds_noise)
      .def_readonly("sigmas", &SchedulerTable::sigmas)
      .def_readonly("steps", &SchedulerTable::steps)
      .def_property_readonly("timesteps", &timesteps);
  m.def("scheduler_table", &make_scheduler_table, py::arg("config_json"), py::arg("override_name"),
        py::arg("num_inference_steps"), py::arg("first_step") = 0);
  // noconvert: arrays are changed in place, and writing to a converted copy would be lost.
  m.def("scheduler_run_step", &run_step, py::arg("table"), py::arg("step"), py::arg("sample").noconvert(),
        py::arg("output").noconvert(), py::kw_only(), py::arg("output_negative").noconvert() = py::none(),
        py::arg("guidance_scale") = 1.0f, py::arg("prev_sample").noconvert() = py::none(),
        py::arg("history").noconvert() = std::vector<FloatArray>{});
  m.def("standard_normal", &standard_normal, py::arg("seed"), py::arg("count"), py::arg("stream") = 0);
}

}  // namespace vidrt::bindings
