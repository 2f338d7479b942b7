// One strip of one frame of a depthwise 3D convolution, from staged frames; see DepthwiseJob.
#pragma once

#include "kernels/cpu/activations.h"
#include "kernels/cpu/staging.h"

namespace vidrt::kernels {
namespace {

constexpr int kMaxTaps = static_cast<int>(StagedFrames::kMaxTaps);

/// The input frames that one result reads, by tap; a null one is zeros.
struct Taps {
  const float* frames[kMaxTaps];
  int count;
};

/// sums[r][v] += the filter over rows of positions. Each input vector is loaded once for all the rows that it is part
/// of.
template <int kH, int kW, int kRows, int kVectors>
inline void add_taps(Vec (&sums)[kRows][kVectors], const Taps& taps, const float* weight, std::int64_t pitch,
                     std::int64_t at) {
  for (int i = 0; i < taps.count; ++i, weight += kH * kW) {
    if (taps.frames[i] == nullptr) continue;
    const float* rows[kRows + kH - 1];
    rows[0] = taps.frames[i] + at;
    for (int r = 1; r < kRows + kH - 1; ++r) rows[r] = rows[r - 1] + pitch;
#pragma GCC unroll 8
    for (int k = 0; k < kW; ++k) {
      Vec w[kH];
#pragma GCC unroll 8
      for (int j = 0; j < kH; ++j) {
        w[j] = broadcast(weight[j * kW + k]);
        keep(w[j]);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows + kH - 1; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          Vec x = load(rows[r] + k + v * kLanes);
          keep(x);
#pragma GCC unroll 8
          for (int j = 0; j < kH; ++j) {
            if (r - j >= 0 && r - j < kRows) sums[r - j][v] += x * w[j];
          }
        }
      }
    }
  }
}

/// The same for any filter: one row, taps at their offsets.
template <int kVectors>
inline void add_any_taps(Vec (&sums)[1][kVectors], const DepthwiseJob& job, const Taps& taps, const float* weight,
                         std::int64_t at) {
  const std::int64_t positions = job.kernel[1] * job.kernel[2];
  for (int i = 0; i < taps.count; ++i, weight += positions) {
    if (taps.frames[i] == nullptr) continue;
    const float* frame = taps.frames[i] + at;
    for (std::int64_t p = 0; p < positions; ++p) {
      const Vec w = broadcast(weight[p]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[0][v] += load(frame + job.tap_offset[p] + v * kLanes) * w;
    }
  }
}

/// Where fp32 results go: into Y itself, or into scratch to be converted from.
struct Target {
  float* y;
  const float* residual;  // what is added, at the same places; or null
  std::int64_t pitch;     // from a row to the next
};

/// Applies the activation and writes rows of results.
template <int kRows, int kVectors>
inline void write_rows(Vec (&values)[kRows][kVectors], Activation activation, const Target& target, std::int64_t at,
                       std::int64_t row_pitch) {
  activate_tile(values, activation);
  // Copies: for all the compiler knows, what is stored could change what `target` refers to.
  float* y = target.y + at;
  const float* residual = target.residual;
  if (residual == nullptr) {
    for (int r = 0; r < kRows; ++r, y += row_pitch) {
      for (int v = 0; v < kVectors; ++v) store(y + v * kLanes, values[r][v]);
    }
    return;
  }
  residual += at;
  for (int r = 0; r < kRows; ++r, y += row_pitch, residual += row_pitch) {
    for (int v = 0; v < kVectors; ++v) store(y + v * kLanes, values[r][v] + load(residual + v * kLanes));
  }
}

/// kRows by kVectors vectors of results, from the staged position `at` on; kH = 0 stands for any filter.
template <int kH, int kW, int kRows, int kVectors>
struct Tile {
  Vec sums[kRows][kVectors];

  Tile(const DepthwiseJob& job, const Taps& taps, const float* weight, float bias, std::int64_t at) {
    for (auto& row : sums) {
      for (Vec& sum : row) sum = broadcast(bias);
    }
    if constexpr (kH == 0) {
      add_any_taps(sums, job, taps, weight, at);
    } else {
      add_taps<kH, kW>(sums, taps, weight, job.row_pitch, at);
    }
  }

  void write(const DepthwiseJob& job, const Target& target, std::int64_t at) {
    write_rows(sums, job.activation, target, at, target.pitch);
  }
};

/// kRows rows of results. The last vectors of a row are moved back to where they fit, and computed twice.
template <int kH, int kW, int kRows, int kVectors>
inline void row_block(const DepthwiseJob& job, const Unit& unit, const Taps& taps, const float* weight, float bias,
                      std::int64_t row, const Target& target) {
  for (std::int64_t begin = 0; begin < unit.columns;) {
    constexpr std::int64_t kWidth = kVectors * kLanes;
    if (unit.columns - begin > kLanes && unit.columns >= kWidth) {
      const std::int64_t column = lesser(begin, unit.columns - kWidth);
      Tile<kH, kW, kRows, kVectors> tile(job, taps, weight, bias, row * job.row_pitch + column);
      tile.write(job, target, row * target.pitch + column);
      begin = column + kWidth;
    } else {
      const std::int64_t column = lesser(begin, unit.columns - kLanes);
      Tile<kH, kW, kRows, 1> tile(job, taps, weight, bias, row * job.row_pitch + column);
      tile.write(job, target, row * target.pitch + column);
      begin = column + kLanes;
    }
  }
}

/// All rows of a strip, in blocks that share the loads of rows between results; the last block is moved back as well.
template <int kH, int kW>
void strip_by_rows(const DepthwiseJob& job, const Unit& unit, const Taps& taps, const float* weight, float bias,
                   const Target& target) {
  if constexpr (kH > 1) {
    // There are registers for four rows of kVectors sums, and kH weights.
    constexpr int kVectors = kH > 5 ? 1 : 2;
    if (unit.rows >= 4) {
      for (std::int64_t row = 0; row < unit.rows; row += 4) {
        row_block<kH, kW, 4, kVectors>(job, unit, taps, weight, bias, lesser(row, unit.rows - 4), target);
      }
    } else if (unit.rows >= 2) {
      for (std::int64_t row = 0; row < unit.rows; row += 2) {
        row_block<kH, kW, 2, kVectors>(job, unit, taps, weight, bias, lesser(row, unit.rows - 2), target);
      }
    } else {
      row_block<kH, kW, 1, 4>(job, unit, taps, weight, bias, 0, target);
    }
  } else {
    for (std::int64_t row = 0; row < unit.rows; ++row) {
      row_block<kH, kW, 1, 4>(job, unit, taps, weight, bias, row, target);
    }
  }
}

/// A strip that is narrower than a vector: vectors run over the padding between rows into the next row, and what they
/// compute there is left out later. `target` has the pitch of staged rows.
template <int kH, int kW>
void strip_flat(const DepthwiseJob& job, const Unit& unit, const Taps& taps, const float* weight, float bias,
                const Target& target) {
  const std::int64_t length = (unit.rows - 1) * job.row_pitch + unit.columns;
  for (std::int64_t at = 0; at < length;) {
    if (length - at > 2 * kLanes) {
      Tile<kH, kW, 1, 4>(job, taps, weight, bias, at).write(job, target, at);
      at += 4 * kLanes;
    } else {
      Tile<kH, kW, 1, 1>(job, taps, weight, bias, at).write(job, target, at);
      at += kLanes;
    }
  }
}

/// A strip with a vector of channels at each position; `target` too, with the pitch in positions.
/// kBlock is the number of positions whose sums are in registers at once.
template <int kH, int kW, int kBlock>
inline void blocks_channels_last(const DepthwiseJob& job, const Unit& unit, const Taps& taps, const Target& target) {
  const Vec bias = load(job.bias + unit.channel);
  const std::int64_t positions = job.kernel[1] * job.kernel[2];
  for (std::int64_t row = 0; row < unit.rows; ++row) {
    for (std::int64_t column = 0; column < unit.columns; column += kBlock) {
      Vec sums[1][kBlock];
      for (Vec& sum : sums[0]) sum = bias;
      const std::int64_t at = (row * job.row_pitch + column) * kLanes;
      const float* w = job.weight + unit.channel;
      for (int i = 0; i < taps.count; ++i) {
        if (taps.frames[i] == nullptr) {
          w += positions * job.weight_pitch;
          continue;
        }
        const float* frame = taps.frames[i] + at;
        if constexpr (kW == 0) {
          for (std::int64_t p = 0; p < positions; ++p, w += job.weight_pitch) {
            const Vec tap = load(w);
#pragma GCC unroll 8
            for (int b = 0; b < kBlock; ++b) sums[0][b] += load(frame + (job.tap_offset[p] + b) * kLanes) * tap;
          }
        } else {
          for (int j = 0; j < kH; ++j, frame += job.row_pitch * kLanes, w += kW * job.weight_pitch) {
            Vec tap[kW];
#pragma GCC unroll 8
            for (int k = 0; k < kW; ++k) {
              tap[k] = load(w + k * job.weight_pitch);
              keep(tap[k]);
            }
#pragma GCC unroll 16
            for (int u = 0; u < kBlock + kW - 1; ++u) {
              Vec x = load(frame + u * kLanes);
              keep(x);
#pragma GCC unroll 8
              for (int k = 0; k < kW; ++k) {
                if (u - k >= 0 && u - k < kBlock) sums[0][u - k] += x * tap[k];
              }
            }
          }
        }
      }
      // A strip has room for whole blocks.
      write_rows(sums, job.activation, target, (row * target.pitch + column) * kLanes, 0);
    }
  }
}

template <int kH, int kW>
void strip_channels_last(const DepthwiseJob& job, const Unit& unit, const Taps& taps, const Target& target) {
  if (unit.columns > 4) {
    blocks_channels_last<kH, kW, 8>(job, unit, taps, target);
  } else {
    blocks_channels_last<kH, kW, 4>(job, unit, taps, target);
  }
}

/// The same for every filter, so that each is compiled once: `kH` and `kW` are 0 for any filter.
struct FilterKernels {
  void (*by_rows)(const DepthwiseJob&, const Unit&, const Taps&, const float*, float, const Target&);
  void (*flat)(const DepthwiseJob&, const Unit&, const Taps&, const float*, float, const Target&);
  void (*channels_last)(const DepthwiseJob&, const Unit&, const Taps&, const Target&);
};

template <int kH, int kW>
constexpr FilterKernels kFilterKernels = {strip_by_rows<kH, kW>, strip_flat<kH, kW>, strip_channels_last<kH, kW>};

/// Filters that models use have kernels of their own, where neighbouring results read neighbouring positions.
const FilterKernels& filter_kernels(const DepthwiseJob& job) {
  const bool dense = job.stride[1] == 1 && job.stride[2] == 1 && job.dilation[1] == 1 && job.dilation[2] == 1;
  switch (dense && job.kernel[1] == job.kernel[2] ? job.kernel[1] : 0) {
    case 1:
      return kFilterKernels<1, 1>;
    case 3:
      return kFilterKernels<3, 3>;
    case 5:
      return kFilterKernels<5, 5>;
    case 7:
      return kFilterKernels<7, 7>;
    default:
      return kFilterKernels<0, 0>;
  }
}

}  // namespace
}  // namespace vidrt::kernels
