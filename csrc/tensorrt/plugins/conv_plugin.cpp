#include "tensorrt/plugins/conv_plugin.h"

#include <stdexcept>
#include <utility>

#include "tensorrt/plugins/conv_launch.h"
#include "tensorrt/plugins/output_shapes.h"
#include "tensorrt/plugins/plugin_log.h"
#include "tensorrt/plugins/plugin_tensors.h"

namespace vidrt::trt {
namespace {

using nvinfer1::DataType;
using nvinfer1::DimsExprs;
using nvinfer1::DynamicPluginTensorDesc;
using nvinfer1::PluginCapabilityType;
using nvinfer1::PluginTensorDesc;

// More than any device has: TensorRT then finds no way to build the layer.
constexpr std::size_t kImpossibleWorkspace = std::size_t{1} << 60;

}  // namespace

ConvPlugin::ConvPlugin(ConvSpec spec, std::string layer)
    : spec_(spec),
      layer_(std::move(layer)),
      who_(full_name(spec_.op) + " '" + layer_ + "'"),
      fields_(spec_),
      metadata_(describe(spec_)),
      // Times measured with other kernels are of no use.
      timing_cache_id_("vidrt-" VIDRT_VERSION " " + metadata_) {}

nvinfer1::IPluginCapability* ConvPlugin::getCapabilityInterface(PluginCapabilityType type) noexcept {
  switch (type) {
    case PluginCapabilityType::kCORE:
      return static_cast<nvinfer1::IPluginV3OneCore*>(this);
    case PluginCapabilityType::kBUILD:
      return static_cast<nvinfer1::IPluginV3OneBuild*>(this);
    case PluginCapabilityType::kRUNTIME:
      return static_cast<nvinfer1::IPluginV3OneRuntime*>(this);
  }
  return nullptr;
}

nvinfer1::IPluginV3* ConvPlugin::clone() noexcept {
  std::unique_ptr<ConvPlugin> copy;
  logged(who_, [&] { copy = std::make_unique<ConvPlugin>(spec_, layer_); });
  return copy.release();
}

const char* ConvPlugin::getPluginName() const noexcept { return plugin_name(spec_.op); }
const char* ConvPlugin::getPluginVersion() const noexcept { return kPluginVersion; }
const char* ConvPlugin::getPluginNamespace() const noexcept { return kPluginNamespace; }

std::int32_t ConvPlugin::configurePlugin(const DynamicPluginTensorDesc*, std::int32_t nb_inputs,
                                         const DynamicPluginTensorDesc*, std::int32_t nb_outputs) noexcept {
  return logged(who_, [&] { check_counts(nb_inputs, nb_outputs); });
}

std::int32_t ConvPlugin::getOutputDataTypes(DataType* output_types, std::int32_t nb_outputs,
                                            const DataType* input_types, std::int32_t nb_inputs) const noexcept {
  return logged(who_, [&] {
    check_counts(nb_inputs, nb_outputs);
    element_type(input_types[0]);  // refuses others
    const std::vector<ConvInput> inputs = inputs_of(spec_);
    for (std::size_t i = 0; i < inputs.size(); ++i) check_type(inputs[i], input_types[i], input_types[0]);
    for (std::int32_t i = 0; i < nb_outputs; ++i) output_types[i] = input_types[0];
  });
}

std::int32_t ConvPlugin::getOutputShapes(const DimsExprs* inputs, std::int32_t nb_inputs, const DimsExprs*,
                                         std::int32_t, DimsExprs* outputs, std::int32_t nb_outputs,
                                         nvinfer1::IExprBuilder& builder) noexcept {
  return logged(who_, [&] {
    check_counts(nb_inputs, nb_outputs);
    write_output_shapes(spec_, inputs, outputs, builder);
  });
}

bool ConvPlugin::supportsFormatCombination(std::int32_t pos, const DynamicPluginTensorDesc* in_out, std::int32_t,
                                           std::int32_t) noexcept {
  bool supported = false;
  logged(who_, [&] { supported = supports_format(spec_, pos, in_out); });
  return supported;
}

std::int32_t ConvPlugin::getNbOutputs() const noexcept { return spec_.outputs(); }

std::size_t ConvPlugin::getWorkspaceSize(const DynamicPluginTensorDesc* inputs, std::int32_t nb_inputs,
                                         const DynamicPluginTensorDesc*, std::int32_t nb_outputs) const noexcept {
  std::size_t bytes = kImpossibleWorkspace;
  logged(who_, [&] {
    check_counts(nb_inputs, nb_outputs);
    // Residual and cache take no workspace, and their bounds need not be reached together with those of X.
    ConvSpec without = spec_;
    without.has_residual = without.has_cache_in = false;
    std::vector<PluginTensorDesc> largest;
    for (std::size_t i = 0; i < inputs_of(without).size(); ++i) {
      largest.push_back(inputs[i].desc);
      largest.back().dims = inputs[i].max;
    }
    bytes = conv_workspace(spec_, make_problem(without, largest.data()));
  });
  return bytes;
}

const char* ConvPlugin::getTimingCacheID() noexcept { return timing_cache_id_.c_str(); }
const char* ConvPlugin::getMetadataString() noexcept { return metadata_.c_str(); }

std::int32_t ConvPlugin::onShapeChange(const PluginTensorDesc* in, std::int32_t nb_inputs, const PluginTensorDesc*,
                                       std::int32_t nb_outputs) noexcept {
  return logged(who_, [&] {
    check_counts(nb_inputs, nb_outputs);
    make_problem(spec_, in);
  });
}

std::int32_t ConvPlugin::enqueue(const PluginTensorDesc* input_descs, const PluginTensorDesc*,
                                 const void* const* inputs, void* const* outputs, void* workspace,
                                 cudaStream_t stream) noexcept {
  return logged(who_, [&] {
    launch_conv(spec_, make_problem(spec_, input_descs), gather_tensors(spec_, inputs, outputs), workspace, stream);
  });
}

nvinfer1::IPluginV3* ConvPlugin::attachToContext(nvinfer1::IPluginResourceContext*) noexcept { return clone(); }

const nvinfer1::PluginFieldCollection* ConvPlugin::getFieldsToSerialize() noexcept { return &fields_.collection(); }

void ConvPlugin::check_counts(std::int32_t inputs, std::int32_t outputs) const {
  const auto expected = static_cast<std::int32_t>(inputs_of(spec_).size());
  if (inputs != expected) {
    throw std::invalid_argument("got " + std::to_string(inputs) + " inputs, expected " + std::to_string(expected) +
                                " (" + list_inputs(spec_) + "), as the fields has_bias, has_residual, ... say.");
  }
  if (outputs != spec_.outputs()) {
    throw std::invalid_argument("got " + std::to_string(outputs) + " outputs, expected " +
                                std::to_string(spec_.outputs()) + ", as the field has_cache_out says.");
  }
}

}  // namespace vidrt::trt
