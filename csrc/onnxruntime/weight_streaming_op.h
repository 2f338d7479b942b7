// The operator of graphs that stream_kernels() made: its result is a weight, read from its file in every run.
#pragma once

#include <onnxruntime_c_api.h>

#include <memory>
#include <vector>

#include "onnxruntime/ort_handle.h"
#include "runtime/mapped_file.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// Where a weight lies, as what, and its shape.
struct StreamedWeight {
  std::shared_ptr<const MappedFile> file;
  std::uint64_t offset = 0;       // a multiple of 4 bytes
  DType dtype = DType::kFloat32;  // float32, float16 or bfloat16; read as float32
  Shape shape;
};

/// The weights that one session reads, and the operator that does it. Keep it until the session is gone.
class WeightStreaming {
 public:
  /// Throws BackendError.
  WeightStreaming(const OrtApi& api, std::vector<StreamedWeight> weights);
  WeightStreaming(const WeightStreaming&) = delete;
  WeightStreaming& operator=(const WeightStreaming&) = delete;
  ~WeightStreaming();

  /// Make a session with these options know the operator. Throws BackendError.
  void add_to(OrtSessionOptions* options) const;

 private:
  struct Op;

  const OrtApi& api_;
  std::unique_ptr<Op> op_;
  OrtHandle<OrtCustomOpDomain> domain_;
};

}  // namespace vidrt
