#include "runtime/onnx_graph.h"

#include <utility>

#include "runtime/onnx_tensor.h"
#include "runtime/protobuf_reader.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kMaxNesting = 32;  // subgraphs in subgraphs

class GraphReader {
 public:
  explicit GraphReader(const std::string& file) : subject_("'" + file + "' is no valid ONNX graph") {}

  OnnxGraph read_model(std::string_view message) {
    ProtobufReader model(message, subject_);
    Once graph;
    while (model.next()) {
      switch (model.field()) {
        case 7:
          graph.mark(model);
          read_graph(model.bytes(), 0);
          break;
        case 8:
          read_opset(model.bytes());
          break;
        case 20:
          read_training(model.bytes());
          break;
        case 25:
          read_function(model.bytes());
          break;
        default:
          break;
      }
    }
    if (!graph.seen) model.fail("it has no graph");
    finish();
    return std::move(result_);
  }

 private:
  // A message that may be there once.
  struct Once {
    bool seen = false;
    void mark(const ProtobufReader& reader) {
      if (seen) reader.fail("field " + std::to_string(reader.field()) + " is there twice in one message");
      seen = true;
    }
  };

  void read_opset(std::string_view message) {
    ProtobufReader opset(message, subject_);
    std::string domain;
    std::int64_t version = 0;
    while (opset.next()) {
      if (opset.field() == 1) domain = short_text(opset);
      if (opset.field() == 2) version = static_cast<std::int64_t>(opset.varint());
    }
    if (domain == "ai.onnx") domain.clear();  // the same domain's long name
    if (!result_.opsets.emplace(domain, version).second) opset.fail("an opset is imported twice");
  }

  void read_training(std::string_view message) {
    ProtobufReader training(message, subject_);
    Once initialization;
    Once algorithm;
    while (training.next()) {
      if (training.field() != 1 && training.field() != 2) continue;
      (training.field() == 1 ? initialization : algorithm).mark(training);
      read_graph(training.bytes(), 1);
    }
  }

  void read_function(std::string_view message) {
    ProtobufReader function(message, subject_);
    std::string name;
    std::string domain;
    while (function.next()) {
      if (function.field() == 1) name = short_text(function);
      if (function.field() == 10) domain = short_text(function);
      if (function.field() == 7) read_node(function.bytes(), 1);
      if (function.field() == 11) read_attribute(function.bytes(), 1);
    }
    functions_.insert(op_name(domain, name));
  }

  void read_graph(std::string_view message, int nesting) {
    ProtobufReader graph(message, subject_);
    if (nesting > kMaxNesting) graph.fail("its subgraphs are nested deeper than " + std::to_string(kMaxNesting));
    std::set<std::string> initializers;
    while (graph.next()) {
      switch (graph.field()) {
        case 1:
          read_node(graph.bytes(), nesting);
          break;
        case 5:
          initializers.insert(read_tensor(graph));
          break;
        case 11:
          if (nesting == 0) result_.inputs.push_back(read_value(graph.bytes()));
          break;
        case 12:
          if (nesting == 0) result_.outputs.push_back(read_value(graph.bytes()));
          break;
        case 15:
          read_sparse_tensor(graph.bytes());
          break;
        default:
          break;
      }
    }
    if (nesting == 0) initializers_ = std::move(initializers);
  }

  static std::string op_name(const std::string& domain, const std::string& op_type) {
    return domain.empty() || domain == "ai.onnx" ? op_type : domain + "::" + op_type;
  }

  void read_node(std::string_view message, int nesting) {
    ProtobufReader node(message, subject_);
    std::string op_type;
    std::string domain;
    while (node.next()) {
      if (node.field() == 4) op_type = short_text(node);
      if (node.field() == 7) domain = short_text(node);
      if (node.field() == 5) read_attribute(node.bytes(), nesting);
    }
    ++result_.op_counts[op_name(domain, op_type)];
  }

  void read_attribute(std::string_view message, int nesting) {
    ProtobufReader attribute(message, subject_);
    Once tensor;
    Once graph;
    Once sparse;
    while (attribute.next()) {
      switch (attribute.field()) {
        case 5:
          tensor.mark(attribute);
          [[fallthrough]];
        case 10:
          read_tensor(attribute);
          break;
        case 6:
          graph.mark(attribute);
          [[fallthrough]];
        case 11:
          read_graph(attribute.bytes(), nesting + 1);
          break;
        case 22:
          sparse.mark(attribute);
          [[fallthrough]];
        case 23:
          read_sparse_tensor(attribute.bytes());
          break;
        default:
          break;
      }
    }
  }

  void read_sparse_tensor(std::string_view message) {
    ProtobufReader sparse(message, subject_);
    Once values;
    Once indices;
    while (sparse.next()) {
      if (sparse.field() != 1 && sparse.field() != 2) continue;
      (sparse.field() == 1 ? values : indices).mark(sparse);
      read_tensor(sparse);
    }
  }

  // Reads the TensorProto in the current field; returns its name.
  std::string read_tensor(const ProtobufReader& field) {
    OnnxTensor tensor = read_onnx_tensor(field.bytes(), subject_);
    if (tensor.external) result_.external.push_back(tensor.stored);
    return std::move(tensor.stored.name);
  }

  GraphValue read_value(std::string_view message) {
    ProtobufReader info(message, subject_);
    GraphValue value;
    Once type;
    while (info.next()) {
      if (info.field() == 1) value.name = short_text(info);
      if (info.field() != 2) continue;
      type.mark(info);
      ProtobufReader type_reader(info.bytes(), subject_);
      while (type_reader.next()) {
        if (type_reader.field() == 1) value.data_type = read_elem_type(type_reader.bytes());
      }
    }
    return value;
  }

  std::int64_t read_elem_type(std::string_view message) {
    ProtobufReader tensor_type(message, subject_);
    std::int64_t elem_type = 0;
    while (tensor_type.next()) {
      if (tensor_type.field() == 1) elem_type = static_cast<std::int64_t>(tensor_type.varint());
    }
    return elem_type;
  }

  void finish() {
    // Old exporters list initialisers among the inputs, too.
    std::vector<GraphValue> inputs;
    for (GraphValue& input : result_.inputs) {
      if (initializers_.count(input.name) == 0) inputs.push_back(std::move(input));
    }
    result_.inputs = std::move(inputs);
    for (const auto& entry : result_.op_counts) {
      if (entry.first.find("::") != std::string::npos && functions_.count(entry.first) == 0) {
        result_.custom_ops.insert(entry.first);
      }
    }
  }

  std::string subject_;
  OnnxGraph result_;
  std::set<std::string> initializers_;
  std::set<std::string> functions_;
};

}  // namespace

OnnxGraph read_onnx_graph(std::string_view model, const std::string& file) {
  return GraphReader(file).read_model(model);
}

}  // namespace vidrt
