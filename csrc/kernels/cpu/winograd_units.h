// Units of work of a sum of 3x3 convolutions by Winograd's minimal filtering; see WinogradJob.
#pragma once

#include "kernels/cpu/fours.h"
#include "kernels/cpu/pointwise.h"
#include "kernels/cpu/winograd_transforms.h"

namespace vidrt::kernels {
namespace {

constexpr std::int64_t kTilePanel = kTileVectors * kLanes;

// One number of each output of a panel.
typedef float PanelVec __attribute__((vector_size(4 * kOutputPanel), aligned(4), may_alias));

/// The term that a channel of the sum belongs to, and which of the term's it is.
struct TermChannel {
  TermChannel(const WinogradJob& job, std::int64_t index) : term(job.terms), channel(index) {
    for (; channel >= term->channels; ++term) channel -= term->channels;
  }

  /// On to the next.
  void advance() {
    if (++channel < term->channels) return;
    channel = 0;
    ++term;
  }

  const ConvSumTerm* term;
  std::int64_t channel;
};

inline const float* filter_of(const float* weight, float*) { return weight; }

template <typename T>
inline const float* filter_of(const T* weight, float* buffer) {
  for (int i = 0; i < 9; i += kLanes) {
    store(buffer + i, 9 - i < kLanes ? load_some(weight + i, 9 - i) : load(weight + i));
  }
  return buffer;
}

template <typename T>
void transform_panel(const WinogradJob& job, std::int64_t panel) {
  const std::int64_t first = panel * kOutputPanel;
  const std::int64_t left = job.outputs - first;
  const int outputs = left < kOutputPanel ? static_cast<int>(left) : static_cast<int>(kOutputPanel);
  constexpr float kNone[9] = {};  // beyond O
  TermChannel at(job, job.first_channel);
  for (std::int64_t k = 0; k < job.channels; ++k, at.advance()) {
    const std::int64_t step = at.term->weight_step;
    const T* weight = static_cast<const T*>(at.term->weight) + (first * at.term->channels + at.channel) * step;
    float buffers[kOutputPanel][9 + kLanes];
    const float* w[kOutputPanel];
    for (int o = 0; o < kOutputPanel; ++o) {
      w[o] = o < outputs ? filter_of(weight + o * at.term->channels * step, buffers[o]) : kNone;
    }
    PanelVec g[9];
    for (int i = 0; i < 9; ++i) {
      g[i] = PanelVec{w[0][i], w[1][i], w[2][i], w[3][i], w[4][i], w[5][i], w[6][i], w[7][i]};
    }
    PanelVec columns[3][kTileInputs];
    for (int j = 0; j < 3; ++j) transform_weight3(g[j], g[3 + j], g[6 + j], columns[j]);
    float* out = job.weights + (panel * job.channels + k) * kOutputPanel;
    for (int i = 0; i < kTileInputs; ++i) {
      PanelVec points[kTileInputs];
      transform_weight3(columns[0][i], columns[1][i], columns[2][i], points);
      for (int j = 0; j < kTileInputs; ++j, out += job.weights_pitch) {
        *reinterpret_cast<PanelVec*>(out) = points[j];
      }
    }
  }
}

void winograd_weights(const WinogradJob& job, std::int64_t panel) {
  switch (job.weight_type) {
    case ElementType::kFloat32:
      return transform_panel<float>(job, panel);
    case ElementType::kFloat16:
      return transform_panel<Float16>(job, panel);
    case ElementType::kBFloat16:
      return transform_panel<BFloat16>(job, panel);
  }
}

inline std::int64_t whole_vectors(std::int64_t floats) { return (floats + kLanes - 1) / kLanes * kLanes; }

/// Where things lie in the scratch of a transform.
struct Places {
  explicit Places(const WinogradJob& job)
      : row_pitch(whole_vectors(kTileOutputs * (job.tile_columns + 1)) + kTileOutputs * kLanes),
        phase_pitch(whole_vectors(job.tile_columns + 1) + kLanes),
        // An odd number of lines: a power of two would put all rows into the same few sets of a cache.
        tile_pitch((job.tile_panels * kTilePanel / 16 | 1) * 16 + 16) {}

  std::int64_t floats() const {
    const std::int64_t input = kTileInputs * (row_pitch + kTileOutputs * phase_pitch) + kTilePoints * tile_pitch;
    const std::int64_t output = kTileOutputs * kTileOutputs * tile_pitch;
    return input > output ? input : output;
  }

  std::int64_t row_pitch, phase_pitch, tile_pitch;
};

std::int64_t winograd_scratch_floats(const WinogradJob& job) { return Places(job).floats(); }

/// Rows of one row of tiles on their way to the transformed domain.
struct InputRows {
  InputRows(const WinogradJob& job, const Places& places, float* scratch)
      : width(job.width),
        columns(job.tile_columns),
        row_pitch(places.row_pitch),
        phase_pitch(places.phase_pitch),
        rows(scratch),
        phases(scratch + kTileInputs * row_pitch) {
    for (std::int64_t i = 0; i < kTileInputs * row_pitch; ++i) rows[i] = 0.0F;
  }

  /// Transform six rows (null: of the border) downwards. A zero lies before each row's first number.
  void transform_down(const float* const (&x)[kTileInputs]) {
    for (std::int64_t at = 0; at < width; at += kLanes) {
      const int count = width - at < kLanes ? static_cast<int>(width - at) : kLanes;
      Vec d[kTileInputs];
      for (int i = 0; i < kTileInputs; ++i) {
        d[i] = x[i] == nullptr ? zeros() : count == kLanes ? load(x[i] + at) : load_some(x[i] + at, count);
      }
      Vec out[kTileInputs];
      transform_input6(d, out);
      for (int i = 0; i < kTileInputs; ++i) store(rows + i * row_pitch + 1 + at, out[i]);
    }
  }

  /// Deal the numbers of each row out: every fourth, from the first, second, third and fourth on.
  void deal() {
    for (int i = 0; i < kTileInputs; ++i) {
      const float* const row = rows + i * row_pitch;
      float* const out = phases + i * kTileOutputs * phase_pitch;
      for (std::int64_t at = 0; at <= columns; at += kLanes) {
        Vec fours[4];
        load_fours(row + kTileOutputs * at, fours);
        transpose_fours(fours);
        for (int j = 0; j < 4; ++j) store(out + j * phase_pitch + at, fours[j]);
      }
    }
  }

  /// Transform them sideways: the points of all tiles of the row, each point `pitch` after the other. The last vector
  /// may reach beyond the row of tiles.
  void transform_sideways(float* out, std::int64_t pitch) const {
    for (std::int64_t tile = 0; tile < columns; tile += kLanes) {
      for (int i = 0; i < kTileInputs; ++i) {
        const float* const phase = phases + i * kTileOutputs * phase_pitch + tile;
        Vec d[kTileInputs];
        for (int j = 0; j < kTileInputs; ++j) d[j] = load(phase + j % 4 * phase_pitch + j / 4);
        Vec points[kTileInputs];
        transform_input6(d, points);
        for (int j = 0; j < kTileInputs; ++j) store(out + (i * kTileInputs + j) * pitch + tile, points[j]);
      }
    }
  }

  std::int64_t width, columns;
  std::int64_t row_pitch, phase_pitch;
  float* rows;    // (6, row_pitch)
  float* phases;  // (6, 4, phase_pitch)
};

void winograd_input(const WinogradJob& job, std::int64_t channel, float* scratch) {
  const TermChannel at(job, job.first_channel + channel);
  const Places places(job);
  InputRows rows(job, places, scratch);
  float* const tiles = rows.phases + kTileInputs * kTileOutputs * places.phase_pitch;  // (36, tile_pitch)
  for (std::int64_t row = 0; row < job.rows; ++row) {
    const std::int64_t frame = (job.first_row + row) / job.tile_rows;
    const std::int64_t top = (job.first_row + row) % job.tile_rows * kTileOutputs - 1;
    const float* const plane = at.term->x + frame * at.term->x_steps.frame + at.channel * at.term->x_steps.channel;
    const float* x[kTileInputs];
    for (std::int64_t i = 0; i < kTileInputs; ++i) {
      const bool inside = top + i >= 0 && top + i < job.height;
      x[i] = inside ? plane + (top + i) * job.width : nullptr;
    }
    rows.transform_down(x);
    rows.deal();
    // What reaches beyond this row of tiles is written over by the next.
    rows.transform_sideways(tiles + row * job.tile_columns, places.tile_pitch);
  }
  for (std::int64_t point = 0; point < kTilePoints; ++point) {
    float* out = job.inputs + point * job.inputs_pitch + channel * kTilePanel;
    const float* from = tiles + point * places.tile_pitch;
    for (std::int64_t panel = 0; panel < job.tile_panels; ++panel, out += job.channels * kTilePanel) {
      for (int v = 0; v < kTileVectors; ++v, from += kLanes) store(out + v * kLanes, load(from));
    }
  }
}

/// Eight outputs by a panel of tiles.
inline void multiply_panel(const WinogradJob& job, const float* weights, const float* inputs, float* products) {
  for (int row = 0; row < kOutputPanel; row += kRowsAtOnce) {
    float* const out = products + row * kTilePanel;
    Vec sums[kRowsAtOnce][kTileVectors];
    for (int m = 0; m < kRowsAtOnce; ++m) {
      for (int v = 0; v < kTileVectors; ++v) {
        sums[m][v] = job.begins ? zeros() : load(out + m * kTilePanel + v * kLanes);
      }
    }
    multiply(sums, Product{weights + row, 1, kOutputPanel, inputs, kTilePanel, job.channels});
    for (int m = 0; m < kRowsAtOnce; ++m) {
      for (int v = 0; v < kTileVectors; ++v) store(out + m * kTilePanel + v * kLanes, sums[m][v]);
    }
  }
}

void winograd_multiply(const WinogradJob& job, std::int64_t point, std::int64_t begin, std::int64_t end) {
  const float* const weights = job.weights + point * job.weights_pitch;
  for (std::int64_t tiles = begin; tiles < end; ++tiles) {
    const float* const inputs = job.inputs + point * job.inputs_pitch + tiles * job.channels * kTilePanel;
    float* const products = job.products + point * job.products_pitch + tiles * job.panels * kOutputPanel * kTilePanel;
    for (std::int64_t panel = 0; panel < job.panels; ++panel) {
      multiply_panel(job, weights + panel * job.channels * kOutputPanel, inputs,
                     products + panel * kOutputPanel * kTilePanel);
    }
  }
}

// A vector of tiles back to four rows of results, each `pitch` after the other.
inline void transform_back(const float* products, std::int64_t point_pitch, Vec bias, float* rows, std::int64_t pitch) {
  Vec columns[kTileOutputs][kTileInputs];
  for (int j = 0; j < kTileInputs; ++j) {
    Vec m[kTileInputs];
    for (int i = 0; i < kTileInputs; ++i) m[i] = load(products + (i * kTileInputs + j) * point_pitch);
    Vec down[kTileOutputs];
    transform_output4(m, down);
    for (int i = 0; i < kTileOutputs; ++i) columns[i][j] = down[i];
  }
  for (int i = 0; i < kTileOutputs; ++i) {
    Vec results[kTileOutputs];
    transform_output4(columns[i], results);
    for (Vec& result : results) result += bias;
    transpose_fours(results);
    store_fours(rows + i * pitch, results);
  }
}

void winograd_output(const WinogradJob& job, std::int64_t output, float* scratch) {
  const std::int64_t panel_floats = job.panels * kOutputPanel * kTilePanel;
  const std::int64_t pitch = kTileOutputs * Places(job).tile_pitch;
  const Vec bias = broadcast(job.bias == nullptr ? 0.0F : job.bias[output]);
  for (std::int64_t panel = 0; panel < job.tile_panels; ++panel) {
    const float* const products = job.products + panel * panel_floats + output * kTilePanel;
    for (int v = 0; v < kTileVectors; ++v) {
      transform_back(products + v * kLanes, job.products_pitch, bias,
                     scratch + kTileOutputs * (panel * kTilePanel + v * kLanes), pitch);
    }
  }
  for (std::int64_t row = 0; row < job.rows; ++row) {
    const std::int64_t frame = (job.first_row + row) / job.tile_rows;
    const std::int64_t top = (job.first_row + row) % job.tile_rows * kTileOutputs;
    float* y = job.y + frame * job.y_steps.frame + output * job.y_steps.channel + top * job.width;
    for (std::int64_t i = 0; i < kTileOutputs && top + i < job.height; ++i, y += job.width) {
      const float* const from = scratch + i * pitch + row * job.tile_columns * kTileOutputs;
      std::int64_t at = 0;
      for (; at + kLanes <= job.width; at += kLanes) store(y + at, load(from + at));
      for (; at < job.width; ++at) y[at] = from[at];
    }
  }
}

}  // namespace
}  // namespace vidrt::kernels
