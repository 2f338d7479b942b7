// A pipeline over the toy bundle and the reference backend, and what tests of it share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/reference_backend.h"
#include "support/throws.h"
#include "support/toy_bundle.h"
#include "vidrt/pipeline.h"

namespace vidrt::testing {

class PipelineFixture : public ::testing::Test {
 protected:
  Pipeline open(PipelineOptions options = {}) { return Pipeline::open(Bundle::open(toy.path()), options, backend); }

  static GenerateOptions prompt_options(int num_frames = 13) {
    GenerateOptions options;
    options.prompt = "red circle";
    options.height = 8;
    options.width = 12;
    options.num_frames = num_frames;
    options.num_inference_steps = 4;
    options.guidance_scale = 3.0;
    options.seed = 7;
    return options;
  }

  static std::vector<std::uint8_t> pixels(const Video& video) { return *video.rgb; }
  static std::vector<float> float_pixels(const Video& video) { return *video.rgb_float; }

  ToyBundle toy;
  std::shared_ptr<ReferenceBackend> backend = std::make_shared<ReferenceBackend>();
};

}  // namespace vidrt::testing
