// What all our operators answer ONNX Runtime alike.
#pragma once

#include <onnxruntime_c_api.h>

#include <cstddef>

#include "onnxruntime/ort_api_version.h"

namespace vidrt::custom_ops {

/// An operator of version 1 for the CPU provider, whose inputs and outputs are required, and none variadic. What else
/// there is to say an operator says in its constructor.
struct PlainCustomOp : OrtCustomOp {
  PlainCustomOp() : OrtCustomOp{} {
    OrtCustomOp::version = kOrtApiVersion;
    GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };  // the CPU provider
    GetInputCharacteristic =
        GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_REQUIRED; };
    GetInputMemoryType = [](const OrtCustomOp*, std::size_t) { return OrtMemTypeDefault; };
    // The questions are asked though no input is variadic.
    GetVariadicInputMinArity = GetVariadicOutputMinArity = [](const OrtCustomOp*) { return 0; };
    GetVariadicInputHomogeneity = GetVariadicOutputHomogeneity = [](const OrtCustomOp*) { return 0; };
    GetStartVersion = GetEndVersion = [](const OrtCustomOp*) { return 1; };
  }
};

}  // namespace vidrt::custom_ops
