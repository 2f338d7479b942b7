// What of a NodeProto decides whether its work can be done on a weight beforehand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vidrt {

struct GraphNode {
  std::vector<std::string> inputs, outputs;
  std::string op_type;
  bool standard = true;  // of ONNX's own domain
  bool has_subgraph = false;
  std::uint64_t cast_to = 0;              // attribute `to`
  std::vector<std::int64_t> permutation;  // attribute `perm`
  std::vector<std::int64_t> strides, dilations, pads;
  std::int64_t group = 1;
  std::string auto_pad;

  /// Whether this is an operator of ONNX's own with one input and one output.
  bool maps_one_value(const char* op) const;
  /// Whether it casts to float32.
  bool casts_to_float() const;
  /// Whether it swaps the two axes of what has two.
  bool flips_matrix() const;
  /// Whether it is a Conv of two inputs or more, of which the second is the kernel.
  bool convolves() const;
  /// Whether, with a kernel of 3x3 (or T frames of that: `axes` is 2 or 3), such a Conv gives results for every
  /// position of the frames that it convolves, in one group, and none beyond the clip.
  bool keeps_frame_size(std::size_t axes) const;
};

/// Read a serialized NodeProto. `subject` begins the messages. Throws BundleError.
GraphNode read_graph_node(std::string_view message, const std::string& subject);

}  // namespace vidrt
