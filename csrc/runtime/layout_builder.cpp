#include "runtime/layout_builder.h"

#include <algorithm>
#include <utility>

namespace vidrt {

const char* stage_name(PlanStage stage) {
  static constexpr const char* kNames[] = {"encode", "encode_image", "denoise", "decode_first", "decode_next"};
  return kNames[stage];
}

std::string workspace_name(PlanStage stage) { return std::string("workspace_") + stage_name(stage); }

void LayoutBuilder::add(std::string name, DType dtype, Shape shape, int first, int last) {
  const TensorView sized{nullptr, dtype, shape};
  wanted_.push_back({name, sized.bytes(), first, last});
  layout_.tensors.push_back({{std::move(name), wanted_.back().bytes, 0, first, last}, dtype, std::move(shape)});
}

std::uint64_t GenerationLayout::streamed_bytes(const std::string& module) const {
  const auto found = streamed.find(module);
  return found == streamed.end() ? 0 : found->second;
}

LayoutBuilder::LayoutBuilder(StreamedWeights streamed) { layout_.streamed = std::move(streamed); }

std::uint64_t LayoutBuilder::add_module(const ModuleSet& modules, const std::string& module, ModuleSizes sizes,
                                        PlanStage stage) {
  const ModuleNeeds needs = modules.needs(module, sizes);
  const std::uint64_t streamed = layout_.streamed_bytes(module);
  const std::uint64_t workspace = needs.workspace_bytes + (streamed == 0 ? 0 : needs.staging_bytes);
  if (workspace != 0) {
    add(workspace_name(stage), DType::kUInt8, {static_cast<std::int64_t>(workspace)}, stage, stage);
  }
  layout_.sizes[module] = std::move(sizes);
  const bool known = std::any_of(layout_.modules.begin(), layout_.modules.end(),
                                 [&](const ModuleLoad& load) { return load.name == module; });
  if (!known) layout_.modules.push_back({module, stage, needs});
  return needs.weight_bytes - streamed;
}

namespace {

// What the backend takes for itself, of all modules that are loaded together. One module runs at a time, and backends
// give to the next what the last has used.
void add_measured(const std::vector<ModuleLoad>& modules, GenerationPlan* plan) {
  plan->activations_known =
      std::all_of(modules.begin(), modules.end(), [](const ModuleLoad& load) { return load.needs.activations_known; });
  if (!plan->activations_known) return;
  std::map<PlanStage, std::uint64_t> packed;
  for (const ModuleLoad& load : modules) {
    // Both steps of a causal decoder are loaded for the two stages of decoding.
    const PlanStage stage = load.stage == kPlanDecodeNext ? kPlanDecodeFirst : load.stage;
    packed[plan->residency == "all" ? kPlanEncode : stage] += load.needs.packed_bytes;
    plan->activation_bytes = std::max(plan->activation_bytes, load.needs.activation_bytes);
  }
  for (const auto& [stage, bytes] : packed) plan->packed_bytes = std::max(plan->packed_bytes, bytes);
}

}  // namespace

GenerationLayout LayoutBuilder::finish(GenerationPlan plan) {
  const MemoryPlan placed = plan_memory(wanted_);
  for (const PlanStage stage : {kPlanEncode, kPlanEncodeImage, kPlanDenoise, kPlanDecodeFirst, kPlanDecodeNext}) {
    plan.stages.emplace_back(stage_name(stage));
  }
  plan.arena_bytes = placed.arena_bytes;
  for (const ModuleLoad& load : layout_.modules) {
    plan.modules.push_back({load.name, load.needs.weight_bytes, layout_.streamed_bytes(load.name),
                            load.needs.packed_bytes, load.needs.activation_bytes, load.needs.activation_terms});
  }
  add_measured(layout_.modules, &plan);
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    layout_.tensors[i].place.offset = placed.offsets[i];
    plan.tensors.push_back(layout_.tensors[i].place);
    plan.unshared_bytes += (wanted_[i].bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
  }
  layout_.plan = std::move(plan);
  return std::move(layout_);
}

}  // namespace vidrt
