// One TensorProto of an ONNX file, as far as it says where its data lies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/onnx_graph.h"
#include "runtime/protobuf_reader.h"

namespace vidrt {

/// onnx.TensorProto.DataType of a dtype.
std::int64_t onnx_data_type(DType dtype);
/// The inverse; nothing for types that no tensor at a module's boundary has.
std::optional<DType> dtype_from_onnx(std::int64_t data_type);

/// Whether it is float32, float16 or bfloat16.
bool is_onnx_float(std::int64_t data_type);

struct OnnxTensor {
  bool external = false;
  ExternalTensor stored;  // the name alone when not external
};

/// `subject` begins the messages. Throws BundleError when the tensor does not say clearly where its data lies, or its
/// external length is not what its shape and type need.
OnnxTensor read_onnx_tensor(std::string_view message, const std::string& subject);

/// The string in the current field. Throws BundleError when it is longer than 4096 bytes.
std::string short_text(const ProtobufReader& reader);

/// The name in a ValueInfoProto. Throws as read_onnx_tensor() does.
std::string value_name(std::string_view value_info, const std::string& subject);

}  // namespace vidrt
