# How our own sources are compiled. Dependencies keep their own flags.

add_library(vidrt_compile_flags INTERFACE)
target_compile_features(vidrt_compile_flags INTERFACE cxx_std_17)
target_compile_options(vidrt_compile_flags INTERFACE -Wall -Wextra -Wpedantic $<$<BOOL:${VIDRT_WERROR}>:-Werror>)

if(VIDRT_SANITIZE)
  list(JOIN VIDRT_SANITIZE "," vidrt_sanitizers)
  target_compile_options(vidrt_compile_flags INTERFACE
    -fsanitize=${vidrt_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(vidrt_compile_flags INTERFACE -fsanitize=${vidrt_sanitizers})
endif()

if(VIDRT_COVERAGE)
  target_compile_options(vidrt_compile_flags INTERFACE --coverage -O0 -g)
  target_link_options(vidrt_compile_flags INTERFACE --coverage)
endif()

# Give `target` our language level, warnings and sanitizers, with hidden symbols and position-independent code.
function(vidrt_compile target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:vidrt_compile_flags>)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
endfunction()
