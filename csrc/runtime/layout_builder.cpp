#include "runtime/layout_builder.h"

#include <iomanip>
#include <sstream>
#include <utility>

#include "vidrt/errors.h"

namespace vidrt {
namespace {

// "1234567 bytes (1.2 MiB)": exact, because a budget may miss by little.
std::string byte_string(std::uint64_t bytes) {
  std::ostringstream text;
  text << bytes << " bytes (" << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (1024.0 * 1024.0)
       << " MiB)";
  return text.str();
}

}  // namespace

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

ModuleNeeds LayoutBuilder::add_module(const ModuleSet& modules, const std::string& module, ModuleSizes sizes,
                                      PlanStage stage) {
  const ModuleNeeds needs = modules.needs(module, sizes);
  if (needs.workspace_bytes != 0) {
    add(workspace_name(stage), DType::kUInt8, {static_cast<std::int64_t>(needs.workspace_bytes)}, stage, stage);
  }
  layout_.sizes[module] = std::move(sizes);
  return needs;
}

GenerationLayout LayoutBuilder::finish(GenerationPlan plan) {
  const MemoryPlan placed = plan_memory(wanted_);
  for (const PlanStage stage : {kPlanEncode, kPlanEncodeImage, kPlanDenoise, kPlanDecodeFirst, kPlanDecodeNext}) {
    plan.stages.emplace_back(stage_name(stage));
  }
  plan.arena_bytes = placed.arena_bytes;
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    layout_.tensors[i].place.offset = placed.offsets[i];
    plan.tensors.push_back(layout_.tensors[i].place);
    plan.unshared_bytes += (wanted_[i].bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
  }
  layout_.plan = std::move(plan);
  return std::move(layout_);
}

void fail_over_budget(const std::string& what, std::uint64_t smallest, std::uint64_t memory_budget,
                      const std::string& remedy) {
  throw OutOfMemory(what + " needs at least " + byte_string(smallest) +
                    " for weights and tensors, but memory_budget is " + byte_string(memory_budget) +
                    "; raise the budget, or " + remedy + ".");
}

}  // namespace vidrt
