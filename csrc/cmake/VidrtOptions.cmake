# Every option of the build, with its default.

option(VIDRT_BUILD_TESTS "Build the C++ tests (GoogleTest) and the fuzz targets" ${PROJECT_IS_TOP_LEVEL})
option(VIDRT_BUILD_EXAMPLES "Build the C and C++ examples" ${PROJECT_IS_TOP_LEVEL})
option(VIDRT_BUILD_PYTHON "Build the Python extension vidrt._core (needs pybind11)" OFF)
option(VIDRT_INSTALL "Make install rules for the headers, libvidrt, the CMake package and the pkg-config file" ON)
option(VIDRT_WERROR "Treat warnings in our own sources as errors" OFF)
option(VIDRT_FETCH_DEPS "Fetch dependencies that neither the system nor VIDRT_DEPS_DIR has from their upstream releases" ON)
option(VIDRT_CUDA "Build the CUDA kernels (needs nvcc) for the architectures below" OFF)
option(VIDRT_COVERAGE "Count the executed lines of the runtime (gcov)" OFF)

set(VIDRT_SANITIZE "" CACHE STRING "Sanitizers for our own code: empty, address;undefined or thread")
set(VIDRT_CUDA_ARCHITECTURES "87;89;90;110;120" CACHE STRING
    "Compute capabilities wanted; those that the CUDA compiler does not know are left out and named")

if(DEFINED ENV{VIDRT_DEPS_DIR})
  set(vidrt_default_deps_dir "$ENV{VIDRT_DEPS_DIR}")
else()
  set(vidrt_default_deps_dir "${CMAKE_CURRENT_LIST_DIR}/../../.deps")
endif()
get_filename_component(vidrt_default_deps_dir "${vidrt_default_deps_dir}" ABSOLUTE)
set(VIDRT_DEPS_DIR "${vidrt_default_deps_dir}" CACHE PATH "Where `make deps` keeps what the system does not have")

# A single-configuration generator without a build type would compile without optimisation.
get_property(vidrt_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT vidrt_multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
