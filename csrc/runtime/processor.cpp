#include "runtime/processor.h"

#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "kernels/cpu_isa.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace vidrt {

int physical_cores() {
#if defined(__linux__)
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    // Hyperthreads of one core share (package, core).
    std::set<std::pair<int, int>> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &allowed)) continue;
      const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      int package = 0;
      int core = cpu;
      std::ifstream(topology + "physical_package_id") >> package;
      std::ifstream core_file(topology + "core_id");
      if (!(core_file >> core)) core = cpu;  // no topology (some containers): count every processor
      cores.insert({package, core});
    }
    if (!cores.empty()) return static_cast<int>(cores.size());
  }
#endif
  const unsigned count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : static_cast<int>(count);
}

std::string processor_description() {
  static const char* const kFields[] = {"vendor_id", "model name", "flags", "CPU implementer", "CPU part", "Features"};
  std::ifstream file("/proc/cpuinfo");
  std::string description;
  // A blank line ends what is said of the first processor.
  for (std::string line; std::getline(file, line) && !line.empty();) {
    for (const char* field : kFields) {
      if (line.rfind(field, 0) == 0) description += line + "\n";
    }
  }
  return description + "kernels : " + kernels::to_string(kernels::cpu_isa()) + "\n";
}

}  // namespace vidrt
