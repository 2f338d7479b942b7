# TensorRT's headers: JetPack and the TensorRT SDK install them, no package registry has them. The plugins need nothing
# else of it. Looked for in TENSORRT_ROOT (a variable or the environment), then in the system's folders; CUDA's headers,
# which TensorRT's include, with the CUDA compiler, in CUDA_HOME, CUDA_PATH, /usr/local/cuda and what
# `make tensorrt-libs` fetched. The headers of TensorRT for RTX have the same names: they are looked for in
# TENSORRT_RTX_ROOT (a variable or the environment) alone.
#
# Result: TensorRT_FOUND, TensorRT_VERSION, TensorRT_INCLUDE_DIR, TensorRT_CUDA_INCLUDE_DIR, and where not found
# TensorRT_REASON; the same of TensorRT_RTX. Targets: TensorRT::headers, TensorRT::rtx_headers

# The version that a folder of headers says it is; empty when it does not say.
function(tensorrt_header_version folder out)
  set(${out} "" PARENT_SCOPE)
  if(NOT EXISTS "${folder}/NvInfer.h" OR NOT EXISTS "${folder}/NvInferVersion.h")
    return()
  endif()
  file(READ "${folder}/NvInferVersion.h" text)
  foreach(part MAJOR MINOR PATCH)
    # NV_TENSORRT_MAJOR is a number up to 10.x, and later the name of another macro, as in TensorRT for RTX.
    if(NOT text MATCHES "define (NV_TENSORRT_${part}|TRT_${part}_ENTERPRISE|TRT_${part}_RTX) +([0-9]+)")
      return()
    endif()
    list(APPEND numbers ${CMAKE_MATCH_2})
  endforeach()
  list(JOIN numbers "." version)
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

# Whether a folder's headers are those of TensorRT for RTX.
function(tensorrt_is_rtx folder out)
  set(text "")
  if(EXISTS "${folder}/NvInferVersion.h")
    file(READ "${folder}/NvInferVersion.h" text)
  endif()
  string(FIND "${text}" "TRT_MAJOR_RTX" at)
  if(at EQUAL -1)
    set(${out} FALSE PARENT_SCOPE)
  else()
    set(${out} TRUE PARENT_SCOPE)
  endif()
endfunction()

# An interface target with the folder of TensorRT's headers and CUDA's, both as a system's: their warnings are not ours.
function(tensorrt_add_headers target folder)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${folder}" "${TensorRT_CUDA_INCLUDE_DIR}")
endfunction()

if(DEFINED ENV{VIDRT_TENSORRT_LIBS})
  set(tensorrt_fetched "$ENV{VIDRT_TENSORRT_LIBS}")
elseif(DEFINED ENV{VIDRT_CACHE_DIR})
  set(tensorrt_fetched "$ENV{VIDRT_CACHE_DIR}/tensorrt")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(tensorrt_fetched "$ENV{XDG_CACHE_HOME}/vidrt/tensorrt")
else()
  set(tensorrt_fetched "$ENV{HOME}/.cache/vidrt/tensorrt")
endif()
set(tensorrt_cuda_hints "")
if(VIDRT_NVCC)
  get_filename_component(tensorrt_cuda_hints "${VIDRT_NVCC}/../.." ABSOLUTE)
endif()

vidrt_forget_missing(TensorRT_INCLUDE_DIR TensorRT_RTX_INCLUDE_DIR TensorRT_CUDA_INCLUDE_DIR)
find_path(TensorRT_INCLUDE_DIR NvInfer.h HINTS ${TENSORRT_ROOT} ENV TENSORRT_ROOT
  PATHS /usr/local/tensorrt /opt/tensorrt PATH_SUFFIXES include)
find_path(TensorRT_RTX_INCLUDE_DIR NvInfer.h HINTS ${TENSORRT_RTX_ROOT} ENV TENSORRT_RTX_ROOT PATH_SUFFIXES include
  NO_DEFAULT_PATH)
# cuda_runtime_api.h includes this one, which PyPI has in another package.
find_path(TensorRT_CUDA_INCLUDE_DIR crt/host_defines.h HINTS ${tensorrt_cuda_hints} ENV CUDA_HOME ENV CUDA_PATH
  PATHS /usr/local/cuda "${tensorrt_fetched}/python/nvidia/cu13" PATH_SUFFIXES include)
mark_as_advanced(TensorRT_INCLUDE_DIR TensorRT_RTX_INCLUDE_DIR TensorRT_CUDA_INCLUDE_DIR)

set(TensorRT_FOUND FALSE)
tensorrt_header_version("${TensorRT_INCLUDE_DIR}" TensorRT_VERSION)
tensorrt_is_rtx("${TensorRT_INCLUDE_DIR}" tensorrt_is_of_rtx)
if(NOT TensorRT_INCLUDE_DIR)
  set(TensorRT_REASON "no NvInfer.h on the system or in TENSORRT_ROOT")
elseif(NOT TensorRT_VERSION)
  set(TensorRT_REASON "${TensorRT_INCLUDE_DIR} has no NvInferVersion.h that says which version it is")
elseif(tensorrt_is_of_rtx)
  set(TensorRT_REASON "${TensorRT_INCLUDE_DIR} is TensorRT for RTX ${TensorRT_VERSION}, whose place is TENSORRT_RTX_ROOT")
elseif(TensorRT_VERSION VERSION_LESS 10.3)
  set(TensorRT_REASON "${TensorRT_INCLUDE_DIR} is TensorRT ${TensorRT_VERSION}, expected 10.3 or later")
elseif(NOT TensorRT_CUDA_INCLUDE_DIR)
  set(TensorRT_REASON "TensorRT ${TensorRT_VERSION} is in ${TensorRT_INCLUDE_DIR}, but CUDA's headers are not in CUDA_HOME or /usr/local/cuda")
else()
  set(TensorRT_FOUND TRUE)
  if(NOT TARGET TensorRT::headers)
    tensorrt_add_headers(TensorRT::headers "${TensorRT_INCLUDE_DIR}")
  endif()
endif()

set(TensorRT_RTX_FOUND FALSE)
tensorrt_header_version("${TensorRT_RTX_INCLUDE_DIR}" TensorRT_RTX_VERSION)
tensorrt_is_rtx("${TensorRT_RTX_INCLUDE_DIR}" tensorrt_is_of_rtx)
if(NOT TensorRT_RTX_INCLUDE_DIR)
  set(TensorRT_RTX_REASON "no NvInfer.h in TENSORRT_RTX_ROOT")
elseif(NOT TensorRT_RTX_VERSION OR NOT tensorrt_is_of_rtx)
  set(TensorRT_RTX_REASON "${TensorRT_RTX_INCLUDE_DIR} has no NvInferVersion.h of TensorRT for RTX")
elseif(NOT TensorRT_CUDA_INCLUDE_DIR)
  set(TensorRT_RTX_REASON
    "TensorRT for RTX ${TensorRT_RTX_VERSION} is in ${TensorRT_RTX_INCLUDE_DIR}, but CUDA's headers are not in CUDA_HOME or /usr/local/cuda")
else()
  set(TensorRT_RTX_FOUND TRUE)
  if(NOT TARGET TensorRT::rtx_headers)
    tensorrt_add_headers(TensorRT::rtx_headers "${TensorRT_RTX_INCLUDE_DIR}")
    target_compile_definitions(TensorRT::rtx_headers INTERFACE VIDRT_TENSORRT_RTX)
  endif()
endif()
