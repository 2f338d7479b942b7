# How our own sources are compiled. Dependencies keep their own flags.

add_library(vidrt_compile_flags INTERFACE)
target_compile_features(vidrt_compile_flags INTERFACE cxx_std_17)
set(vidrt_not_cuda $<NOT:$<COMPILE_LANGUAGE:CUDA>>)
target_compile_options(vidrt_compile_flags INTERFACE
  $<${vidrt_not_cuda}:-Wall> $<${vidrt_not_cuda}:-Wextra> $<${vidrt_not_cuda}:-Wpedantic>
  $<$<AND:${vidrt_not_cuda},$<BOOL:${VIDRT_WERROR}>>:-Werror>
  # What nvcc makes of a kernel's source for the host compiler is not pedantic.
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>
  $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${VIDRT_WERROR}>>:-Werror=all-warnings>)

if(VIDRT_SANITIZE)
  list(JOIN VIDRT_SANITIZE "," vidrt_sanitizers)
  foreach(option -fsanitize=${vidrt_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    target_compile_options(vidrt_compile_flags INTERFACE $<${vidrt_not_cuda}:${option}>)
  endforeach()
  target_link_options(vidrt_compile_flags INTERFACE -fsanitize=${vidrt_sanitizers})
endif()

if(VIDRT_COVERAGE)
  target_compile_options(vidrt_compile_flags INTERFACE --coverage -O0 -g)
  target_link_options(vidrt_compile_flags INTERFACE --coverage)
endif()

# Give a shared library its exports: what `map` names, and nothing of what it links statically, which may be in the
# process a second time.
function(vidrt_exports target map)
  target_link_options(${target} PRIVATE "LINKER:--exclude-libs,ALL" "LINKER:--version-script,${map}")
  if(NOT VIDRT_SANITIZE)
    # A sanitizer's functions come from the program; without one, nothing may be left for later.
    target_link_options(${target} PRIVATE "LINKER:--no-undefined")
  endif()
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS "${map}")
endfunction()

# A library that the core opens when it is first asked for goes where the core is, and looks.
function(vidrt_beside_core target)
  set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/csrc")
endfunction()

# Give `target` our language level, warnings and sanitizers, with hidden symbols and position-independent code.
function(vidrt_compile target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:vidrt_compile_flags>)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    CUDA_VISIBILITY_PRESET hidden
    CUDA_STANDARD 17
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
endfunction()
