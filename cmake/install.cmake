# SPDX-License-Identifier: Apache-2.0
# `find_package(qwen35)` and pkg-config for an installed copy.
include(CMakePackageConfigHelpers)

install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include/qwen35" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
set(qwen35_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/qwen35")
install(TARGETS qwen35 qwen35_media qwen35_ffmpeg EXPORT qwen35Targets)
install(EXPORT qwen35Targets NAMESPACE qwen35:: DESTINATION "${qwen35_package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/qwen35ConfigVersion.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/qwen35Config.cmake" @ONLY CONTENT [=[
include("${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/qwen35Targets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/qwen35_embed.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/qwen35_add_config.cmake" OPTIONAL)
# find_package(qwen35 COMPONENTS media ffmpeg): fails when their libraries are not on this system.
get_property(qwen35_media_FOUND GLOBAL PROPERTY QWEN35_MEDIA_COMPLETE)
get_property(qwen35_ffmpeg_FOUND GLOBAL PROPERTY QWEN35_FFMPEG_FOUND)
set(qwen35_media_missing "image libraries (Debian: libjpeg-dev libpng-dev libwebp-dev libgif-dev)")
set(qwen35_ffmpeg_missing "FFmpeg's libraries (Debian: libavformat-dev libavcodec-dev libswscale-dev libavutil-dev)")
foreach(component IN LISTS qwen35_FIND_COMPONENTS)
  if(qwen35_FIND_REQUIRED_${component} AND NOT qwen35_${component}_FOUND)
    set(qwen35_FOUND FALSE)
    if(DEFINED qwen35_${component}_missing)
      set(qwen35_NOT_FOUND_MESSAGE "its component ${component} needs ${qwen35_${component}_missing}")
    else()
      set(qwen35_NOT_FOUND_MESSAGE "it has no component ${component}; there are media and ffmpeg")
    endif()
  endif()
endforeach()
]=])
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/qwen35Config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/qwen35ConfigVersion.cmake"
  cmake/dependencies.cmake cmake/qwen35_embed.cmake
  DESTINATION "${qwen35_package_dir}")
if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/cmake/qwen35_add_config.cmake")
  install(FILES cmake/qwen35_add_config.cmake DESTINATION "${qwen35_package_dir}")
endif()

get_property(qwen35_openmp_flags GLOBAL PROPERTY QWEN35_OPENMP_FLAGS)
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/qwen35.pc" @ONLY CONTENT [=[
prefix=${pcfiledir}/../..
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: qwen35
Description: @PROJECT_DESCRIPTION@
Version: @PROJECT_VERSION@
Requires: eigen3 libutf8proc
Cflags: -I${includedir} @qwen35_openmp_flags@
Libs: @qwen35_openmp_flags@
]=])
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/qwen35.pc" DESTINATION "share/pkgconfig")
