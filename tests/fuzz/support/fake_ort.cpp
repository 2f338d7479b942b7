#include "support/fake_ort.h"

#include <cstring>

namespace vidrt::testing {
namespace {

struct Status {
  OrtErrorCode code;
  std::string message;
};

using Attribute = decltype(FakeNode::attributes)::mapped_type;

OrtStatus* status(const std::string& message) { return reinterpret_cast<OrtStatus*>(new Status{ORT_FAIL, message}); }

// Handles of ONNX Runtime are ours in disguise.
FakeNode& node(const void* handle) { return *static_cast<FakeNode*>(const_cast<void*>(handle)); }
FakeTensor& tensor(const void* handle) { return *static_cast<FakeTensor*>(const_cast<void*>(handle)); }

template <typename Handle>
Handle* describe(const FakeTensor& of) {
  return reinterpret_cast<Handle*>(new FakeTensor{of.type, of.dims, of.symbols});
}

const Attribute* find(const FakeNode& of, const char* name) {
  const auto found = of.attributes.find(name);
  return found == of.attributes.end() ? nullptr : &found->second;
}

OrtStatus* copy_text(const std::string& text, char* out, std::size_t* size) {
  const std::size_t needed = text.size() + 1;
  const std::size_t room = *size;
  *size = needed;
  if (out == nullptr) return nullptr;
  if (room < needed) return status("the buffer is too small");
  std::memcpy(out, text.c_str(), needed);
  return nullptr;
}

const std::optional<FakeTensor>& input_of(const void* handle, std::size_t index) {
  return node(handle).inputs.at(index);
}

void set_statuses(OrtApi& api) {
  api.CreateStatus = [](OrtErrorCode code, const char* message) noexcept {
    return reinterpret_cast<OrtStatus*>(new Status{code, message});
  };
  api.GetErrorMessage = [](const OrtStatus* status) noexcept {
    return reinterpret_cast<const Status*>(status)->message.c_str();
  };
  api.ReleaseStatus = [](OrtStatus* status) noexcept { delete reinterpret_cast<Status*>(status); };
}

void set_shapes(OrtApi& api) {
  api.GetTensorElementType = [](const OrtTensorTypeAndShapeInfo* info, ONNXTensorElementDataType* out) noexcept {
    *out = tensor(info).type;
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetDimensionsCount = [](const OrtTensorTypeAndShapeInfo* info, std::size_t* out) noexcept {
    *out = tensor(info).dims.size();
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetDimensions = [](const OrtTensorTypeAndShapeInfo* info, std::int64_t* out, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) out[i] = tensor(info).dims.at(i);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetSymbolicDimensions = [](const OrtTensorTypeAndShapeInfo* info, const char** out, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) out[i] = tensor(info).symbols.at(i).c_str();
    return static_cast<OrtStatus*>(nullptr);
  };
  api.CreateTensorTypeAndShapeInfo = [](OrtTensorTypeAndShapeInfo** out) noexcept {
    *out = describe<OrtTensorTypeAndShapeInfo>({});
    return static_cast<OrtStatus*>(nullptr);
  };
  api.SetTensorElementType = [](OrtTensorTypeAndShapeInfo* info, ONNXTensorElementDataType type) noexcept {
    tensor(info).type = type;
    return static_cast<OrtStatus*>(nullptr);
  };
  api.SetDimensions = [](OrtTensorTypeAndShapeInfo* info, const std::int64_t* dims, std::size_t count) noexcept {
    tensor(info).dims.assign(dims, dims + count);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.SetSymbolicDimensions = [](OrtTensorTypeAndShapeInfo* info, const char** names, std::size_t count) noexcept {
    tensor(info).symbols.assign(names, names + count);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.ReleaseTensorTypeAndShapeInfo = [](OrtTensorTypeAndShapeInfo* info) noexcept { delete &tensor(info); };
  api.GetTensorTypeAndShape = [](const OrtValue* value, OrtTensorTypeAndShapeInfo** out) noexcept {
    *out = describe<OrtTensorTypeAndShapeInfo>(tensor(value));
    return static_cast<OrtStatus*>(nullptr);
  };
  api.GetTensorMutableData = [](OrtValue* value, void** out) noexcept {
    *out = tensor(value).data.get();
    return static_cast<OrtStatus*>(nullptr);
  };
  api.CastTypeInfoToTensorInfo = [](const OrtTypeInfo* type, const OrtTensorTypeAndShapeInfo** out) noexcept {
    *out = reinterpret_cast<const OrtTensorTypeAndShapeInfo*>(type);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.ReleaseTypeInfo = [](OrtTypeInfo* type) noexcept { delete &tensor(type); };
}

void set_kernel_info(OrtApi& api) {
  api.KernelInfo_GetNodeName = [](const OrtKernelInfo* info, char* out, std::size_t* size) noexcept {
    return copy_text(node(info).name, out, size);
  };
  api.KernelInfo_GetInputCount = [](const OrtKernelInfo* info, std::size_t* out) noexcept {
    *out = node(info).inputs.size();
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelInfo_GetOutputCount = [](const OrtKernelInfo* info, std::size_t* out) noexcept {
    *out = node(info).outputs.size();
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelInfo_GetInputName = [](const OrtKernelInfo* info, std::size_t index, char* out,
                                   std::size_t* size) noexcept {
    return copy_text(input_of(info, index) ? "input" : "", out, size);
  };
  api.KernelInfo_GetOutputName = [](const OrtKernelInfo* info, std::size_t index, char* out,
                                    std::size_t* size) noexcept {
    if (index >= node(info).outputs.size()) return status("no such output");
    return copy_text(node(info).outputs[index], out, size);
  };
  api.KernelInfo_GetInputTypeInfo = [](const OrtKernelInfo* info, std::size_t index, OrtTypeInfo** out) noexcept {
    if (!input_of(info, index)) return status("the input does not have a type");
    *out = describe<OrtTypeInfo>(*input_of(info, index));
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelInfoGetConstantInput_tensor = [](const OrtKernelInfo* info, std::size_t index, int* is_constant,
                                             const OrtValue** out) noexcept {
    const std::optional<FakeTensor>& input = input_of(info, index);
    *is_constant = input && input->constant ? 1 : 0;
    if (*is_constant != 0) *out = reinterpret_cast<const OrtValue*>(&*input);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelInfoGetAttribute_string = [](const OrtKernelInfo* info, const char* name, char* out,
                                         std::size_t* size) noexcept {
    const Attribute* attribute = find(node(info), name);
    const auto* text = attribute == nullptr ? nullptr : std::get_if<std::string>(attribute);
    return text == nullptr ? status("no such attribute of this type") : copy_text(*text, out, size);
  };
  api.KernelInfoGetAttributeArray_int64 = [](const OrtKernelInfo* info, const char* name, std::int64_t* out,
                                             std::size_t* size) noexcept {
    const Attribute* attribute = find(node(info), name);
    if (attribute == nullptr) return status("no such attribute");
    const auto* numbers = std::get_if<std::vector<std::int64_t>>(attribute);
    const std::size_t count = numbers == nullptr ? 0 : numbers->size();  // as ONNX Runtime: other types are empty lists
    if (out != nullptr && *size < count) return status("the buffer is too small");
    if (out != nullptr && count > 0) std::memcpy(out, numbers->data(), count * sizeof(std::int64_t));
    *size = count;
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelInfoGetAttributeArray_float = [](const OrtKernelInfo*, const char*, float*, std::size_t*) noexcept {
    return status("no such attribute of this type");
  };
  api.KernelInfoGetAttribute_float = [](const OrtKernelInfo* info, const char* name, float* out) noexcept {
    const Attribute* attribute = find(node(info), name);
    const auto* number = attribute == nullptr ? nullptr : std::get_if<float>(attribute);
    if (number == nullptr) return status("no such attribute of this type");
    *out = *number;
    return static_cast<OrtStatus*>(nullptr);
  };
}

void set_kernel_context(OrtApi& api) {
  api.KernelContext_GetInputCount = [](const OrtKernelContext* context, std::size_t* out) noexcept {
    *out = node(context).inputs.size();
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelContext_GetInput = [](const OrtKernelContext* context, std::size_t index, const OrtValue** out) noexcept {
    const std::optional<FakeTensor>& input = input_of(context, index);
    *out = input ? reinterpret_cast<const OrtValue*>(&*input) : nullptr;
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelContext_GetOutput = [](OrtKernelContext* context, std::size_t index, const std::int64_t* dims,
                                   std::size_t count, OrtValue** out) noexcept {
    FakeTensor& result = node(context).results[index];
    result.type = node(context).inputs.at(0)->type;
    result.dims.assign(dims, dims + count);
    if (!result.allocate(FakeNode::kMostElements)) return status("no memory for an output");
    *out = reinterpret_cast<OrtValue*>(&result);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.KernelContext_ParallelFor = [](const OrtKernelContext*, void (*body)(void*, std::size_t), std::size_t count,
                                     std::size_t, void* data) noexcept {
    for (std::size_t i = 0; i < count; ++i) body(data, i);
    return static_cast<OrtStatus*>(nullptr);
  };
}

void set_shape_inference(OrtApi& api) {
  api.ShapeInferContext_GetInputCount = [](const OrtShapeInferContext* context, std::size_t* out) noexcept {
    *out = node(context).inputs.size();
    return static_cast<OrtStatus*>(nullptr);
  };
  api.ShapeInferContext_GetInputTypeShape = [](const OrtShapeInferContext* context, std::size_t index,
                                               OrtTensorTypeAndShapeInfo** out) noexcept {
    static FakeTensor nothing{ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, {}, {}};
    const std::optional<FakeTensor>& input = input_of(context, index);
    *out = reinterpret_cast<OrtTensorTypeAndShapeInfo*>(input ? &tensor(&*input) : &nothing);  // the context's
    return static_cast<OrtStatus*>(nullptr);
  };
  api.ShapeInferContext_GetAttribute = [](const OrtShapeInferContext* context, const char* name,
                                          const OrtOpAttr** out) noexcept {
    *out = reinterpret_cast<const OrtOpAttr*>(find(node(context), name));
    return *out == nullptr ? status("no such attribute") : nullptr;
  };
  api.ReadOpAttr = [](const OrtOpAttr* handle, OrtOpAttrType type, void* data, std::size_t room,
                      std::size_t* size) noexcept {
    const auto& attribute = *reinterpret_cast<const Attribute*>(handle);
    const void* bytes = nullptr;
    *size = 0;
    if (const auto* text = std::get_if<std::string>(&attribute); text != nullptr && type == ORT_OP_ATTR_STRING) {
      bytes = text->data();
      *size = text->size();
    }
    if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&attribute);
        numbers != nullptr && type == ORT_OP_ATTR_INTS) {
      bytes = numbers->data();
      *size = numbers->size() * sizeof(std::int64_t);
    }
    if (room < *size) return status("the buffer is too small");
    if (*size > 0) std::memcpy(data, bytes, *size);
    return static_cast<OrtStatus*>(nullptr);
  };
  api.ShapeInferContext_SetOutputTypeShape = [](const OrtShapeInferContext* context, std::size_t index,
                                                const OrtTensorTypeAndShapeInfo* info) noexcept {
    if (index != 0) return status("no such output");
    node(context).inferred = FakeTensor{tensor(info).type, tensor(info).dims, tensor(info).symbols};
    return static_cast<OrtStatus*>(nullptr);
  };
}

}  // namespace

bool FakeTensor::allocate(std::int64_t most) {
  std::int64_t elements = 1;
  for (const std::int64_t size : dims) {
    if (size < 0 || (size > 0 && elements > most / size)) return false;
    elements *= size;
  }
  const bool wide = type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  // Zeros: also for the types that no kernel has, whose elements are smaller than this.
  data = std::make_unique<unsigned char[]>(static_cast<std::size_t>(elements) * (wide ? 4 : 2));
  return true;
}

const OrtApi& fake_ort_api() {
  static const OrtApi api = [] {
    OrtApi made{};
    set_statuses(made);
    set_shapes(made);
    set_kernel_info(made);
    set_kernel_context(made);
    set_shape_inference(made);
    return made;
  }();
  return api;
}

}  // namespace vidrt::testing
