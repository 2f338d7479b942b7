// What an engine was built for, and whether that is what is here: one rule for the core, which loads engines, and for
// Python, which builds, lists and removes them.
#pragma once

#include <string>
#include <vector>

namespace vidrt {

/// Whether two versions of TensorRT are one. Python's bindings, which build, and the library, which runs, say versions
/// of different length: "10.3.0" on a Jetson, "10.3.0.30" elsewhere. What both say has to be the same, three numbers or
/// more; what follows the numbers, as in "10.0.0b6", is a package's and not the library's.
bool same_version(const std::string& a, const std::string& b);

/// Whether an engine for `targets` runs on a device of a compute capability. "8.9" is that alone, "12.0+" that and all
/// later.
bool runs_on(const std::vector<std::string>& targets, const std::string& compute_capability);

/// The processor's architecture, as "x86_64"; empty where the system does not say it.
std::string processor();

}  // namespace vidrt
