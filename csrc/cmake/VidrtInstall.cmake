# Install rules of the C and C++ product: headers, libvidrt, the library of operators for ONNX Runtime, the CMake package
# and the pkg-config file.

include(CMakePackageConfigHelpers)

install(TARGETS vidrt vidrt_ort_ops EXPORT vidrtTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT devel)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/csrc/include/vidrt" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT devel
  FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/THIRD_PARTY_LICENSES"
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)

set(vidrt_cmake_folder "${CMAKE_INSTALL_LIBDIR}/cmake/vidrt")
install(EXPORT vidrtTargets NAMESPACE vidrt:: DESTINATION ${vidrt_cmake_folder} COMPONENT devel)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/vidrtConfig.cmake.in" "${PROJECT_BINARY_DIR}/vidrtConfig.cmake"
  INSTALL_DESTINATION ${vidrt_cmake_folder})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/vidrtConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/vidrtConfig.cmake" "${PROJECT_BINARY_DIR}/vidrtConfigVersion.cmake"
  DESTINATION ${vidrt_cmake_folder} COMPONENT devel)

# The library folder may be two levels deep (lib/x86_64-linux-gnu).
file(RELATIVE_PATH vidrt_pc_prefix "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
string(REGEX REPLACE "/$" "" vidrt_pc_prefix "${vidrt_pc_prefix}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/vidrt.pc.in" "${PROJECT_BINARY_DIR}/vidrt.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/vidrt.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT devel)
