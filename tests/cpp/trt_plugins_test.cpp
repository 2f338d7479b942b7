// Plugin libraries in a registry that refuses what it has, as TensorRT's does.
#include <dlfcn.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/temp_folder.h"
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
  const TempFolder folder;
  const std::string part = folder / "libpart.so";  // other tests may have loaded the original
  std::filesystem::copy_file(VIDRT_PART, part);
  Registry registry;
  EXPECT_TRUE(trt::register_library(registry, part));
  registry.refuses = true;
  EXPECT_FALSE(trt::register_library(registry, part));
  EXPECT_FALSE(trt::register_library(registry, "/nowhere.so"));
  void* loaded = dlopen(part.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(loaded, nullptr) << dlerror();
  EXPECT_TRUE(trt::register_library(registry, part));
  dlclose(loaded);
  EXPECT_EQ(registry.asked, (std::vector<std::string>{part, part, "/nowhere.so", part}));
}

}  // namespace
}  // namespace vidrt::testing
