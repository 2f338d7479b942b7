#include "runtime/layer_times.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace vidrt {
namespace {

// Of an even number the mean of the two in the middle; 0 of none.
double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

void LayerTimes::add(const std::string& name, const std::string& type, double ms) {
  Layer& layer = current_[name];
  layer.type = type;
  layer.ms.resize(1);
  layer.ms[0] += ms;
}

void LayerTimes::end_run(double run_ms) {
  run_ms_.push_back(run_ms);
  for (auto& [name, timed] : current_) {
    Layer& layer = layers_[name];
    layer.type = std::move(timed.type);
    layer.ms.push_back(timed.ms[0]);
  }
  current_.clear();
}

void LayerTimes::append(LayerTimes&& other) {
  for (auto& [name, from] : other.layers_) {
    Layer& layer = layers_[name];
    layer.type = std::move(from.type);
    layer.ms.insert(layer.ms.end(), from.ms.begin(), from.ms.end());
  }
  run_ms_.insert(run_ms_.end(), other.run_ms_.begin(), other.run_ms_.end());
  missed_runs_ += other.missed_runs_;
}

ModuleProfile LayerTimes::profile() const {
  ModuleProfile profile;
  profile.runs = runs();
  profile.missed_runs = missed_runs_;
  profile.run_ms = median(run_ms_);
  double sum = 0.0;
  for (const auto& [name, layer] : layers_) {
    profile.layers.push_back({name, layer.type, median(layer.ms), 0.0});
    sum += profile.layers.back().median_ms;
  }
  for (LayerTime& layer : profile.layers) layer.share = sum > 0.0 ? layer.median_ms / sum : 0.0;
  std::sort(profile.layers.begin(), profile.layers.end(), [](const LayerTime& a, const LayerTime& b) {
    return std::tie(b.median_ms, a.name) < std::tie(a.median_ms, b.name);
  });
  return profile;
}

}  // namespace vidrt
