#include "onnxruntime/custom_ops/kernel_views.h"

#include "onnxruntime/custom_ops/ort_call.h"

namespace vidrt::custom_ops {
namespace {

// A name that a function of ONNX Runtime writes; it tells the size, with the zero at the end, when it gets no memory.
template <typename Call>
std::string read_name(const OrtApi& api, const Call& call) {
  std::size_t size = 0;
  require(api, call(nullptr, &size));
  std::string name(size, '\0');
  require(api, call(name.data(), &size));
  name.resize(size - 1);
  return name;
}

void read_type_and_shape(const OrtApi& api, const OrtTensorTypeAndShapeInfo* info, Argument* argument) {
  require(api, api.GetTensorElementType(info, &argument->type));
  std::size_t rank = 0;
  require(api, api.GetDimensionsCount(info, &rank));
  argument->dims.resize(rank);
  require(api, api.GetDimensions(info, argument->dims.data(), rank));
}

Argument argument_of(const OrtApi& api, const OrtValue* value) {
  Argument argument;
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  require(api, api.GetTensorTypeAndShape(value, &raw));
  const OrtHandle<OrtTensorTypeAndShapeInfo> info = own(raw, api.ReleaseTensorTypeAndShapeInfo);
  read_type_and_shape(api, info.get(), &argument);
  argument.has_rank = true;
  void* data = nullptr;  // the C interface has no read-only access
  require(api, api.GetTensorMutableData(const_cast<OrtValue*>(value), &data));
  argument.data = data;
  return argument;
}

}  // namespace

std::string KernelInfo::input_name(std::size_t index) const {
  return read_name(api_,
                   [&](char* out, std::size_t* size) { return api_.KernelInfo_GetInputName(info_, index, out, size); });
}

std::string KernelInfo::output_name(std::size_t index) const {
  return read_name(
      api_, [&](char* out, std::size_t* size) { return api_.KernelInfo_GetOutputName(info_, index, out, size); });
}

std::string KernelInfo::label(const std::string& op_type) const {
  const std::string name =
      read_name(api_, [&](char* out, std::size_t* size) { return api_.KernelInfo_GetNodeName(info_, out, size); });
  const std::string op = std::string(kDomain) + "::" + op_type;
  return name.empty() ? op + " node of '" + output_name(0) + "'" : op + " node '" + name + "'";
}

Argument KernelInfo::argument(std::size_t index) const {
  int is_constant = 0;
  const OrtValue* constant = nullptr;
  require(api_, api_.KernelInfoGetConstantInput_tensor(info_, index, &is_constant, &constant));
  if (is_constant != 0 && constant != nullptr) return argument_of(api_, constant);
  Argument argument;
  OrtTypeInfo* raw = nullptr;
  require(api_, api_.KernelInfo_GetInputTypeInfo(info_, index, &raw));
  const OrtHandle<OrtTypeInfo> type = own(raw, api_.ReleaseTypeInfo);
  const OrtTensorTypeAndShapeInfo* info = nullptr;  // the type's
  require(api_, api_.CastTypeInfoToTensorInfo(type.get(), &info));
  if (info == nullptr) return argument;
  read_type_and_shape(api_, info, &argument);
  // No dimensions: a scalar, or nothing is known. The run tells them apart.
  argument.has_rank = !argument.dims.empty();
  return argument;
}

Arguments KernelInfo::arguments(const Signature& signature) const {
  Arguments arguments;
  std::size_t count = 0;
  require(api_, api_.KernelInfo_GetInputCount(info_, &count));
  for (std::size_t i = 0; i < count && i < signature.inputs.size(); ++i) {
    if (!input_name(i).empty()) arguments[signature.inputs[i]] = argument(i);
  }
  return arguments;
}

bool KernelInfo::has_output(std::size_t index) const {
  std::size_t count = 0;
  require(api_, api_.KernelInfo_GetOutputCount(info_, &count));
  return index < count && !output_name(index).empty();
}

OrtHandle<OrtAllocator> KernelInfo::allocator() const {
  OrtAllocator* raw = nullptr;
  require(api_, api_.KernelInfoGetAllocator(info_, OrtMemTypeDefault, &raw));
  return own(raw, api_.ReleaseAllocator);
}

Arguments KernelRun::arguments(const Signature& signature) const {
  Arguments arguments;
  std::size_t count = 0;
  require(api_, api_.KernelContext_GetInputCount(context_, &count));
  for (std::size_t i = 0; i < count && i < signature.inputs.size(); ++i) {
    arguments[signature.inputs[i]] = input(i);
  }
  return arguments;
}

std::optional<Argument> KernelRun::input(std::size_t index) const {
  const OrtValue* value = nullptr;
  require(api_, api_.KernelContext_GetInput(context_, index, &value));
  if (value == nullptr) return std::nullopt;
  return argument_of(api_, value);
}

void* KernelRun::output(std::size_t index, const std::int64_t* dims, std::size_t rank) const {
  OrtValue* value = nullptr;
  require(api_, api_.KernelContext_GetOutput(context_, index, dims, rank, &value));
  if (value == nullptr)
    throw std::runtime_error("ONNX Runtime gave no memory for output " + std::to_string(index) + ".");
  void* data = nullptr;
  require(api_, api_.GetTensorMutableData(value, &data));
  return data;
}

kernels::ParallelFor KernelRun::parallel() { return {&KernelRun::run_in_pool, this, threads_}; }

void KernelRun::run_in_pool(void* self, std::size_t count, kernels::ParallelFor::Body body, void* context) {
  KernelRun& run = *static_cast<KernelRun*>(self);
  if (run.failure_ != nullptr) return;
  // No batches: a thread that is done takes the next piece.
  run.failure_ = run.api_.KernelContext_ParallelFor(run.context_, body, count, 0, context);
}

void KernelRun::check_threads() {
  OrtStatus* const failure = failure_;
  failure_ = nullptr;
  require(api_, failure);
}

}  // namespace vidrt::custom_ops
