#include "onnxruntime/custom_ops/packed_weights.h"

#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace vidrt::custom_ops {
namespace {

using kernels::PackedDepthwise;
using kernels::PackedPointwise;

bool equal(const PackedDepthwise& a, const PackedDepthwise& b) {
  return a.kernel == b.kernel && a.channels == b.channels && a.by_channel == b.by_channel && a.bias == b.bias;
}

bool equal(const PackedPointwise& a, const PackedPointwise& b) {
  return a.layout == b.layout && a.weight == b.weight && a.bias == b.bias;
}

const std::vector<float>& weights_of(const PackedDepthwise& packed) { return packed.by_channel; }
const std::vector<float>& weights_of(const PackedPointwise& packed) { return packed.weight; }

template <typename T>
class Shelf {
 public:
  std::shared_ptr<const T> share(T packed) {
    const std::vector<float>& floats = weights_of(packed);
    const std::size_t key =
        std::hash<std::string_view>()({reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)});
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto entry = known_.begin(); entry != known_.end();) {
      const std::shared_ptr<const T> held = entry->second.lock();
      if (held != nullptr && entry->first == key && equal(*held, packed)) return held;
      entry = held == nullptr ? known_.erase(entry) : std::next(entry);
    }
    auto made = std::make_shared<const T>(std::move(packed));
    known_.emplace(key, made);
    return made;
  }

 private:
  std::mutex mutex_;
  std::multimap<std::size_t, std::weak_ptr<const T>> known_;
};

// Kept for good: sessions may live in static objects.
template <typename T>
Shelf<T>& shelf() {
  static auto* const shelf = new Shelf<T>;
  return *shelf;
}

}  // namespace

std::shared_ptr<const PackedDepthwise> share(PackedDepthwise packed) {
  return shelf<PackedDepthwise>().share(std::move(packed));
}

std::shared_ptr<const PackedPointwise> share(PackedPointwise packed) {
  return shelf<PackedPointwise>().share(std::move(packed));
}

}  // namespace vidrt::custom_ops
