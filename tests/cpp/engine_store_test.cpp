// The core's reading of the engine cache. What `vidrt build` writes, and damage to it: tests/unit/test_engine_cache.py.
#include "runtime/engine_store.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/sha256.h"
#include "support/temp_folder.h"
#include "support/throws.h"
#include "support/toy_bundle.h"
#include "vidrt/errors.h"

namespace vidrt::testing {
namespace {

constexpr const char* kPlan = "a plan";

std::string machine() {
  utsname system{};
  uname(&system);
  return system.machine;
}

class EngineStore : public ::testing::Test {
 protected:
  nlohmann::json sidecar() const {
    const Variant& variant = bundle.module("denoiser").variants[0];
    nlohmann::json files = nlohmann::json::object();
    for (const std::string& name : variant.data_files) files[name] = bundle.manifest().data_files.at(name).sha256;
    return {{"schema_version", 1},
            {"source",
             {{"bundle", bundle.manifest().name},
              {"module", "denoiser"},
              {"variant", variant.id},
              {"graph_sha256", variant.sha256},
              {"data_files", files}}},
            {"target",
             {{"backend", "tensorrt"},
              {"version", "10.3.0"},
              {"compute_capabilities", {"8.7"}},
              {"machine", machine()},
              {"sizes", {{"height", "8:8:64"}, {"width", "12"}, {"batch", "1:2:2"}}},
              {"options", {{"weight_streaming", true}}},
              {"plugins", nlohmann::json::object()}}},
            {"outcome",
             {{"plan", "denoiser.plan"},
              {"bytes", std::string(kPlan).size()},
              {"sha256", sha256_of(kPlan)},
              {"activation_bytes", 1000},
              {"weight_bytes", nullptr},
              {"built", "2026-01-02T03:04:05+00:00"}}}};
  }

  void put(const nlohmann::json& content, const std::string& name = "denoiser.json") const {
    std::ofstream(folder.path() + "/" + name) << content.dump();
    std::ofstream(folder.path() + "/denoiser.plan") << kPlan;
  }

  EngineSidecar find(const ModuleSizes& sizes) const {
    return find_engine(folder.path(), {bundle, "denoiser", variant_id(), "tensorrt", "10.3.0", "8.7", sizes});
  }

  std::string refusal(const ModuleSizes& sizes) const {
    return message_of<BackendError>([&] { find(sizes); });
  }

  // Of engines of any size.
  std::string fault() const {
    return engine_fault(folder.path(), {bundle, "denoiser", variant_id(), "tensorrt", "10.3.0", "8.7", {}});
  }

  std::string variant_id() const { return bundle.module("denoiser").variants[0].id; }

  ToyBundle toy;
  Bundle bundle = Bundle::open(toy.path());
  TempFolder folder;
};

TEST_F(EngineStore, AnEngineIsFoundWithWhatThePlanNeedsToKnow) {
  put(sidecar());
  const EngineSidecar engine = find({{"height", {8, 64}}, {"width", {12, 12}}, {"num_frames", {1, 999}}});
  EXPECT_EQ(engine.plan, folder.path() + "/denoiser.plan");
  EXPECT_EQ(engine.activation_bytes, 1000u);
  EXPECT_EQ(engine.weight_bytes, 0u);
  EXPECT_TRUE(engine.weight_streaming);
  EXPECT_FALSE(engine.version_compatible);
  EXPECT_EQ(engine.sizes.at("batch").max, 2);
}

TEST_F(EngineStore, TheLeastActivationsAreTakenThenTheNewestAndUnknownOnesLast) {
  const auto put_one = [&](const char* name, const nlohmann::json& activation_bytes, int day) {
    nlohmann::json one = sidecar();
    one["outcome"]["activation_bytes"] = activation_bytes;
    one["outcome"]["built"] = "2026-01-0" + std::to_string(day) + "T03:04:05+00:00";
    put(one, name);
  };
  const auto taken = [&] { return find({{"height", {8, 8}}}).path.substr(folder.path().size() + 1); };
  put_one("denoiser.a.json", nullptr, 9);
  EXPECT_EQ(taken(), "denoiser.a.json");
  put_one("denoiser.e.json", 2000, 8);
  EXPECT_EQ(taken(), "denoiser.e.json");
  put_one("denoiser.c.json", 1000, 1);
  EXPECT_EQ(taken(), "denoiser.c.json");
  put_one("denoiser.d.json", 1000, 2);
  EXPECT_EQ(taken(), "denoiser.d.json");
  put_one("denoiser.b.json", 1000, 1);
  EXPECT_EQ(taken(), "denoiser.d.json");
}

TEST_F(EngineStore, WhatCanBeStreamedIsReadAndEarlierSidecarsHaveNone) {
  nlohmann::json with = sidecar();
  put(with);
  EXPECT_EQ(find({}).streamable_weight_bytes, 0u);
  with["outcome"]["streamable_weight_bytes"] = 700;
  with["outcome"]["weight_staging_bytes"] = 30;
  put(with);
  EXPECT_EQ(find({}).streamable_weight_bytes, 700u);
  EXPECT_EQ(find({}).weight_staging_bytes, 30u);
  with["outcome"]["streamable_weight_bytes"] = nullptr;
  put(with);
  EXPECT_EQ(find({}).streamable_weight_bytes, 0u);
  with["outcome"]["streamable_weight_bytes"] = -1;
  put(with);
  EXPECT_TRUE(names(refusal({}), {"outcome.streamable_weight_bytes"}));
}

TEST_F(EngineStore, BothEndsOfWhatIsAskedForMustBeTaken) {
  put(sidecar());
  EXPECT_TRUE(names(refusal({{"height", {4, 8}}}), {"height is 8 to 64, asked for 4 to 8"}));
  EXPECT_TRUE(names(refusal({{"height", {64, 65}}}), {"height is 8 to 64, asked for 64 to 65"}));
  EXPECT_TRUE(names(refusal({{"width", {16, 16}}, {"batch", {3, 3}}}),
                    {"batch is 1 to 2, asked for 3", "width is 12 to 12, asked for 16", "vidrt build"}));
}

TEST_F(EngineStore, AnEngineOfAnotherVariantIsNotTaken) {
  nlohmann::json other = sidecar();
  other["source"]["variant"] = "another";
  put(other);
  EXPECT_TRUE(names(refusal({}), {"built from variant another, asked for ", variant_id().c_str()}));
  EXPECT_EQ(fault(), "none was built");
}

// What builds is Python's TensorRT and what runs is the library: they say one version at different lengths.
TEST_F(EngineStore, VersionsOfBindingsAndLibraryAreComparedAsFarAsBothSayThem) {
  using Versions = std::vector<std::pair<const char*, const char*>>;
  const auto find_for = [&](const char* built, const char* installed) {
    nlohmann::json one = sidecar();
    one["target"]["version"] = built;
    put(one);
    find_engine(folder.path(), {bundle, "denoiser", variant_id(), "tensorrt", installed, "8.7", {}});
  };
  for (const auto& [built, installed] : Versions{{"10.15.1.29", "10.15.1.29"},
                                                 {"10.15.1.29", "10.15.1"},
                                                 {"10.3.0", "10.3.0.30"},
                                                 {"10.7.0.post1", "10.7.0.23"},
                                                 {"10.0.0b6", "10.0.0.6"}}) {
    EXPECT_NO_THROW(find_for(built, installed)) << built << ", " << installed;
  }
  for (const auto& [built, installed] : Versions{{"10.15.1.29", "10.15.1.30"},
                                                 {"10.15.1.29", "10.15.2"},
                                                 {"10.1", "10.1.0"},
                                                 {"10.1.0", "10.10.0"},
                                                 {"99999999999.1.2", "99999999999.1.3"},
                                                 {"ten", "10.1.0"}}) {
    const std::string differs = std::string("built by version ") + built + ", installed is " + installed;
    EXPECT_TRUE(
        names(message_of<BackendError>([&, &built = built, &installed = installed] { find_for(built, installed); }),
              {differs.c_str()}));
  }
}

// So a variant is passed over whose engines are of an earlier TensorRT, where another variant has a new one.
TEST_F(EngineStore, AVariantIsPassedOverOnlyWhereNothingOfItFitsWithWhatDiffers) {
  nlohmann::json old = sidecar();
  old["target"]["version"] = "10.2.0";
  put(old, "denoiser.old.json");
  EXPECT_EQ(fault(), "denoiser.old.json: built by version 10.2.0, installed is 10.3.0");
  put(sidecar(), "denoiser.new.json");
  EXPECT_EQ(fault(), "");
  put("no sidecar", "denoiser.new.json");
  EXPECT_TRUE(names(fault(), {"denoiser.new.json: the sidecar cannot be read", "; denoiser.old.json: built by"}));
}

TEST_F(EngineStore, AnEngineWithoutItsWeightsIsNeverTaken) {
  nlohmann::json one = sidecar();
  one["target"]["options"]["strip"] = true;
  put(one);
  EXPECT_TRUE(names(refusal({}), {"built without its weights (--strip), which vidrt does not put back"}));
  one["target"]["options"]["strip"] = false;
  put(one);
  EXPECT_NO_THROW(find({}));
}

TEST_F(EngineStore, AFolderThatIsNotThereHasNoEngines) {
  const std::string nowhere = folder.path() + "/nowhere";
  EXPECT_EQ(engine_fault(nowhere, {bundle, "denoiser", variant_id(), "tensorrt", "", "", {}}), "none was built");
  EXPECT_TRUE(names(message_of<BackendError>([&] {
                      find_engine(nowhere, {bundle, "denoiser", "", "tensorrt", "", "", {}});
                    }),
                    {"none was built", nowhere.c_str()}));
}

TEST_F(EngineStore, SizesThatAreNoRangesAreDamage) {
  for (const char* text :
       {"", "x", "8:", ":8", "8:64", "64:8:8", "8:64:16", "0", "-1", "1:2:3:4", "1:2:3:4:5", "8 :8:8"}) {
    nlohmann::json damaged = sidecar();
    damaged["target"]["sizes"]["height"] = text;
    put(damaged);
    EXPECT_TRUE(names(refusal({}), {"target.sizes.height", "the sidecar cannot be read"})) << text;
  }
}

TEST_F(EngineStore, ASidecarCannotNameAPlanElsewhere) {
  for (const char* name : {"../denoiser.plan", "/etc/passwd", "..", "a/b.plan", ""}) {
    nlohmann::json hostile = sidecar();
    hostile["outcome"]["plan"] = name;
    put(hostile);
    EXPECT_TRUE(names(refusal({}), {"outcome.plan"})) << name;
  }
}

TEST_F(EngineStore, WhatIsMissingOrOfAnotherTypeIsDamage) {
  const nlohmann::json whole = sidecar();
  for (const auto& [part, content] : whole.items()) {
    if (!content.is_object()) continue;
    for (const auto& [key, unused] : content.items()) {
      const std::string place = part + "." + key;
      nlohmann::json damaged = whole;
      damaged[part].erase(key);
      put(damaged);
      EXPECT_TRUE(names(refusal({}), {place.c_str()}));
      damaged[part][key] = -3.5;
      put(damaged);
      EXPECT_TRUE(names(refusal({}), {place.c_str()}));
    }
  }
}

}  // namespace
}  // namespace vidrt::testing
