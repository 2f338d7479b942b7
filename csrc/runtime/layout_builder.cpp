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
  const auto known = std::find_if(layout_.modules.begin(), layout_.modules.end(),
                                  [&](const ModuleLoad& load) { return load.name == module; });
  if (known == layout_.modules.end()) {
    layout_.modules.push_back({module, stage, stage, needs});
  } else {
    known->last = stage;
  }
  return needs.weight_bytes - streamed;
}

void LayoutBuilder::place_tensors(GenerationPlan* plan) {
  const MemoryPlan placed = plan_memory(wanted_);
  plan->arena_bytes = placed.arena_bytes;
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    layout_.tensors[i].place.offset = placed.offsets[i];
    plan->tensors.push_back(layout_.tensors[i].place);
    plan->unshared_bytes += (wanted_[i].bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
  }
}

namespace {

// Bytes of the arena that some tensor has lain on up to a stage.
std::uint64_t written_up_to(int stage, const GenerationPlan& plan) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const PlannedTensor& tensor : plan.tensors) {
    if (tensor.first_stage <= stage) places.emplace_back(tensor.offset, tensor.offset + tensor.bytes);
  }
  std::sort(places.begin(), places.end());
  std::uint64_t written = 0;
  std::uint64_t end = 0;
  for (const auto& [from, to] : places) {
    if (to <= end) continue;
    written += to - std::max(from, end);
    end = to;
  }
  return written;
}

StageMemory memory_of(PlanStage stage, const GenerationPlan& plan, const GenerationLayout& layout,
                      const Device& device) {
  StageMemory memory;
  memory.arena_bytes = device.takes_memory_as_written() ? written_up_to(stage, plan) : plan.arena_bytes;
  for (const ModuleLoad& load : layout.modules) {
    const bool runs = load.first <= stage && stage <= load.last;
    if (runs || plan.residency == "all") {
      memory.weight_bytes += load.needs.weight_bytes - layout.streamed_bytes(load.name);
      if (plan.activations_known) memory.packed_bytes += load.needs.packed_bytes;
    }
    if (runs && plan.activations_known) memory.activation_bytes = load.needs.activation_bytes;
  }
  // All of them: those of a decoder's steps may be the same.
  if (plan.residency == "all") memory.weight_bytes = plan.weight_bytes;
  return memory;
}

}  // namespace

GenerationLayout LayoutBuilder::finish(GenerationPlan plan, const Device& device) {
  place_tensors(&plan);
  const std::vector<ModuleLoad>& modules = layout_.modules;
  plan.activations_known =
      std::all_of(modules.begin(), modules.end(), [](const ModuleLoad& load) { return load.needs.activations_known; });
  for (const ModuleLoad& load : modules) {
    plan.modules.push_back({load.name, load.needs.weight_bytes, layout_.streamed_bytes(load.name),
                            load.needs.packed_bytes, load.needs.activation_bytes, load.needs.activation_terms});
  }
  for (const PlanStage stage : {kPlanEncode, kPlanEncodeImage, kPlanDenoise, kPlanDecodeFirst, kPlanDecodeNext}) {
    plan.stages.emplace_back(stage_name(stage));
    plan.stage_memory.push_back(memory_of(stage, plan, layout_, device));
  }
  for (const StageMemory& stage : plan.stage_memory) {
    plan.weight_bytes = std::max(plan.weight_bytes, stage.weight_bytes);
    plan.packed_bytes = std::max(plan.packed_bytes, stage.packed_bytes);
    plan.activation_bytes = std::max(plan.activation_bytes, stage.activation_bytes);
  }
  layout_.plan = std::move(plan);
  return std::move(layout_);
}

}  // namespace vidrt
