// Plugin libraries in a registry that refuses what it has, as TensorRT's does.
#include <dlfcn.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tensorrt/backend/plugin_registration.h"

namespace vidrt::testing {
namespace {

// Says no to everything, or loads the file.
struct Registry {
  void* loadLibrary(const char* file) {
    asked.emplace_back(file);
    return refuses ? nullptr : this;
  }
  bool refuses = false;
  std::vector<std::string> asked;
};

TEST(PluginRegistration, ALibraryThatTheProcessHasIsRegisteredThoughTheRegistryRefusesIt) {
  Registry registry;
  EXPECT_TRUE(trt::register_library(registry, VIDRT_PART));
  registry.refuses = true;
  EXPECT_FALSE(trt::register_library(registry, VIDRT_PART));
  EXPECT_FALSE(trt::register_library(registry, "/nowhere.so"));
  void* loaded = dlopen(VIDRT_PART, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(loaded, nullptr) << dlerror();
  EXPECT_TRUE(trt::register_library(registry, VIDRT_PART));
  dlclose(loaded);
  EXPECT_EQ(registry.asked, (std::vector<std::string>{VIDRT_PART, VIDRT_PART, "/nowhere.so", VIDRT_PART}));
}

}  // namespace
}  // namespace vidrt::testing
