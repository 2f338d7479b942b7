// The contracts of docs/bundle.md, "Modules and tensors": which modules a bundle must have, and how their tensors are
// named, typed and shaped.
#pragma once

#include <string>
#include <vector>

#include "runtime/json_object.h"
#include "vidrt/bundle.h"

namespace vidrt {

/// Check every variant of every module. `place` is that of the manifest's "modules". A dimension is accepted when its
/// value is the contract's for all sizes, whether it is written as "H", "h*8" or, where only one value can be, 24.
/// Throws BundleError.
void check_module_contracts(const Manifest& manifest, const JsonPlace& place);

/// Whether frames of a clip can be encoded one by one: then a generation can start from a clip.
bool encodes_clips(const Manifest& manifest);
/// Throws InvalidArgument saying why, where they cannot.
void require_clip_encoder(const Manifest& manifest);

/// The modules that a generation runs, or decoding alone where the bundle has only a decoder: those that a bundle of
/// its form must have. It may have others: an image encoder. One that is there by image_conditioning, or that encodes
/// clips, runs only where an image or a clip is given.
std::vector<std::string> generation_modules(const Manifest& manifest);

}  // namespace vidrt
