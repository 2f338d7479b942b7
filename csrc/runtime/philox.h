// The initial latents: counter-based, the same bits on every platform (docs/random.md has the definition).
#pragma once

#include <cstdint>

namespace vidrt {

/// Fill `out` with `count` standard normal float32 values. Element i depends on (seed, i) only, i being the element's
/// index in (C,T,h,w): Philox4x32-10 (Salmon et al., SC'11), then Box-Muller with polynomials of our own for log and
/// sincos. IEEE operations only, no contraction.
void fill_standard_normal(std::uint64_t seed, std::int64_t count, float* out);

}  // namespace vidrt
