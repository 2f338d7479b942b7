// The part of an engine's weights that its budget keeps on the device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace vidrt::trt {

/// What ICudaEngine::setWeightStreamingBudgetV2 is given for an engine of which `streamable` bytes of weights may stay
/// on the host and `streamed` of these are to: 0 streams all of them, all of them streams none.
inline std::int64_t weight_budget(std::int64_t streamable, std::uint64_t streamed) {
  return streamable - static_cast<std::int64_t>(std::min(streamed, static_cast<std::uint64_t>(streamable)));
}

/// An engine's context, made when the engine has its budget: that cannot change while there is a context. Engines that
/// cannot stream have none, and `streamed` is then empty. All that can be streamed is also the default, but what takes
/// the memory for it is the call. A budget that is not taken goes to `refuse`, which throws.
template <typename Engine, typename Strategy, typename Refuse>
auto* make_context(Engine& engine, std::optional<std::uint64_t> streamed, Strategy strategy, Refuse refuse) {
  if (streamed.has_value()) {
    const std::int64_t budget = weight_budget(engine.getStreamableWeightsSize(), *streamed);
    if (!engine.setWeightStreamingBudgetV2(budget)) refuse(budget);
  }
  return engine.createExecutionContext(strategy);
}

}  // namespace vidrt::trt
