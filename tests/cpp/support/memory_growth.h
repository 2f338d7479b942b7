// What tests that watch the process's memory share.
#pragma once

#include <dlfcn.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace vidrt::testing {

inline std::int64_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::int64_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

// A sanitizer keeps freed memory on purpose, so that resident memory says nothing; it looks for leaks itself.
inline bool under_sanitizer() {
  return dlsym(RTLD_DEFAULT, "__asan_init") != nullptr || dlsym(RTLD_DEFAULT, "__tsan_init") != nullptr;
}

}  // namespace vidrt::testing
