// vidrt's own libraries that are opened only when they are needed, because they need what not every machine has.
#pragma once

#include <mutex>
#include <string>

namespace vidrt {

/// The folder of the file that this code is in: a program, libvidrt.so or the Python extension. Empty where unknown.
std::string own_folder();

/// libNAME.so, of this very version of vidrt: `extern "C" const char* NAME_version()` says which it is. Looked for in
/// the folder that VIDRT_LIBRARY_DIR names (and no other, where it is set), beside this code, and on the loader's path;
/// never closed. Thread-safe.
class OwnLibrary {
 public:
  /// `name`: "vidrt_cuda". `without`: what to tell who does not have it, a sentence that begins an error's message and
  /// says what to do ("this vidrt was built without CUDA; ...").
  OwnLibrary(std::string name, std::string without);

  /// Whether there is such a file to open; what is wrong with it is said when it is opened.
  bool exists();

  /// The function `name` of the library, which is opened if it is not yet. Throws BackendError that lists what was
  /// tried; the next call tries again.
  template <typename Function>
  Function* function(const char* name) {
    return reinterpret_cast<Function*>(symbol(name));
  }

 private:
  struct Found {
    void* handle = nullptr;
    bool is_there = false;  // a file, whether or not it could be opened
    std::string tried;
  };

  void* symbol(const char* name);
  void open();
  Found search() const;
  bool take(const std::string& file, const std::string& origin, Found* found) const;

  const std::string name_;
  const std::string file_;
  const std::string without_;
  std::mutex mutex_;
  void* handle_ = nullptr;
};

}  // namespace vidrt
