#include "onnxruntime/custom_ops/custom_ops.h"

#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "onnxruntime/custom_ops/custom_op.h"
#include "onnxruntime/custom_ops/matmul_op.h"
#include "onnxruntime/custom_ops/ort_call.h"
#include "onnxruntime/custom_ops/signature.h"
#include "onnxruntime/ort_handle.h"

namespace vidrt::custom_ops {
namespace {

constexpr ONNXTensorElementDataType kTypes[] = {
    ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16};

// Before 1.24, ONNX Runtime reads through a null pointer when a node with an inference function lacks an optional input
// before others. There shapes become known in the run only, which costs it some planning of memory.
bool may_infer_shapes(const char* version) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(version, "%d.%d", &major, &minor) != 2) return false;
  return major > 1 || (major == 1 && minor >= 24);
}

// The operators with the domain that lists them.
class Domain {
 public:
  Domain(const OrtApi& api, bool infers_shapes, int threads)
      : matmul_(api, infers_shapes, threads), domain_(nullptr, api.ReleaseCustomOpDomain) {
    OrtCustomOpDomain* raw = nullptr;
    require(api, api.CreateCustomOpDomain(kDomain, &raw));
    domain_.reset(raw);
    for (const Signature& signature : signatures()) {
      for (const ONNXTensorElementDataType type : kTypes) {
        ops_.emplace_back(signature, type, api, infers_shapes, threads);
        require(api, api.CustomOpDomain_Add(raw, &ops_.back()));
      }
    }
    require(api, api.CustomOpDomain_Add(raw, &matmul_));
  }

  OrtCustomOpDomain* get() const { return domain_.get(); }

 private:
  std::deque<CustomOp> ops_;  // the domain has their addresses
  MatMulOp matmul_;
  OrtHandle<OrtCustomOpDomain> domain_;
};

// Kept for good: the domain has to outlive every session that uses it, and sessions may live in static objects.
OrtCustomOpDomain* domain_for(const OrtApi& api, bool infers_shapes, int threads) {
  static std::mutex mutex;
  static auto* const known = new std::map<std::pair<const OrtApi*, int>, std::unique_ptr<Domain>>;
  const std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Domain>& domain = (*known)[{&api, threads}];
  if (domain == nullptr) domain = std::make_unique<Domain>(api, infers_shapes, threads);
  return domain->get();
}

}  // namespace

bool exists(const std::string& name) {
  for (const Signature& signature : signatures()) {
    if (name == std::string(kDomain) + "::" + signature.name) return true;
  }
  return false;
}

OrtStatus* add_to(OrtSessionOptions* options, const OrtApi& api, const char* version, int threads) noexcept {
  std::string where;
  return as_status(api, where, [&] {
    where = "registering the vidrt operators";
    require(api, api.AddCustomOpDomain(options, domain_for(api, may_infer_shapes(version), threads)));
  });
}

}  // namespace vidrt::custom_ops
