# Finds a CUDA compiler, a toolkit's or the one in PyPI's wheels, names which of the wanted architectures it can build
# for, and enables the language. CMake's own detection picks an old architecture on a machine without a GPU, so the list
# is always explicit.

# The wheels (nvidia-cuda-nvcc and others) lie in the packages of the Python on PATH.
execute_process(COMMAND python3 -c "import sysconfig; print(sysconfig.get_path('purelib'))"
  OUTPUT_VARIABLE vidrt_python_packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(GLOB vidrt_cuda_wheels "${vidrt_python_packages}/nvidia/cu[0-9]*")
find_program(VIDRT_NVCC nvcc
  HINTS ENV CUDACXX ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda ${vidrt_cuda_wheels} PATH_SUFFIXES bin)
if(NOT VIDRT_NVCC)
  message(FATAL_ERROR "VIDRT_CUDA is ON but no nvcc was found on PATH, in CUDA_HOME, in /usr/local/cuda or among the "
    "packages of python3. Install the CUDA toolkit (12.6 or later), or the wheels that docs/cuda_kernels.md names, or "
    "set -DVIDRT_NVCC=/path/to/nvcc.")
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
if(vidrt_cuda_unknown)
  message(STATUS "CUDA architectures left out, unknown to this compiler: ${vidrt_cuda_unknown}")
endif()

# Machine code for each, and of the newest also what later devices can compile for themselves.
list(SORT VIDRT_CUDA_SUPPORTED COMPARE NATURAL)
list(TRANSFORM VIDRT_CUDA_SUPPORTED APPEND "-real" OUTPUT_VARIABLE CMAKE_CUDA_ARCHITECTURES)
list(GET VIDRT_CUDA_SUPPORTED -1 vidrt_cuda_newest)
list(APPEND CMAKE_CUDA_ARCHITECTURES "${vidrt_cuda_newest}-virtual")

set(CMAKE_CUDA_COMPILER "${VIDRT_NVCC}")
set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}")
get_filename_component(vidrt_cuda_root "${VIDRT_NVCC}" DIRECTORY)
get_filename_component(vidrt_cuda_root "${vidrt_cuda_root}" DIRECTORY)
if(EXISTS "${vidrt_cuda_root}/lib/libcudart_static.a")
  # The wheels' nvcc looks in lib64, which they do not have.
  set(CMAKE_CUDA_FLAGS_INIT "-L${vidrt_cuda_root}/lib")
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.6)
  message(FATAL_ERROR "${VIDRT_NVCC} is CUDA ${CMAKE_CUDA_COMPILER_VERSION}; 12.6 or later is needed.")
endif()
message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION}: kernels for ${VIDRT_CUDA_SUPPORTED} (${VIDRT_NVCC})")

# How nvcc compiles the kernels of `target`.
function(vidrt_cuda_kernels target)
  # Layouts are worked out by the same functions on the host and in the kernels.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>
    # Registers that spill to memory are a warning, and so an error with VIDRT_WERROR.
    $<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=-warn-spills>)
endfunction()
