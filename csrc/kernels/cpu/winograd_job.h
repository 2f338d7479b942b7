// A sum of 3x3 convolutions by Winograd's minimal filtering, as the vector kernels take it.
#pragma once

#include <cstdint>

#include "kernels/conv_sum.h"

namespace vidrt::kernels {

constexpr std::int64_t kTileOutputs = 4;                         // rows and columns of results that a tile gives
constexpr std::int64_t kTileInputs = 6;                          // of X that it needs
constexpr std::int64_t kTilePoints = kTileInputs * kTileInputs;  // products of one tile and one channel
constexpr std::int64_t kOutputPanel = 8;                         // outputs that are multiplied at once

/// A block of tiles, and of its sum a chunk of channels. The tiles of a block are whole rows of tiles; rows are counted
/// over all frames, channels over all terms. In the transformed domain the convolution is a product of matrices for
/// each of the 36 points: products (O, tiles) += weights (O, channels) · inputs (channels, tiles).
struct WinogradJob {
  const ConvSumTerm* terms = nullptr;
  ElementType weight_type = ElementType::kFloat32;
  const float* bias = nullptr;
  float* y = nullptr;
  FrameSteps y_steps;
  std::int64_t height = 0, width = 0, outputs = 0;
  std::int64_t panels = 0;                       // of outputs
  std::int64_t tile_rows = 0, tile_columns = 0;  // of a frame

  std::int64_t first_row = 0, rows = 0;          // of the block
  std::int64_t tile_panels = 0;                  // its tiles, rounded up to whole panels
  std::int64_t first_channel = 0, channels = 0;  // of the chunk
  bool begins = true;                            // the first chunk: nothing was summed before

  // Panels lie one behind another, as they are multiplied, and points so far apart.
  std::int64_t weights_pitch = 0, inputs_pitch = 0, products_pitch = 0;
  float* weights = nullptr;   // (36; panels, channels, kOutputPanel)
  float* inputs = nullptr;    // (36; tile_panels, channels, tile_panel)
  float* products = nullptr;  // (36; tile_panels, panels * kOutputPanel, tile_panel)
};

/// What one instruction set's translation unit does of a job. Scratch is 64-byte aligned.
struct WinogradKernels {
  std::int64_t tile_panel;  // tiles that are multiplied at once
  /// Scratch of a transform.
  std::int64_t (*scratch_floats)(const WinogradJob& job);
  /// Weights of a panel of outputs to the transformed domain.
  void (*transform_weights)(const WinogradJob& job, std::int64_t panel);
  /// A channel of the chunk to the transformed domain.
  void (*transform_input)(const WinogradJob& job, std::int64_t channel, float* scratch);
  /// The product of one point, for panels of tiles [begin, end).
  void (*multiply)(const WinogradJob& job, std::int64_t point, std::int64_t begin, std::int64_t end);
  /// An output's products back to results.
  void (*transform_output)(const WinogradJob& job, std::int64_t output, float* scratch);
};

}  // namespace vidrt::kernels
