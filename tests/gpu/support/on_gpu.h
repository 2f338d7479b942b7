// Convolutions of tests/kernels/support on a real device.
#pragma once

#include <functional>

#include "gpu/support/device.h"
#include "support/conv_case.h"

namespace vidrt::kernels::testing {

/// How the launches come onto the stream: at once, or in some other way.
using Enqueue = std::function<void(const Stream&, const std::function<void(cudaStream_t)>& launches)>;
void at_once(const Stream& stream, const std::function<void(cudaStream_t)>& launches);
/// Captured in a graph, which then runs twice.
void in_a_graph(const Stream& stream, const std::function<void(cudaStream_t)>& launches);

/// Kernels for expect_as_reference: copy the tensors there, run, and copy the results back. `offset`: bytes by which
/// every tensor begins behind an aligned address.
Depthwise depthwise_on_gpu(const Enqueue& enqueue = at_once, std::size_t offset = 0);
Separable separable_on_gpu(const Enqueue& enqueue = at_once);

}  // namespace vidrt::kernels::testing
