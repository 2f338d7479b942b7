#include "runtime/graph_node.h"

#include <utility>

#include "runtime/onnx_tensor.h"
#include "runtime/protobuf_reader.h"

namespace vidrt {
namespace {

constexpr std::uint64_t kOnnxFloat = 1;  // TensorProto.DataType.FLOAT
constexpr std::size_t kMaxAttributeNumbers = 1U << 20U;

void read_attribute(std::string_view message, const std::string& subject, GraphNode* node) {
  ProtobufReader attribute(message, subject);
  std::string name;
  std::uint64_t number = 0;
  std::vector<std::int64_t> numbers;
  std::string text;
  while (attribute.next()) {
    if (attribute.field() == 1) name = short_text(attribute);
    if (attribute.field() == 3) number = attribute.varint();
    if (attribute.field() == 4) text = attribute.bytes();
    if (attribute.field() == 8) attribute.append_varints(&numbers, kMaxAttributeNumbers);
    if (attribute.field() == 6 || attribute.field() == 11) node->has_subgraph = true;
  }
  if (name == "to") node->cast_to = number;
  if (name == "group") node->group = static_cast<std::int64_t>(number);
  if (name == "auto_pad") node->auto_pad = std::move(text);
  if (name == "perm") node->permutation = std::move(numbers);
  if (name == "strides") node->strides = std::move(numbers);
  if (name == "dilations") node->dilations = std::move(numbers);
  if (name == "pads") node->pads = std::move(numbers);
}

}  // namespace

bool GraphNode::maps_one_value(const char* op) const {
  return standard && op_type == op && inputs.size() == 1 && outputs.size() == 1;
}

bool GraphNode::casts_to_float() const { return maps_one_value("Cast") && cast_to == kOnnxFloat; }

bool GraphNode::flips_matrix() const {
  return maps_one_value("Transpose") && (permutation.empty() || permutation == std::vector<std::int64_t>{1, 0});
}

bool GraphNode::convolves() const {
  return standard && op_type == "Conv" && inputs.size() >= 2 && !inputs[0].empty() && outputs.size() == 1;
}

bool GraphNode::keeps_frame_size(std::size_t axes) const {
  const std::vector<std::int64_t> ones(axes, 1);
  const std::vector<std::int64_t> border =
      axes == 2 ? std::vector<std::int64_t>{1, 1, 1, 1} : std::vector<std::int64_t>{0, 1, 1, 0, 1, 1};
  return group == 1 && (auto_pad.empty() || auto_pad == "NOTSET") && pads == border &&
         (strides.empty() || strides == ones) && (dilations.empty() || dilations == ones);
}

GraphNode read_graph_node(std::string_view message, const std::string& subject) {
  ProtobufReader reader(message, subject);
  GraphNode node;
  while (reader.next()) {
    if (reader.field() == 1) node.inputs.push_back(short_text(reader));
    if (reader.field() == 2) node.outputs.push_back(short_text(reader));
    if (reader.field() == 4) node.op_type = short_text(reader);
    if (reader.field() == 5) read_attribute(reader.bytes(), subject, &node);
    if (reader.field() == 7) node.standard = reader.bytes().empty() || reader.bytes() == "ai.onnx";
  }
  return node;
}

}  // namespace vidrt
