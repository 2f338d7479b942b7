// NumPy arrays over memory that a C++ object owns.
#pragma once

#include <pybind11/numpy.h>

#include <utility>
#include <vector>

namespace vidrt::bindings {

/// A read-only array over `data`, which `owner` keeps alive for as long as the array or a view of it lives.
template <typename T>
pybind11::array_t<T> readonly_view(std::vector<pybind11::ssize_t> shape, const T* data, pybind11::handle owner) {
  pybind11::array_t<T> view(std::move(shape), data, owner);  // a base object makes NumPy refer instead of copy
  view.attr("setflags")(pybind11::arg("write") = false);
  return view;
}

}  // namespace vidrt::bindings
