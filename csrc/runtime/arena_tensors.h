// The tensors of a layout as views into the arena, by name.
#pragma once

#include <map>
#include <string>

#include "runtime/arena.h"
#include "runtime/layout_builder.h"

namespace vidrt {

class ArenaTensors {
 public:
  /// The arena must hold layout.plan.arena_bytes and outlive this.
  ArenaTensors(const Arena& arena, const GenerationLayout& layout) {
    for (const ArenaTensor& tensor : layout.tensors) {
      views_[tensor.place.name] = arena.view(tensor.place.offset, tensor.dtype, tensor.shape);
    }
  }

  bool has(const std::string& name) const { return views_.count(name) != 0; }
  const TensorView& operator[](const std::string& name) const { return views_.at(name); }
  /// What the module of a stage may use while it runs; nothing where it takes its own.
  Workspace workspace(PlanStage stage) const {
    const auto found = views_.find(workspace_name(stage));
    return found == views_.end() ? Workspace{} : Workspace{found->second.data, found->second.bytes()};
  }

 private:
  std::map<std::string, TensorView> views_;
};

/// Row `index` of the first dimension, kept as a dimension of 1.
inline TensorView row(const TensorView& tensor, std::int64_t index) {
  TensorView view = tensor;
  view.shape[0] = 1;
  view.data = tensor.as<std::byte>() + static_cast<std::size_t>(index) * view.bytes();
  return view;
}

}  // namespace vidrt
