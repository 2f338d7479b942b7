#include "vidrt/errors.h"

namespace vidrt {

Error::~Error() = default;
InvalidArgument::~InvalidArgument() = default;
BundleError::~BundleError() = default;
BackendError::~BackendError() = default;
OutOfMemory::~OutOfMemory() = default;
IoError::~IoError() = default;
Cancelled::~Cancelled() = default;

}  // namespace vidrt
