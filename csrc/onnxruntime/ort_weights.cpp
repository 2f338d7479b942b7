#include "onnxruntime/ort_weights.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "onnxruntime/ort_library.h"
#include "onnxruntime/ort_value.h"
#include "runtime/onnx_tensor.h"
#include "runtime/pages.h"
#include "runtime/streamable_weights.h"

namespace vidrt {
namespace {

// The steps of a decoder have the same weights; other modules are of other stages, and unloading a stage has to free
// what was packed for it.
std::string sharing_group(const std::string& module) {
  const std::string decoder = "vae_decoder";
  return module.compare(0, decoder.size(), decoder) == 0 ? decoder : module;
}

std::shared_ptr<OrtPrepackedWeightsContainer> packed_for(const OrtApi& api, const Bundle& bundle,
                                                         const std::string& module) {
  static std::mutex mutex;
  static auto* const known = new std::map<std::string, std::weak_ptr<OrtPrepackedWeightsContainer>>;
  const std::string key = bundle.path() + '\n' + sharing_group(module);
  const std::lock_guard<std::mutex> lock(mutex);
  std::weak_ptr<OrtPrepackedWeightsContainer>& entry = (*known)[key];
  if (auto shared = entry.lock()) return shared;
  OrtPrepackedWeightsContainer* made = nullptr;
  check_ort(api, api.CreatePrepackedWeightsContainer(&made), "making a container for packed weights");
  std::shared_ptr<OrtPrepackedWeightsContainer> shared(made, api.ReleasePrepackedWeightsContainer);
  entry = shared;
  return shared;
}

MappedWeight mapped(WeightLoader* loader, const ExternalTensor& tensor) {
  return {loader->file(tensor.location), tensor.offset, dtype_from_onnx(tensor.data_type).value(), tensor.dims};
}

// By runs, and not before.
bool is_read_in_place(const LiftedWeight& weight) {
  return weight.as_stored || (weight.in_file && !is_packed_kernel(weight.stored));
}

}  // namespace

OrtWeights::OrtWeights(const OrtApi& api, const ModuleRequest& request, const Sources& sources, int threads)
    : api_(api), packed_(packed_for(api, request.bundle, request.module)) {
  const OrtHandle<OrtMemoryInfo> host = host_memory(api);
  WeightLoader loader(request.bundle);
  for (const LiftedWeight& weight : sources.handed) {
    weights_.push_back(loader.load(weight));
    // Else the first run reads them from the disk, and what it takes is measured as if it were activations.
    if (is_read_in_place(weight)) touch_pages(weights_.back()->view.data, weights_.back()->view.bytes());
    names_.push_back(weight.name);
    read_by_optimiser_.push_back(!weight.only_operand && !weight.in_file);
    values_.push_back(wrap_tensor(api, host.get(), weights_.back()->view, "handing over '" + weight.name + "'"));
  }
  if (sources.read.empty() && sources.in_place.empty()) return;
  std::vector<MappedWeight> read;
  for (const ExternalTensor& tensor : sources.read) read.push_back(mapped(&loader, tensor));
  std::vector<ConvSumOp::Kernel> in_place;
  for (const ExternalTensor& tensor : sources.in_place) {
    in_place.push_back({mapped(&loader, tensor), sources.let_go.count(tensor.name) != 0});
    const auto& [weight, let_go] = in_place.back();
    if (!let_go) touch_pages(weight.data(), weight.bytes());
  }
  streaming_ = std::make_unique<WeightStreaming>(api, std::move(read), std::move(in_place), threads);
}

void OrtWeights::give_to(OrtSessionOptions* options, Use use) const {
  if (streaming_ != nullptr) streaming_->add_to(options);
  std::vector<const char*> names;
  std::vector<const OrtValue*> values;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (use == Use::kShare) {
      check_ort(api_, api_.AddInitializer(options, names_[i].c_str(), values_[i].get()), "sharing '" + names_[i] + "'");
      if (!read_by_optimiser_[i]) continue;
    }
    // While a session is made, ONNX Runtime holds a copy of all that come this way. Large kernels it reads one by one
    // from their file, and only where it reorders them.
    names.push_back(names_[i].c_str());
    values.push_back(values_[i].get());
  }
  if (names.empty()) return;
  check_ort(api_, api_.AddExternalInitializers(options, names.data(), values.data(), names.size()),
            "handing over weights");
}

}  // namespace vidrt
