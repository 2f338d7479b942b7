// Tensors with lifetimes to a GenerationLayout: where each lies in the arena.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/memory_plan.h"
#include "runtime/module_set.h"
#include "vidrt/plan.h"
#include "vidrt/tensor.h"

namespace vidrt {

/// The steps of the plan at which tensors begin and end to live.
enum PlanStage : int {
  kPlanEncode = 0,
  kPlanEncodeImage = 1,
  kPlanDenoise = 2,
  kPlanDecodeFirst = 3,
  kPlanDecodeNext = 4
};

const char* stage_name(PlanStage stage);
/// The tensor that the module of a stage has its workspace in.
std::string workspace_name(PlanStage stage);

/// A tensor of the arena: its place in GenerationPlan::tensors together with its type.
struct ArenaTensor {
  PlannedTensor place;
  DType dtype;
  Shape shape;
};

/// Bytes of modules' weights that stay on the host, by module; 0 of those that are not here.
using StreamedWeights = std::map<std::string, std::uint64_t>;

/// A module of a layout: in which stages it runs, both inclusive, and what it takes.
struct ModuleLoad {
  std::string name;
  PlanStage first;
  PlanStage last;
  ModuleNeeds needs;
};

struct GenerationLayout {
  GenerationPlan plan;
  std::vector<ArenaTensor> tensors;          // the same order as plan.tensors
  std::map<std::string, ModuleSizes> sizes;  // what each module that runs has to take
  StreamedWeights streamed;
  std::vector<ModuleLoad> modules;  // the same order as plan.modules

  std::uint64_t streamed_bytes(const std::string& module) const;
  std::uint64_t total_bytes() const { return plan.total_bytes(); }
};

/// Collects the tensors of a layout, then places them.
class LayoutBuilder {
 public:
  explicit LayoutBuilder(StreamedWeights streamed = {});
  /// A tensor that lives from stage `first` to stage `last`, both inclusive.
  void add(std::string name, DType dtype, Shape shape, int first, int last);
  /// A module that runs in a stage, with the workspace that it needs for these sizes. Returns the bytes of its weights
  /// that are on the device.
  std::uint64_t add_module(const ModuleSet& modules, const std::string& module, ModuleSizes sizes, PlanStage stage);

  /// Give the layout of `plan` on a device, whose stages, tensors and memory are filled in. `plan` says the residency
  /// and, where that is "all", the bytes of all weights.
  GenerationLayout finish(GenerationPlan plan, const Device& device);

 private:
  void place_tensors(GenerationPlan* plan);

  std::vector<PlanTensor> wanted_;
  GenerationLayout layout_;
};

}  // namespace vidrt
