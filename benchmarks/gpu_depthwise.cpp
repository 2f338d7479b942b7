// The CUDA kernels behind one C function, so that gpu_depthwise.py runs them on PyTorch's memory and streams, in turns
// with the other contenders.
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "kernels/depthwise_conv3d_cuda.h"

namespace {

using namespace vidrt::kernels;

ElementType parse_type(const std::string& word) {
  for (const ElementType type : {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16}) {
    if (word == to_string(type)) return type;
  }
  throw std::invalid_argument("type: got '" + word + "', expected float32, float16 or bfloat16");
}

}  // namespace

/// Queue a convolution over one clip that keeps its size. `sizes`: C, T, H, W, kT, kH, kW. Causal: zeros in front, and
/// SiLU behind; else zeros all around. `bias` may be null. Returns 0, a cudaError_t, or -1 with a message on standard
/// error.
extern "C" __attribute__((visibility("default"))) int vidrt_bench_depthwise(const char* type, const char* layout,
                                                                            const std::int64_t* sizes, int is_causal,
                                                                            const void* x, const void* weight,
                                                                            const void* bias, void* y,
                                                                            CudaStream stream) {
  try {
    DepthwiseConv3dAttributes attributes;
    attributes.data_layout = parse_data_layout(layout);
    attributes.temporal_padding = is_causal != 0 ? TemporalPadding::kCausal : TemporalPadding::kSame;
    attributes.activation = is_causal != 0 ? Activation::kSilu : Activation::kNone;
    const ClipShape shape{1, sizes[0], sizes[1], sizes[2], sizes[3]};
    DepthwiseConv3dInputs inputs;
    inputs.x = shape.dims(attributes.data_layout);
    inputs.weight = {shape.c, 1, sizes[4], sizes[5], sizes[6]};
    if (bias != nullptr) inputs.bias = shape.c;
    DepthwiseConv3dTensors tensors;
    tensors.x = x;
    tensors.weight = weight;
    tensors.bias = bias;
    tensors.y = y;
    return depthwise_conv3d_cuda(make_depthwise_conv3d_problem(attributes, parse_type(type), inputs), tensors, stream);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_depthwise: %s\n", error.what());
    return -1;
  }
}
