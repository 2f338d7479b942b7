// What ONNX Runtime shows of a node: while its kernel is made, and while it runs.
#pragma once

#include <onnxruntime_c_api.h>

#include <optional>
#include <string>

#include "kernels/parallel.h"
#include "onnxruntime/custom_ops/arguments.h"
#include "onnxruntime/custom_ops/signature.h"
#include "onnxruntime/ort_handle.h"

namespace vidrt::custom_ops {

/// A node while its kernel is made. Everything throws std::runtime_error with ONNX Runtime's message.
class KernelInfo {
 public:
  KernelInfo(const OrtApi& api, const OrtKernelInfo* info) : api_(api), info_(info) {}

  /// "vidrt::DepthwiseConv3d node 'conv1'", for messages; a node without a name is called by its first output.
  std::string label(const std::string& op_type) const;
  /// With the data of those that are constant.
  Arguments arguments(const Signature& signature) const;
  bool has_output(std::size_t index) const;
  /// What the session takes the node's memory from.
  OrtHandle<OrtAllocator> allocator() const;
  /// With the data where it is constant.
  Argument argument(std::size_t index) const;

 private:
  std::string input_name(std::size_t index) const;
  std::string output_name(std::size_t index) const;

  const OrtApi& api_;
  const OrtKernelInfo* info_;
};

/// A run of a node. Throws as KernelInfo does.
class KernelRun {
 public:
  KernelRun(const OrtApi& api, OrtKernelContext* context, int threads)
      : api_(api), context_(context), threads_(threads) {}

  Arguments arguments(const Signature& signature) const;
  /// No value where the node leaves it out.
  std::optional<Argument> input(std::size_t index) const;
  /// Memory for an output of this shape.
  template <typename Dims>
  void* output(std::size_t index, const Dims& dims) const {
    return output(index, dims.data(), dims.size());
  }
  /// ONNX Runtime's threads; valid as long as this object.
  kernels::ParallelFor parallel();
  /// Throws what kept the threads from running, if anything did.
  void check_threads();

 private:
  void* output(std::size_t index, const std::int64_t* dims, std::size_t rank) const;
  static void run_in_pool(void* self, std::size_t count, kernels::ParallelFor::Body body, void* context);

  const OrtApi& api_;
  OrtKernelContext* context_;
  int threads_;
  OrtStatus* failure_ = nullptr;
};

}  // namespace vidrt::custom_ops
