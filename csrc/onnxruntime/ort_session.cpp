#include "onnxruntime/ort_session.h"

#include <utility>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

ONNXTensorElementDataType element_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case DType::kFloat16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case DType::kBFloat16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
    case DType::kInt64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case DType::kInt32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case DType::kUInt8: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case DType::kBool: return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

bool same(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].view.data != b[i].view.data || a[i].view.dtype != b[i].view.dtype || a[i].view.shape != b[i].view.shape ||
        a[i].name != b[i].name) {
      return false;
    }
  }
  return true;
}

template <typename T, typename Create>
T* make(const OrtApi& api, const std::string& what, Create create) {
  T* object = nullptr;
  check_ort(api, create(&object), what);
  return object;
}

}  // namespace

OrtSession::OrtSession(const OrtApi& api, std::string module, OrtHandle<::OrtSession> session)
    : api_(api),
      module_(std::move(module)),
      session_(std::move(session)),
      memory_(own(make<OrtMemoryInfo>(api, "describing host memory",
                                      [&](OrtMemoryInfo** out) {
                                        return api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, out);
                                      }),
                  api.ReleaseMemoryInfo)),
      run_options_(own(make<OrtRunOptions>(api, "making run options",
                                           [&](OrtRunOptions** out) { return api.CreateRunOptions(out); }),
                       api.ReleaseRunOptions)),
      binding_(own(make<OrtIoBinding>(api, "making an I/O binding",
                                      [&](OrtIoBinding** out) { return api.CreateIoBinding(session_.get(), out); }),
                   api.ReleaseIoBinding)) {}

void OrtSession::bind(Side side, const std::vector<NamedTensor>& tensors, std::vector<NamedTensor>* bound) {
  if (same(tensors, *bound)) return;
  bound->clear();  // a failure below leaves nothing that looks bound
  side == Side::kInput ? api_.ClearBoundInputs(binding_.get()) : api_.ClearBoundOutputs(binding_.get());
  const auto attach = side == Side::kInput ? api_.BindInput : api_.BindOutput;
  for (const NamedTensor& tensor : tensors) {
    const TensorView& view = tensor.view;
    const std::string what = "binding '" + tensor.name + "' of " + module_;
    const OrtHandle<OrtValue> value = own(
        make<OrtValue>(api_, what,
                       [&](OrtValue** out) {
                         return api_.CreateTensorWithDataAsOrtValue(memory_.get(), view.data, view.bytes(),
                                                                    view.shape.data(), view.shape.size(),
                                                                    element_type(view.dtype), out);
                       }),
        api_.ReleaseValue);
    check_ort(api_, attach(binding_.get(), tensor.name.c_str(), value.get()), what);
  }
  *bound = tensors;
}

void OrtSession::run(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& outputs) {
  bind(Side::kInput, inputs, &bound_inputs_);
  bind(Side::kOutput, outputs, &bound_outputs_);
  check_ort(api_, api_.RunWithBinding(session_.get(), run_options_.get(), binding_.get()), "running " + module_);
}

}  // namespace vidrt
