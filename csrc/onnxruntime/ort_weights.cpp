#include "onnxruntime/ort_weights.h"

#include <map>
#include <mutex>
#include <string>

#include "onnxruntime/ort_library.h"
#include "onnxruntime/ort_value.h"

namespace vidrt {
namespace {

// Stages have weight files of their own, so unloading one stage frees what was packed for it.
std::shared_ptr<OrtPrepackedWeightsContainer> packed_for(const OrtApi& api, const Bundle& bundle,
                                                         const Variant& variant) {
  static std::mutex mutex;
  static auto* const known = new std::map<std::string, std::weak_ptr<OrtPrepackedWeightsContainer>>;
  std::string key = bundle.path();
  for (const std::string& file : variant.data_files) key += '\n' + file;
  const std::lock_guard<std::mutex> lock(mutex);
  std::weak_ptr<OrtPrepackedWeightsContainer>& entry = (*known)[key];
  if (auto shared = entry.lock()) return shared;
  OrtPrepackedWeightsContainer* made = nullptr;
  check_ort(api, api.CreatePrepackedWeightsContainer(&made), "making a container for packed weights");
  std::shared_ptr<OrtPrepackedWeightsContainer> shared(made, api.ReleasePrepackedWeightsContainer);
  entry = shared;
  return shared;
}

}  // namespace

OrtWeights::OrtWeights(const OrtApi& api, const Bundle& bundle, const Variant& variant,
                       const std::vector<LiftedWeight>& lifted)
    : api_(api), packed_(packed_for(api, bundle, variant)) {
  const OrtHandle<OrtMemoryInfo> host = host_memory(api);
  WeightLoader loader(bundle);
  for (const LiftedWeight& weight : lifted) {
    weights_.push_back(loader.load(weight));
    names_.push_back(weight.name);
    values_.push_back(wrap_tensor(api, host.get(), weights_.back()->view, "handing over '" + weight.name + "'"));
  }
}

void OrtWeights::give_to(OrtSessionOptions* options, Use use) const {
  std::vector<const char*> names;
  std::vector<const OrtValue*> values;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    names.push_back(names_[i].c_str());
    values.push_back(values_[i].get());
    // This alone would serve kernels, but not the optimiser, which has to read constants.
    if (use == Use::kShare) {
      check_ort(api_, api_.AddInitializer(options, names.back(), values.back()), "sharing '" + names_[i] + "'");
    }
  }
  if (names.empty()) return;
  check_ort(api_, api_.AddExternalInitializers(options, names.data(), values.data(), names.size()),
            "handing over weights");
}

}  // namespace vidrt
