// ONNX Runtime's own profile of a session: a file of events that it writes when told to end it.
#pragma once

#include <onnxruntime_c_api.h>

#include <string>

#include "runtime/layer_times.h"

namespace vidrt {

/// The times of a profile's nodes. A run's nodes stand before the event of the run. Throws BackendError for a file that
/// is not one of ONNX Runtime's profiles.
LayerTimes read_ort_profile(const std::string& path);

/// Has one session profiled, in a folder of its own that goes with this.
class OrtProfile {
 public:
  /// Makes the folder, where the system keeps temporary files. Throws IoError.
  OrtProfile();
  ~OrtProfile();
  OrtProfile(const OrtProfile&) = delete;
  OrtProfile& operator=(const OrtProfile&) = delete;

  /// For the session that is made with `options`. Throws BackendError.
  void enable(const OrtApi& api, ::OrtSessionOptions* options) const;
  /// End the profile and read it, once. `runs`: how many the session made. Throws BackendError.
  static LayerTimes end(const OrtApi& api, ::OrtSession* session, int runs);

 private:
  std::string folder_;
};

}  // namespace vidrt
