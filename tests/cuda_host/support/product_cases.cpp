#include "cuda_host/support/product_cases.h"

namespace vidrt::kernels::testing {

std::vector<ConvCase> product_cases() {
  std::vector<ConvCase> cases;
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    for (const ElementType type : {ElementType::kFloat16, ElementType::kBFloat16, ElementType::kFloat32}) {
      for (const std::int64_t channels : {72, 71}) {
        ConvCase conv;
        conv.seed = static_cast<std::uint32_t>(cases.size() + 1);
        conv.type = type;
        conv.attributes.data_layout = layout;
        conv.attributes.activation = Activation::kSilu;
        conv.kernel = {1, 3, 3};
        conv.x = {2, channels, 1, 9, channels == 72 ? 16 : 15};
        conv.outputs = channels + 10;
        conv.residual = true;
        cases.push_back(conv);
      }
    }
  }
  return cases;
}

std::vector<ConvCase> wide_product_cases() {
  std::vector<ConvCase> cases;
  for (const DataLayout layout : {DataLayout::kNCTHW, DataLayout::kNTHWC}) {
    for (const ElementType type : {ElementType::kFloat16, ElementType::kBFloat16, ElementType::kFloat32}) {
      ConvCase conv;
      conv.type = type;
      conv.attributes.data_layout = layout;
      conv.kernel = {1, 1, 3};
      conv.x = {1, 8, 1, 65, 130};
      conv.outputs = 126;
      cases.push_back(conv);
    }
  }
  return cases;
}

}  // namespace vidrt::kernels::testing
