// Which variant of each module runs: the first that can, or the one asked for where a module has it.
#include <map>
#include <string>

#include "support/pipeline_fixture.h"

namespace vidrt::testing {
namespace {

class VariantChoiceTest : public PipelineFixture {
 protected:
  void SetUp() override {
    toy.edit([](nlohmann::json& manifest) {
      nlohmann::json& variants = manifest["modules"]["denoiser"]["variants"];
      nlohmann::json second = variants[0];
      second["id"] = "second";
      variants.push_back(second);
    });
  }

  std::map<std::string, std::string> chosen(const std::string& wanted) {
    PipelineOptions options;
    options.variant = wanted;
    return open(options).generate(prompt_options()).metadata.variants;
  }
};

TEST_F(VariantChoiceTest, WithoutAWishTheFirstRuns) {
  for (const auto& [module, id] : chosen("")) EXPECT_EQ(id, "fp32") << module;
}

TEST_F(VariantChoiceTest, AWishCountsForTheModulesThatHaveTheVariant) {
  std::map<std::string, std::string> variants = chosen("second");
  EXPECT_EQ(variants.at("denoiser"), "second");
  variants.erase("denoiser");
  EXPECT_FALSE(variants.empty());
  for (const auto& [module, id] : variants) EXPECT_EQ(id, "fp32") << module;
}

TEST_F(VariantChoiceTest, AWishThatNoModuleCanGrantIsAnErrorThatListsWhatThereIs) {
  PipelineOptions options;
  options.variant = "third";
  const std::string message = message_of<BackendError>([&] { open(options); });
  EXPECT_NE(message.find("fp32 is not the variant asked for (third)"), std::string::npos) << message;
}

TEST_F(VariantChoiceTest, AWishIsNotDroppedWhereTheBackendCannotRunTheVariant) {
  toy.edit([](nlohmann::json& manifest) { manifest["modules"]["denoiser"]["variants"][1]["backends"] = {"tensorrt"}; });
  PipelineOptions options;
  options.variant = "second";
  const std::string message = message_of<BackendError>([&] { open(options); });
  EXPECT_NE(message.find("second is for tensorrt, not for"), std::string::npos) << message;
}

}  // namespace
}  // namespace vidrt::testing
