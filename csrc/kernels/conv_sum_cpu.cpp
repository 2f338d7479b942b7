// A block of tiles at a time goes to the transformed domain, a chunk of channels after the other, is multiplied there
// and summed up, and goes back. Weights go there anew for every block: that is a few percent of the work, and what they
// take there is four times what they take in the file.
#include "kernels/conv_sum_cpu.h"

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/scratch_pool.h"
#include "kernels/cpu/winograd_job.h"
#include "kernels/divide_up.h"

namespace vidrt::kernels {
namespace {

constexpr std::int64_t kChunkChannels = 96;  // a panel of tiles of so many channels stays in a first-level cache
constexpr std::int64_t kBlockFloats = std::int64_t{2} << 20U;  // inputs and products of a block
constexpr auto kLine = static_cast<std::int64_t>(kLineFloats);
constexpr std::int64_t kPartsPerThread = 4;
constexpr std::int64_t kChannelGroup = 4;  // of one thread: their panels have lines of a cache in common

// Transforms go to all points at once: a power of two would put them into the same few sets of a cache.
std::int64_t odd_lines(std::int64_t floats) { return (divide_up(floats, kLine) | 1) * kLine; }

/// How a problem is cut.
struct Cut {
  Cut(const ConvSumProblem& problem, const WinogradKernels& kernels) : tile_panel(kernels.tile_panel) {
    for (const std::int64_t c : problem.channels) channels += c;
    tile_rows = divide_up(problem.height, kTileOutputs);
    tile_columns = divide_up(problem.width, kTileOutputs);
    rows = problem.frames * tile_rows;
    chunk = divide_up(channels, divide_up(channels, kChunkChannels));
    outputs = divide_up(problem.outputs, kOutputPanel) * kOutputPanel;
    const std::int64_t fit = kBlockFloats / (kTilePoints * (chunk + outputs) * std::max<std::int64_t>(tile_columns, 1));
    const std::int64_t blocks = divide_up(rows, std::clamp<std::int64_t>(fit, 1, std::max<std::int64_t>(rows, 1)));
    block = divide_up(rows, std::max<std::int64_t>(blocks, 1));
    tile_panels = divide_up(block * tile_columns, kernels.tile_panel);
  }

  // Floats from a point to the next.
  std::int64_t weights_pitch() const { return odd_lines(outputs * chunk); }
  std::int64_t inputs_pitch() const { return odd_lines(chunk * tiles()); }
  std::int64_t products_pitch() const { return odd_lines(outputs * tiles()); }
  std::int64_t tiles() const { return tile_panels * tile_panel; }
  std::size_t bytes() const {
    const std::int64_t floats = kTilePoints * (weights_pitch() + inputs_pitch() + products_pitch());
    return static_cast<std::size_t>(floats + kLine) * sizeof(float);
  }

  std::int64_t channels = 0;
  std::int64_t tile_rows = 0, tile_columns = 0, rows = 0;
  std::int64_t chunk = 0;        // channels
  std::int64_t outputs = 0;      // rounded up to panels
  std::int64_t block = 0;        // rows of tiles
  std::int64_t tile_panels = 0;  // of a block
  std::int64_t tile_panel;
};

}  // namespace

std::size_t conv_sum_scratch_bytes(const ConvSumProblem& problem, Isa isa) {
  return Cut(problem, kernels_of(isa)->winograd).bytes();
}

void conv_sum_cpu(const ConvSumProblem& problem, const ConvSumTensors& tensors, const ParallelFor& parallel, Isa isa) {
  const WinogradKernels& kernels = kernels_of(isa)->winograd;
  const Cut cut(problem, kernels);
  WinogradJob job;
  job.terms = tensors.terms.data();
  job.weight_type = problem.weight_type;
  job.bias = tensors.bias;
  job.y = tensors.y;
  job.y_steps = tensors.y_steps;
  job.height = problem.height;
  job.width = problem.width;
  job.outputs = problem.outputs;
  job.tile_rows = cut.tile_rows;
  job.tile_columns = cut.tile_columns;
  job.panels = cut.outputs / kOutputPanel;
  job.tile_panels = cut.tile_panels;
  job.weights_pitch = cut.weights_pitch();
  job.inputs_pitch = cut.inputs_pitch();
  job.products_pitch = cut.products_pitch();
  job.weights = first_line(tensors.scratch);
  job.inputs = job.weights + kTilePoints * job.weights_pitch;
  job.products = job.inputs + kTilePoints * job.inputs_pitch;

  const int threads = std::max(parallel.threads, 1);
  ScratchPool scratch(static_cast<std::size_t>(kernels.scratch_floats(job)), threads);
  for (job.first_row = 0; job.first_row < cut.rows; job.first_row += cut.block) {
    job.rows = std::min(cut.block, cut.rows - job.first_row);
    job.tile_panels = divide_up(job.rows * job.tile_columns, kernels.tile_panel);
    const std::int64_t parts = std::min(job.tile_panels, divide_up(kPartsPerThread * threads, kTilePoints));
    for (job.first_channel = 0; job.first_channel < cut.channels; job.first_channel += cut.chunk) {
      job.channels = std::min(cut.chunk, cut.channels - job.first_channel);
      job.begins = job.first_channel == 0;
      const std::int64_t groups = divide_up(job.channels, kChannelGroup);
      parallel(static_cast<std::size_t>(job.panels + groups), [&](std::size_t index) {
        const auto unit = static_cast<std::int64_t>(index);
        if (unit < job.panels) return kernels.transform_weights(job, unit);
        const ScratchPool::Lease lease(scratch);
        const std::int64_t first = (unit - job.panels) * kChannelGroup;
        for (std::int64_t channel = first; channel < std::min(first + kChannelGroup, job.channels); ++channel) {
          kernels.transform_input(job, channel, lease.floats());
        }
      });
      parallel(static_cast<std::size_t>(kTilePoints * parts), [&](std::size_t index) {
        const auto unit = static_cast<std::int64_t>(index);
        const std::int64_t part = unit % parts;
        kernels.multiply(job, unit / parts, job.tile_panels * part / parts, job.tile_panels * (part + 1) / parts);
      });
    }
    parallel(static_cast<std::size_t>(job.outputs), [&](std::size_t index) {
      const ScratchPool::Lease lease(scratch);
      kernels.transform_output(job, static_cast<std::int64_t>(index), lease.floats());
    });
  }
}

}  // namespace vidrt::kernels
