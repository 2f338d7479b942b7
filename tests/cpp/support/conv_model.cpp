#include "support/conv_model.h"

#include "onnxruntime/custom_ops/custom_ops.h"
#include "onnxruntime/ort_environment.h"
#include "onnxruntime/ort_value.h"
#include "support/onnx_writer.h"

namespace vidrt::testing {
namespace {

ProtoWriter type_of(const ModelInput& input) {
  ProtoWriter shape;
  for (const auto& size : input.shape) {
    if (const auto* number = std::get_if<std::int64_t>(&size)) {
      shape.message(1, ProtoWriter().varint(1, static_cast<std::uint64_t>(*number)));
    } else {
      shape.message(1, ProtoWriter().bytes(2, std::get<std::string>(size)));
    }
  }
  ProtoWriter tensor;
  tensor.varint(1, static_cast<std::uint64_t>(input.type));
  if (!input.shape.empty()) tensor.message(2, shape);
  return ProtoWriter().message(1, tensor);
}

ProtoWriter initializer(const ModelInput& input) {
  ProtoWriter tensor;
  for (const auto& size : input.shape) tensor.varint(1, static_cast<std::uint64_t>(std::get<std::int64_t>(size)));
  return tensor.varint(2, static_cast<std::uint64_t>(input.type)).bytes(8, input.name).bytes(9, input.constant);
}

struct AttributeWriter {
  ProtoWriter proto;

  void operator()(const std::string& value) { proto.bytes(4, value).varint(20, 3); }
  void operator()(const std::vector<std::int64_t>& values) {
    for (const std::int64_t value : values) proto.varint(8, static_cast<std::uint64_t>(value));
    proto.varint(20, 7);
  }
  void operator()(std::int64_t value) { proto.varint(3, static_cast<std::uint64_t>(value)).varint(20, 2); }
  void operator()(float value) { proto.fixed32(2, value).varint(20, 1); }
};

}  // namespace

std::string ConvModel::bytes() const {
  ProtoWriter proto;
  ProtoWriter graph;
  for (const ModelInput& input : inputs) proto.bytes(1, input.name);
  for (const std::string& output : outputs) proto.bytes(2, output);
  proto.bytes(3, node).bytes(4, op);
  for (const auto& [name, value] : attributes) {
    AttributeWriter writer;
    writer.proto.bytes(1, name);
    std::visit(writer, value);
    proto.message(5, writer.proto);
  }
  proto.bytes(7, "vidrt");
  graph.message(1, proto).bytes(2, "conv");
  for (const ModelInput& input : inputs) {
    if (!input.constant.empty()) graph.message(5, initializer(input));
  }
  for (const ModelInput& input : inputs) {
    if (input.constant.empty() && !input.name.empty()) {
      graph.message(11, ProtoWriter().bytes(1, input.name).message(2, type_of(input)));
    }
  }
  for (const std::string& output : outputs) {
    if (output.empty()) continue;
    graph.message(12, ProtoWriter().bytes(1, output).message(2, type_of({output, output_type, {}})));
  }
  return ProtoWriter()
      .varint(1, 9)  // IR version
      .message(7, graph)
      .message(8, ProtoWriter().varint(2, 17))
      .message(8, ProtoWriter().bytes(1, "vidrt").varint(2, 1))
      .data();
}

ConvSession::ConvSession(const std::string& model, const ConvSessionOptions& options)
    : api_(*ort_library().api), memory_(host_memory(api_)), session_(nullptr, api_.ReleaseSession) {
  OrtSessionOptions* raw = nullptr;
  check_ort(api_, api_.CreateSessionOptions(&raw), "making session options");
  const OrtHandle<OrtSessionOptions> owned = own(raw, api_.ReleaseSessionOptions);
  check_ort(api_, api_.SetIntraOpNumThreads(raw, options.threads), "setting the number of threads");
  check_ort(api_,
            options.library.empty() ? custom_ops::add_to(raw, api_, ort_library().version.c_str(), options.threads)
                                    : api_.RegisterCustomOpsLibrary_V2(raw, options.library.c_str()),
            "registering");
  for (const HostTensor& tensor : options.initializers) {
    initializers_.push_back(wrap(tensor));
    check_ort(api_, api_.AddInitializer(raw, tensor.name.c_str(), initializers_.back().get()), "sharing");
  }
  ::OrtSession* session = nullptr;
  check_ort(api_, api_.CreateSessionFromArray(ort_environment().get(), model.data(), model.size(), raw, &session),
            "loading");
  session_.reset(session);
}

OrtHandle<OrtValue> ConvSession::wrap(const HostTensor& tensor) const {
  OrtValue* value = nullptr;
  check_ort(api_,
            api_.CreateTensorWithDataAsOrtValue(memory_.get(), tensor.data, tensor.bytes, tensor.shape.data(),
                                                tensor.shape.size(),
                                                static_cast<ONNXTensorElementDataType>(tensor.type), &value),
            "wrapping " + tensor.name);
  return own(value, api_.ReleaseValue);
}

void ConvSession::run(const std::vector<HostTensor>& inputs, const std::vector<HostTensor>& outputs) const {
  std::vector<OrtHandle<OrtValue>> owned;
  std::vector<const char*> input_names;
  std::vector<const OrtValue*> input_values;
  for (const HostTensor& tensor : inputs) {
    owned.push_back(wrap(tensor));
    input_names.push_back(tensor.name.c_str());
    input_values.push_back(owned.back().get());
  }
  std::vector<const char*> output_names;
  std::vector<OrtValue*> output_values;
  for (const HostTensor& tensor : outputs) {
    owned.push_back(wrap(tensor));
    output_names.push_back(tensor.name.c_str());
    output_values.push_back(owned.back().get());
  }
  check_ort(api_,
            api_.Run(session_.get(), nullptr, input_names.data(), input_values.data(), inputs.size(),
                     output_names.data(), outputs.size(), output_values.data()),
            "running");
}

std::vector<std::string> ConvSession::output_shape(std::size_t index) const {
  OrtTypeInfo* raw = nullptr;
  check_ort(api_, api_.SessionGetOutputTypeInfo(session_.get(), index, &raw), "reading a type");
  const OrtHandle<OrtTypeInfo> type = own(raw, api_.ReleaseTypeInfo);
  const OrtTensorTypeAndShapeInfo* info = nullptr;
  check_ort(api_, api_.CastTypeInfoToTensorInfo(type.get(), &info), "reading a type");
  std::size_t rank = 0;
  check_ort(api_, api_.GetDimensionsCount(info, &rank), "reading a shape");
  std::vector<std::int64_t> numbers(rank);
  std::vector<const char*> names(rank);
  check_ort(api_, api_.GetDimensions(info, numbers.data(), rank), "reading a shape");
  check_ort(api_, api_.GetSymbolicDimensions(info, names.data(), rank), "reading a shape");
  std::vector<std::string> shape;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::string name = names[i];
    shape.push_back(numbers[i] >= 0 ? std::to_string(numbers[i]) : name.empty() ? "?" : name);
  }
  return shape;
}

}  // namespace vidrt::testing
