// What a kernel did that a GPU would not forgive.
#pragma once

#include <stdexcept>
#include <string>

namespace vidrt::cuda_host {

struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The line of kernel code that asks for something; the same for all threads that execute it.
struct Site {
  const char* file;
  int line;

  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
  friend bool operator==(const Site& a, const Site& b) { return a.file == b.file && a.line == b.line; }
};

inline std::string to_string(const Site& site) { return std::string(site.file) + ":" + std::to_string(site.line); }

}  // namespace vidrt::cuda_host
