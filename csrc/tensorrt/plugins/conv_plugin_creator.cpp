#include "tensorrt/plugins/conv_plugin_creator.h"

#include <memory>
#include <stdexcept>
#include <string>

#include "tensorrt/plugins/conv_plugin.h"
#include "tensorrt/plugins/plugin_fields.h"
#include "tensorrt/plugins/plugin_log.h"

namespace vidrt::trt {

ConvPluginCreator::ConvPluginCreator(ConvOperator op) : op_(op), who_(full_name(op)), names_(field_names(op)) {
  collection_ = {static_cast<std::int32_t>(names_.size()), names_.data()};
}

nvinfer1::IPluginV3* ConvPluginCreator::createPlugin(const char* name, const nvinfer1::PluginFieldCollection* fields,
                                                     nvinfer1::TensorRTPhase) noexcept {
  std::unique_ptr<ConvPlugin> plugin;
  logged(who_, [&] {
    const std::string layer = name == nullptr ? "" : name;
    try {
      if (fields == nullptr) throw std::invalid_argument("got no fields.");
      plugin = std::make_unique<ConvPlugin>(read_fields(op_, *fields), layer);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("'" + layer + "': " + error.what());
    }
  });
  return plugin.release();
}

const nvinfer1::PluginFieldCollection* ConvPluginCreator::getFieldNames() noexcept { return &collection_; }
const char* ConvPluginCreator::getPluginName() const noexcept { return plugin_name(op_); }
const char* ConvPluginCreator::getPluginVersion() const noexcept { return kPluginVersion; }
const char* ConvPluginCreator::getPluginNamespace() const noexcept { return kPluginNamespace; }

}  // namespace vidrt::trt
