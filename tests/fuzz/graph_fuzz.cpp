// What is done with an ONNX file before a backend sees it: any bytes give a graph or a BundleError. A graph whose
// convolutions are summed, and whose weights are streamed and lifted, is one that the reader takes again.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "runtime/conv_sums.h"
#include "runtime/lifted_graph.h"
#include "runtime/onnx_graph.h"
#include "runtime/streamable_weights.h"
#include "runtime/streamed_kernels.h"
#include "vidrt/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string model(reinterpret_cast<const char*>(data), size);
  std::string lifted;
  try {
    vidrt::read_onnx_graph(model, "graph.onnx");  // what is refused here is never lifted
    const std::string summed = vidrt::sum_convolutions(model, "graph.onnx").model;
    const vidrt::StreamedNames all = vidrt::weights_that_save(vidrt::streamable_weights(summed, "graph.onnx"),
                                                              std::numeric_limits<std::uint64_t>::max());
    const std::string streaming = vidrt::stream_kernels(summed, "graph.onnx", all.kernels).model;
    lifted = vidrt::lift_weights(streaming, "graph.onnx", all.matrices).model;
  } catch (const vidrt::BundleError&) {
    return 0;
  }
  vidrt::read_onnx_graph(lifted, "lifted.onnx");
  return 0;
}
