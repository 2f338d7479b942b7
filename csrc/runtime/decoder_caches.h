// The caches that a causal decoder hands from one step to the next.
#pragma once

#include "runtime/json_object.h"
#include "vidrt/bundle.h"

namespace vidrt {

/// Check that both decoder steps have the same variants, and in each pair cache_out_0, cache_out_1, ... of both steps
/// and cache_in_0, ... of the next are alike in number, dtype and shape, and of a size that depends on the latent size
/// alone. Throws BundleError.
void check_decoder_caches(const Manifest& manifest, const JsonPlace& place);

}  // namespace vidrt
