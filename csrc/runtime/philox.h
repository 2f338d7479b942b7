// The initial latents: counter-based, the same bits on every platform (docs/random.md has the definition).
#pragma once

#include <array>
#include <cstdint>

namespace vidrt {

/// Philox4x32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11).
std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Fill `out` with `count` standard normal float32 values. Element i depends on (seed, i) only, i being the element's
/// index in (C,T,h,w): Philox4x32-10 (Salmon et al., SC'11), then Box-Muller with polynomials of our own for log and
/// sincos. IEEE operations only, no contraction.
void fill_standard_normal(std::uint64_t seed, std::int64_t count, float* out);

/// Elements [first, first + count) of the same sequence: the same bits however it is cut into pieces. Other values of
/// `stream` are other sequences of the seed: 0 is the initial latents, i + 1 the noise that step i adds.
void fill_standard_normal_range(std::uint64_t seed, std::int64_t first, std::int64_t count, float* out,
                                std::uint32_t stream = 0);

}  // namespace vidrt
