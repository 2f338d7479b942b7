// Shapes of the outputs while a network is built, when some sizes are not known yet.
#pragma once

#include <NvInferRuntime.h>

#include "tensorrt/plugins/conv_spec.h"

namespace vidrt::trt {

/// Write the shapes of Y and, where the node has it, cache_out. `inputs` are as inputs_of(spec), in expressions of
/// which some are constants. Sizes along a padded axis of stride one are the input's own expressions, so that TensorRT
/// sees them equal. Throws std::invalid_argument where what is known already cannot fit.
void write_output_shapes(const ConvSpec& spec, const nvinfer1::DimsExprs* inputs, nvinfer1::DimsExprs* outputs,
                         nvinfer1::IExprBuilder& builder);

}  // namespace vidrt::trt
