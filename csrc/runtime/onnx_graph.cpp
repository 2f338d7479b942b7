#include "runtime/onnx_graph.h"

#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "runtime/protobuf_reader.h"
#include "vidrt/errors.h"

namespace vidrt {
namespace {

constexpr int kMaxNesting = 32;  // subgraphs in subgraphs
constexpr std::size_t kMaxRank = 64;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::uint64_t kExternal = 1;  // TensorProto.DataLocation.EXTERNAL

// Bits of one element by TensorProto.DataType; 0 = strings and numbers that are no type.
constexpr std::uint64_t kElementBits[] = {0,   32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64,
                                          128, 16, 8, 8, 8,  8,  4,  4,  4, 8, 2,  2,  6,  6};

class GraphReader {
 public:
  explicit GraphReader(const std::string& file) : file_(file) {}

  OnnxGraph read_model(std::string_view message) {
    ProtobufReader model(message, file_);
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

  static std::string text(const ProtobufReader& reader) {
    const std::string_view bytes = reader.bytes();
    if (bytes.size() > kMaxNameBytes) reader.fail("a name is longer than " + std::to_string(kMaxNameBytes) + " bytes");
    return std::string(bytes);
  }

  void read_opset(std::string_view message) {
    ProtobufReader opset(message, file_);
    std::string domain;
    std::int64_t version = 0;
    while (opset.next()) {
      if (opset.field() == 1) domain = text(opset);
      if (opset.field() == 2) version = static_cast<std::int64_t>(opset.varint());
    }
    if (domain == "ai.onnx") domain.clear();  // the same domain's long name
    if (!result_.opsets.emplace(domain, version).second) opset.fail("an opset is imported twice");
  }

  void read_training(std::string_view message) {
    ProtobufReader training(message, file_);
    Once initialization;
    Once algorithm;
    while (training.next()) {
      if (training.field() != 1 && training.field() != 2) continue;
      (training.field() == 1 ? initialization : algorithm).mark(training);
      read_graph(training.bytes(), 1);
    }
  }

  void read_function(std::string_view message) {
    ProtobufReader function(message, file_);
    std::string name;
    std::string domain;
    while (function.next()) {
      if (function.field() == 1) name = text(function);
      if (function.field() == 10) domain = text(function);
      if (function.field() == 7) read_node(function.bytes(), 1);
      if (function.field() == 11) read_attribute(function.bytes(), 1);
    }
    functions_.insert(op_name(domain, name));
  }

  void read_graph(std::string_view message, int nesting) {
    ProtobufReader graph(message, file_);
    if (nesting > kMaxNesting) graph.fail("its subgraphs are nested deeper than " + std::to_string(kMaxNesting));
    std::set<std::string> initializers;
    while (graph.next()) {
      switch (graph.field()) {
        case 1:
          read_node(graph.bytes(), nesting);
          break;
        case 5:
          initializers.insert(read_tensor(graph.bytes()));
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
    ProtobufReader node(message, file_);
    std::string op_type;
    std::string domain;
    while (node.next()) {
      if (node.field() == 4) op_type = text(node);
      if (node.field() == 7) domain = text(node);
      if (node.field() == 5) read_attribute(node.bytes(), nesting);
    }
    ++result_.op_counts[op_name(domain, op_type)];
  }

  void read_attribute(std::string_view message, int nesting) {
    ProtobufReader attribute(message, file_);
    Once tensor;
    Once graph;
    Once sparse;
    while (attribute.next()) {
      switch (attribute.field()) {
        case 5:
          tensor.mark(attribute);
          [[fallthrough]];
        case 10:
          read_tensor(attribute.bytes());
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
    ProtobufReader sparse(message, file_);
    Once values;
    Once indices;
    while (sparse.next()) {
      if (sparse.field() != 1 && sparse.field() != 2) continue;
      (sparse.field() == 1 ? values : indices).mark(sparse);
      read_tensor(sparse.bytes());
    }
  }

  // Returns the tensor's name.
  std::string read_tensor(std::string_view message) {
    ProtobufReader reader(message, file_);
    ExternalTensor tensor;
    std::map<std::string, std::string> entries;
    std::uint64_t data_location = 0;
    bool has_raw_data = false;
    while (reader.next()) {
      switch (reader.field()) {
        case 1:
          reader.append_varints(&tensor.dims, kMaxRank);
          break;
        case 2:
          tensor.data_type = static_cast<std::int64_t>(reader.varint());
          break;
        case 8:
          tensor.name = text(reader);
          break;
        case 9:
          has_raw_data = true;
          break;
        case 13:
          read_entry(reader.bytes(), &entries);
          break;
        case 14:
          data_location = reader.varint();
          break;
        default:
          break;
      }
    }
    const bool external = data_location == kExternal;
    if (external == entries.empty() || (external && has_raw_data)) {
      reader.fail("the tensor '" + tensor.name + "' does not say clearly where its data lies");
    }
    if (external) {
      std::string name = tensor.name;
      take_entries(reader, entries, &tensor);
      result_.external.push_back(std::move(tensor));
      return name;
    }
    return tensor.name;
  }

  void read_entry(std::string_view message, std::map<std::string, std::string>* entries) {
    ProtobufReader entry(message, file_);
    std::string key;
    std::string value;
    while (entry.next()) {
      if (entry.field() == 1) key = text(entry);
      if (entry.field() == 2) value = text(entry);
    }
    if (!entries->emplace(key, value).second) entry.fail("the external-data key '" + key + "' is there twice");
  }

  static void take_entries(const ProtobufReader& reader, const std::map<std::string, std::string>& entries,
                           ExternalTensor* tensor) {
    const std::string subject = "the tensor '" + tensor->name + "' ";
    for (const auto& [key, value] : entries) {
      if (key == "location") {
        tensor->location = value;
      } else if (key == "offset" || key == "length") {
        std::uint64_t& number = key == "offset" ? tensor->offset : tensor->length;
        const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error != std::errc() || stop != value.data() + value.size()) {
          reader.fail(subject + "has the " + key + " '" + value + "', expected a number");
        }
      } else if (key != "checksum") {
        reader.fail(subject + "has the external-data key '" + key + "', expected location, offset or length");
      }
    }
    if (entries.count("location") == 0 || entries.count("offset") == 0 || entries.count("length") == 0) {
      reader.fail(subject + "lacks one of location, offset and length");
    }
    const std::optional<std::uint64_t> bytes = tensor_bytes(*tensor);
    if (bytes != tensor->length) {
      reader.fail(subject + "has " + std::to_string(tensor->length) + " external bytes, expected " +
                  (bytes ? std::to_string(*bytes) + " by its shape and type" : "a shape and type that can be stored"));
    }
  }

  // Nothing when a dimension is negative, the type has no fixed size, or the product overflows.
  static std::optional<std::uint64_t> tensor_bytes(const ExternalTensor& tensor) {
    if (tensor.data_type < 0 || static_cast<std::size_t>(tensor.data_type) >= std::size(kElementBits)) return {};
    std::uint64_t bits = kElementBits[tensor.data_type];
    if (bits == 0) return {};
    for (const std::int64_t dim : tensor.dims) {
      if (dim < 0) return {};
      const auto factor = static_cast<std::uint64_t>(dim);
      if (factor != 0 && bits > std::numeric_limits<std::uint64_t>::max() / 2 / factor) return {};
      bits *= factor;
    }
    return (bits + 7) / 8;
  }

  GraphValue read_value(std::string_view message) {
    ProtobufReader info(message, file_);
    GraphValue value;
    Once type;
    while (info.next()) {
      if (info.field() == 1) value.name = text(info);
      if (info.field() != 2) continue;
      type.mark(info);
      ProtobufReader type_reader(info.bytes(), file_);
      while (type_reader.next()) {
        if (type_reader.field() == 1) value.data_type = read_elem_type(type_reader.bytes());
      }
    }
    return value;
  }

  std::int64_t read_elem_type(std::string_view message) {
    ProtobufReader tensor_type(message, file_);
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

  const std::string& file_;
  OnnxGraph result_;
  std::set<std::string> initializers_;
  std::set<std::string> functions_;
};

}  // namespace

OnnxGraph read_onnx_graph(std::string_view model, const std::string& file) {
  return GraphReader(file).read_model(model);
}

}  // namespace vidrt
