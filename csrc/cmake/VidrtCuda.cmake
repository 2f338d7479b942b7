# Finds the CUDA compiler and names which of the wanted architectures it can build for.
# CMake's own detection picks an old architecture on a machine without a GPU, so the list is always explicit.

find_program(VIDRT_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
if(NOT VIDRT_NVCC)
  message(FATAL_ERROR "VIDRT_CUDA is ON but no nvcc was found on PATH, in CUDA_HOME or in /usr/local/cuda. "
    "Install the CUDA toolkit (12.6 or later) or set -DVIDRT_NVCC=/path/to/nvcc.")
endif()

execute_process(COMMAND "${VIDRT_NVCC}" --list-gpu-code OUTPUT_VARIABLE nvcc_codes RESULT_VARIABLE nvcc_result)
if(NOT nvcc_result EQUAL 0)
  message(FATAL_ERROR "${VIDRT_NVCC} --list-gpu-code failed (${nvcc_result}); the compiler does not start.")
endif()
string(REGEX MATCHALL "sm_[0-9]+" nvcc_codes "${nvcc_codes}")

set(VIDRT_CUDA_SUPPORTED "")
set(vidrt_cuda_unknown "")
foreach(architecture ${VIDRT_CUDA_ARCHITECTURES})
  if("sm_${architecture}" IN_LIST nvcc_codes)
    list(APPEND VIDRT_CUDA_SUPPORTED ${architecture})
  else()
    list(APPEND vidrt_cuda_unknown ${architecture})
  endif()
endforeach()
if(NOT VIDRT_CUDA_SUPPORTED)
  message(FATAL_ERROR "${VIDRT_NVCC} builds for none of the architectures ${VIDRT_CUDA_ARCHITECTURES}; it knows ${nvcc_codes}.")
endif()

message(STATUS "CUDA architectures: ${VIDRT_CUDA_SUPPORTED} (${VIDRT_NVCC})")
if(vidrt_cuda_unknown)
  message(STATUS "CUDA architectures left out, unknown to this compiler: ${vidrt_cuda_unknown}")
endif()
message(STATUS "CUDA: this version has no CUDA sources of its own; a GPU is used through ONNX Runtime")
