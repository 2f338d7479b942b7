# Finds what we build on: first on the system, then in VIDRT_DEPS_DIR (`make deps`), then from the upstream release.
# Versions, sources and hashes stand in dependencies.json, which tools/deps.py reads as well.
#
# Targets: vidrt::json, vidrt::onnxruntime_headers, vidrt::sentencepiece, GTest::gtest_main

include(FetchContent)
file(READ "${CMAKE_CURRENT_LIST_DIR}/dependencies.json" vidrt_pins)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/dependencies.json")

# The folder in which `make deps` lays a dependency; its name carries the version, so that an old copy is never used.
function(vidrt_cached_folder name out)
  string(JSON version GET "${vidrt_pins}" ${name} version)
  set(${out} "${VIDRT_DEPS_DIR}/${name}-${version}" PARENT_SCOPE)
endfunction()

# Download and unpack the upstream release; it is not added to the build. out: the source folder.
function(vidrt_fetch_source name out)
  string(JSON url GET "${vidrt_pins}" ${name} upstream url)
  string(JSON sha256 GET "${vidrt_pins}" ${name} upstream sha256)
  message(STATUS "${name}: not found on the system or in ${VIDRT_DEPS_DIR}; fetching ${url}")
  # A SOURCE_SUBDIR without a CMakeLists.txt keeps MakeAvailable from adding the project.
  FetchContent_Declare(vidrt_${name} URL "${url}" URL_HASH SHA256=${sha256} SOURCE_SUBDIR vidrt-source-only)
  FetchContent_MakeAvailable(vidrt_${name})
  set(${out} "${vidrt_${name}_SOURCE_DIR}" PARENT_SCOPE)
endfunction()

# Forget what an earlier run found when it is no longer there (`.deps` was removed): find_* would believe its cache.
function(vidrt_forget_missing)
  foreach(variable ${ARGN})
    if(DEFINED CACHE{${variable}} AND NOT EXISTS "$CACHE{${variable}}")
      unset(${variable} CACHE)
    endif()
  endforeach()
endfunction()

function(vidrt_add_headers target folder)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${folder}")
endfunction()

# --- nlohmann-json ---
function(vidrt_find_nlohmann_json)
  find_package(nlohmann_json 3.10 CONFIG QUIET)
  if(nlohmann_json_FOUND)
    get_target_property(folder nlohmann_json::nlohmann_json INTERFACE_INCLUDE_DIRECTORIES)
  else()
    vidrt_cached_folder(nlohmann_json cached)
    vidrt_forget_missing(VIDRT_JSON_INCLUDE_DIR)
    find_path(VIDRT_JSON_INCLUDE_DIR nlohmann/json.hpp HINTS "${cached}/include")
    mark_as_advanced(VIDRT_JSON_INCLUDE_DIR)
    set(folder "${VIDRT_JSON_INCLUDE_DIR}")
  endif()
  if(folder)
    message(STATUS "nlohmann_json: ${folder}")
    vidrt_add_headers(vidrt::json "${folder}")
  endif()
endfunction()

function(vidrt_fetch_nlohmann_json)
  vidrt_fetch_source(nlohmann_json source)
  vidrt_add_headers(vidrt::json "${source}/include")
endfunction()

# --- ONNX Runtime: only the C headers, the library is opened at run time ---
set(VIDRT_ORT_API_LEVEL 21)

function(vidrt_find_onnxruntime)
  vidrt_cached_folder(onnxruntime cached)
  vidrt_forget_missing(VIDRT_ONNXRUNTIME_INCLUDE_DIR)
  find_path(VIDRT_ONNXRUNTIME_INCLUDE_DIR onnxruntime_c_api.h
    HINTS "${cached}/include/onnxruntime" PATH_SUFFIXES onnxruntime onnxruntime/core/session)
  mark_as_advanced(VIDRT_ONNXRUNTIME_INCLUDE_DIR)
  if(NOT VIDRT_ONNXRUNTIME_INCLUDE_DIR)
    return()
  endif()
  file(STRINGS "${VIDRT_ONNXRUNTIME_INCLUDE_DIR}/onnxruntime_c_api.h" line REGEX "^#define ORT_API_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+" level "${line}")
  if(level LESS VIDRT_ORT_API_LEVEL)
    message(STATUS "onnxruntime: ${VIDRT_ONNXRUNTIME_INCLUDE_DIR} has API ${level}, ${VIDRT_ORT_API_LEVEL} is needed; passed over")
    unset(VIDRT_ONNXRUNTIME_INCLUDE_DIR CACHE)
    find_path(VIDRT_ONNXRUNTIME_INCLUDE_DIR onnxruntime_c_api.h PATHS "${cached}/include/onnxruntime" NO_DEFAULT_PATH)
  endif()
  if(VIDRT_ONNXRUNTIME_INCLUDE_DIR)
    message(STATUS "onnxruntime headers: ${VIDRT_ONNXRUNTIME_INCLUDE_DIR}")
    vidrt_add_headers(vidrt::onnxruntime_headers "${VIDRT_ONNXRUNTIME_INCLUDE_DIR}")
  endif()
endfunction()

function(vidrt_fetch_onnxruntime)
  vidrt_fetch_source(onnxruntime source)
  vidrt_add_headers(vidrt::onnxruntime_headers "${source}/include")
endfunction()

# --- sentencepiece: static only, so that its protobuf never meets another one in the process ---
function(vidrt_find_sentencepiece)
  vidrt_cached_folder(sentencepiece cached)
  vidrt_forget_missing(VIDRT_SENTENCEPIECE_LIBRARY VIDRT_SENTENCEPIECE_INCLUDE_DIR)
  find_library(VIDRT_SENTENCEPIECE_LIBRARY libsentencepiece.a HINTS "${cached}/lib")
  find_path(VIDRT_SENTENCEPIECE_INCLUDE_DIR sentencepiece_processor.h HINTS "${cached}/include")
  mark_as_advanced(VIDRT_SENTENCEPIECE_LIBRARY VIDRT_SENTENCEPIECE_INCLUDE_DIR)
  if(VIDRT_SENTENCEPIECE_LIBRARY AND VIDRT_SENTENCEPIECE_INCLUDE_DIR)
    message(STATUS "sentencepiece: ${VIDRT_SENTENCEPIECE_LIBRARY}")
    add_library(vidrt::sentencepiece STATIC IMPORTED GLOBAL)
    set_target_properties(vidrt::sentencepiece PROPERTIES IMPORTED_LOCATION "${VIDRT_SENTENCEPIECE_LIBRARY}")
    target_include_directories(vidrt::sentencepiece SYSTEM INTERFACE "${VIDRT_SENTENCEPIECE_INCLUDE_DIR}")
    target_link_libraries(vidrt::sentencepiece INTERFACE Threads::Threads)
  endif()
endfunction()

function(vidrt_fetch_sentencepiece)
  vidrt_fetch_source(sentencepiece source)
  set(SPM_ENABLE_SHARED OFF CACHE BOOL "" FORCE)
  set(SPM_ENABLE_TCMALLOC OFF CACHE BOOL "" FORCE)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(CMAKE_CXX_VISIBILITY_PRESET hidden)
  # Its CMakeLists.txt asks for 3.1, which CMake 4 refuses without this.
  set(CMAKE_POLICY_VERSION_MINIMUM 3.5)
  add_subdirectory("${source}" "${CMAKE_BINARY_DIR}/sentencepiece" EXCLUDE_FROM_ALL)
  add_library(vidrt_sentencepiece INTERFACE)
  target_include_directories(vidrt_sentencepiece SYSTEM INTERFACE "${source}/src")
  target_link_libraries(vidrt_sentencepiece INTERFACE sentencepiece-static)
  add_library(vidrt::sentencepiece ALIAS vidrt_sentencepiece)
endfunction()

# --- GoogleTest ---
function(vidrt_find_googletest)
  find_package(GTest 1.11 CONFIG QUIET)
  if(GTest_FOUND)
    message(STATUS "googletest: ${GTest_DIR}")
    return()
  endif()
  vidrt_cached_folder(googletest cached)
  if(EXISTS "${cached}/CMakeLists.txt")
    message(STATUS "googletest: ${cached}")
    vidrt_add_googletest("${cached}")
  endif()
endfunction()

function(vidrt_fetch_googletest)
  vidrt_fetch_source(googletest source)
  vidrt_add_googletest("${source}")
endfunction()

function(vidrt_add_googletest source)
  set(INSTALL_GTEST OFF CACHE BOOL "" FORCE)
  # Debian packages gmock apart from gtest, so no test relies on it.
  set(BUILD_GMOCK OFF CACHE BOOL "" FORCE)
  add_subdirectory("${source}" "${CMAKE_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL)
  if(NOT TARGET GTest::gtest_main)
    add_library(GTest::gtest ALIAS gtest)
    add_library(GTest::gtest_main ALIAS gtest_main)
  endif()
endfunction()

# The target by which each dependency is known to be there.
set(vidrt_target_of_nlohmann_json vidrt::json)
set(vidrt_target_of_onnxruntime vidrt::onnxruntime_headers)
set(vidrt_target_of_sentencepiece vidrt::sentencepiece)
set(vidrt_target_of_googletest GTest::gtest_main)

# vidrt_find_dependencies(name...): make the targets of the named dependencies, or stop with what to do.
macro(vidrt_find_dependencies)
  find_package(Threads REQUIRED)
  foreach(name ${ARGN})
    cmake_language(CALL vidrt_find_${name})
    if(NOT TARGET ${vidrt_target_of_${name}})
      if(NOT VIDRT_FETCH_DEPS)
        message(FATAL_ERROR "${name} is neither on the system nor in ${VIDRT_DEPS_DIR}, and VIDRT_FETCH_DEPS is OFF; run `make deps`.")
      endif()
      cmake_language(CALL vidrt_fetch_${name})
    endif()
  endforeach()
endmacro()
