// Schedulers that add noise in every step: which noise it is, and that a seed is a video.
#include <algorithm>
#include <string>
#include <vector>

#include "runtime/philox.h"
#include "runtime/scheduler.h"
#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

using Tensors = std::vector<NamedTensor>;

std::vector<float> floats(const Tensors& tensors, const std::string& name) {
  const TensorView& view =
      std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& one) { return one.name == name; })->view;
  return {view.as<float>(), view.as<float>() + view.elements()};
}

class AddedNoise : public PipelineFixture {
 protected:
  AddedNoise() {
    toy.edit([](nlohmann::json& manifest) {
      manifest["scheduler"] = {{"_class_name", "DDIMScheduler"}, {"clip_sample", false}};
    });
    backend->after_run = [this](const std::string& module, const Tensors& inputs, const Tensors& outputs) {
      if (module != "denoiser") return;
      latents_.push_back(floats(inputs, "latents"));
      predictions_.push_back(floats(outputs, "prediction"));
    };
  }

  std::vector<std::vector<float>> latents_, predictions_;
};

TEST_F(AddedNoise, IsThatOfTheSeedAndTheStep) {
  Pipeline pipeline = open();
  for (const char* scheduler : {"euler_ancestral", "dpmpp_2m_sde"}) {
    latents_.clear();
    predictions_.clear();
    GenerateOptions options = prompt_options();
    options.scheduler = scheduler;
    pipeline.generate(options);
    const SchedulerTable table = make_scheduler_table(pipeline.bundle().manifest().scheduler_json, scheduler, 4);
    const std::size_t count = latents_.front().size() / 2;
    std::vector<float> sample(count);
    std::vector<std::vector<float>> history(kMaxHistory, std::vector<float>(count));
    fill_standard_normal(7, static_cast<std::int64_t>(count), sample.data());
    for (float& value : sample) value *= static_cast<float>(table.init_noise_sigma);
    StepTensors step;
    step.guidance_scale = 3.0f;
    step.sample = sample.data();
    for (std::size_t i = 0; i < history.size(); ++i) step.history[i] = history[i].data();
    step.count = static_cast<std::int64_t>(count);
    ASSERT_EQ(latents_.size(), 4u);
    for (std::size_t i = 0; i < latents_.size(); ++i) {
      for (std::size_t j = 0; j < count; ++j) ASSERT_EQ(latents_[i][j], sample[j]) << scheduler << ", step " << i;
      fill_standard_normal_range(7, 0, step.count, step.history[static_cast<std::size_t>(table.num_history - 1)],
                                 static_cast<std::uint32_t>(i) + 1);
      step.output_negative = predictions_[i].data();
      step.output_positive = predictions_[i].data() + count;
      apply_step(table, static_cast<int>(i), step);
      rotate_history(table, step);
    }
  }
}

TEST_F(AddedNoise, TheSameSeedGivesTheSameVideoAndAnotherAnother) {
  Pipeline pipeline = open();
  GenerateOptions options = prompt_options();
  options.scheduler = "euler_ancestral";
  const auto first = pixels(pipeline.generate(options));
  EXPECT_EQ(pixels(pipeline.generate(options)), first);
  options.seed = 8;
  EXPECT_NE(pixels(pipeline.generate(options)), first);
}

}  // namespace
}  // namespace vidrt::testing
