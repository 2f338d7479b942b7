// The exception tree of vidrt. Messages say what was wrong, what was got, what was expected and what to do next.
// Python mirrors it class by class (vidrt.Error, ...), C as vidrt_status values.
#pragma once

#include <stdexcept>
#include <string>

#include "vidrt/api.h"

namespace vidrt {

/// Base of everything vidrt throws on purpose.
class VIDRT_API Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
  ~Error() override;  // out of line: one vtable for the whole process, so that catch works across libraries
};

/// The caller's fault: an option, size or prompt that the model cannot do. Nothing was started.
class VIDRT_API InvalidArgument : public Error {
 public:
  using Error::Error;
  ~InvalidArgument() override;
};

/// The bundle is missing, damaged, hostile or of a schema this version does not read.
class VIDRT_API BundleError : public Error {
 public:
  using Error::Error;
  ~BundleError() override;
};

/// A backend is missing, cannot be loaded, or failed while it ran.
class VIDRT_API BackendError : public Error {
 public:
  using Error::Error;
  ~BackendError() override;
};

/// The plan does not fit the memory budget, or the system refused the memory.
class VIDRT_API OutOfMemory : public Error {
 public:
  using Error::Error;
  ~OutOfMemory() override;
};

/// A file could not be read or written (permissions, a full disk).
class VIDRT_API IoError : public Error {
 public:
  using Error::Error;
  ~IoError() override;
};

/// Generation was cancelled through its CancelToken. The pipeline stays usable.
class VIDRT_API Cancelled : public Error {
 public:
  using Error::Error;
  ~Cancelled() override;
};

}  // namespace vidrt
