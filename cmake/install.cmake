# SPDX-License-Identifier: Apache-2.0
# `find_package(qwen35)` and pkg-config for an installed copy.
include(CMakePackageConfigHelpers)

install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include/qwen35" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
set(qwen35_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/qwen35")
install(TARGETS qwen35 qwen35_media qwen35_ffmpeg qwen35_dense EXPORT qwen35Targets)
install(EXPORT qwen35Targets NAMESPACE qwen35:: DESTINATION "${qwen35_package_dir}")
# The libraries with code. An install of a tree that was not built is one of headers alone, without the components `kernels` and `generate`.
install(TARGETS qwen35_kernels qwen35_generate EXPORT qwen35KernelsTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" OPTIONAL)
install(EXPORT qwen35KernelsTargets NAMESPACE qwen35:: DESTINATION "${qwen35_package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/qwen35ConfigVersion.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
# From the package's folder to the library.
cmake_path(SET qwen35_kernels_file "${CMAKE_INSTALL_PREFIX}")
cmake_path(APPEND qwen35_kernels_file "${CMAKE_INSTALL_LIBDIR}" "${CMAKE_STATIC_LIBRARY_PREFIX}qwen35_kernels${CMAKE_STATIC_LIBRARY_SUFFIX}")
cmake_path(SET qwen35_package_path "${CMAKE_INSTALL_PREFIX}")
cmake_path(APPEND qwen35_package_path "${qwen35_package_dir}")
cmake_path(RELATIVE_PATH qwen35_kernels_file BASE_DIRECTORY "${qwen35_package_path}")
string(REPLACE kernels generate qwen35_generate_file "${qwen35_kernels_file}")
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/qwen35Config.cmake" @ONLY CONTENT [=[
if(NOT CMAKE_CXX_COMPILER_LOADED)
  set(qwen35_FOUND FALSE)
  set(qwen35_NOT_FOUND_MESSAGE "it is a library of C++ headers: call enable_language(CXX) before find_package(qwen35)")
  return()
endif()
if(NOT DEFINED QWEN35_OPENMP)
  set(QWEN35_OPENMP @QWEN35_OPENMP@)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/dependencies.cmake")
# Who asks whether we are there is answered; who requires us may get the missing packages by a download.
if(NOT qwen35_FIND_REQUIRED AND NOT TARGET qwen35::third_party)
  qwen35_list_missing(qwen35_missing)
  if(qwen35_missing)
    list(JOIN qwen35_missing " " qwen35_missing)
    set(qwen35_FOUND FALSE)
    set(qwen35_NOT_FOUND_MESSAGE "it needs packages that are not on this system: ${qwen35_missing}")
    return()
  endif()
endif()
qwen35_make_dependencies()
include("${CMAKE_CURRENT_LIST_DIR}/qwen35Targets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/qwen35_embed.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/qwen35_add_config.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/qwen35_add_tool.cmake")
# find_package(qwen35 COMPONENTS kernels generate media ffmpeg dense): fails when what they need is not on this system.
get_property(qwen35_media_FOUND GLOBAL PROPERTY QWEN35_MEDIA_COMPLETE)
get_property(qwen35_ffmpeg_FOUND GLOBAL PROPERTY QWEN35_FFMPEG_FOUND)
get_property(qwen35_dense_FOUND GLOBAL PROPERTY QWEN35_DENSE_FOUND)
set(qwen35_kernels_FOUND FALSE)
if(EXISTS "${CMAKE_CURRENT_LIST_DIR}/@qwen35_kernels_file@" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "@CMAKE_SYSTEM_PROCESSOR@" AND
   QWEN35_OPENMP STREQUAL "@QWEN35_OPENMP@")  # files with threads and without have functions of their own
  set(qwen35_kernels_FOUND TRUE)
  include("${CMAKE_CURRENT_LIST_DIR}/qwen35KernelsTargets.cmake")
  # What the functions are called says which flags they were compiled with; a file with others is told so at once (qwen35/core/abi.hpp).
  set(qwen35_abi_name "v[0-9]+_[0-9]+_[a-z0-9]+_[a-z]+_[a-z]+_(throws|handler)_(all|some)(_std_files|_unmapped)?")
  file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/@qwen35_generate_file@" qwen35_abi LIMIT_COUNT 1 REGEX "${qwen35_abi_name}")
  string(REGEX MATCH "${qwen35_abi_name}" qwen35_abi "${qwen35_abi}")
  get_target_property(qwen35_alias qwen35::generate ALIASED_TARGET)  # of a folder that was added before
  if(qwen35_abi AND NOT qwen35_alias)
    set_property(TARGET qwen35::generate APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS "QWEN35_COMPILED_ABI=${qwen35_abi}")
  endif()
endif()
set(qwen35_generate_FOUND ${qwen35_kernels_FOUND})
set(qwen35_media_missing "needs image libraries (Debian: libjpeg-dev libpng-dev libwebp-dev libgif-dev)")
set(qwen35_ffmpeg_missing "needs FFmpeg's libraries (Debian: libavformat-dev libavcodec-dev libswscale-dev libavutil-dev)")
set(qwen35_dense_missing "needs Eigen (Debian: libeigen3-dev)")
set(qwen35_kernels_missing "is not in this installation, which has no compiled library for ${CMAKE_SYSTEM_PROCESSOR} with QWEN35_OPENMP=${QWEN35_OPENMP}")
set(qwen35_generate_missing "${qwen35_kernels_missing}")
foreach(component IN LISTS qwen35_FIND_COMPONENTS)
  if(qwen35_FIND_REQUIRED_${component} AND NOT qwen35_${component}_FOUND)
    set(qwen35_FOUND FALSE)
    if(DEFINED qwen35_${component}_missing)
      set(qwen35_NOT_FOUND_MESSAGE "its component ${component} ${qwen35_${component}_missing}")
    else()
      set(qwen35_NOT_FOUND_MESSAGE "it has no component ${component}; there are kernels, generate, media, ffmpeg and dense")
    endif()
  endif()
endforeach()
]=])
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/qwen35Config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/qwen35ConfigVersion.cmake"
  cmake/dependencies.cmake cmake/qwen35_embed.cmake cmake/qwen35_add_config.cmake cmake/qwen35_add_tool.cmake
  DESTINATION "${qwen35_package_dir}")
# What qwen35_add_logits() and qwen35_add_bench() compile.
install(FILES
  examples/tools/logits.hpp examples/tools/divergence.hpp examples/tools/bench.hpp examples/tools/bench_model.hpp examples/tools/bench_report.hpp
  examples/tools/machine_peak.hpp examples/tools/model_options.hpp examples/tools/shown.hpp examples/tools/tool_interrupt.hpp examples/tools/tool_options.hpp examples/tools/tool_streams.hpp
  DESTINATION "${qwen35_package_dir}/tools")

get_property(qwen35_openmp_flags GLOBAL PROPERTY QWEN35_OPENMP_FLAGS)
list(JOIN qwen35_openmp_flags " " qwen35_openmp_flags)
get_property(qwen35_pc_directories GLOBAL PROPERTY QWEN35_THIRD_PARTY_INCLUDES)
list(REMOVE_ITEM qwen35_pc_directories ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
list(TRANSFORM qwen35_pc_directories REPLACE "(.+)" " -I\"\\1\"")
list(JOIN qwen35_pc_directories "" qwen35_pc_directories)
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/qwen35.pc" @ONLY CONTENT [=[
prefix=${pcfiledir}/../..
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: qwen35
Description: @PROJECT_DESCRIPTION@
Version: @PROJECT_VERSION@
Requires: libutf8proc
Cflags: -I${includedir}@qwen35_pc_directories@ @qwen35_openmp_flags@
Libs: @qwen35_openmp_flags@
]=])
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/qwen35.pc" DESTINATION "share/pkgconfig")
# And for the libraries, where they were built.
set(qwen35_requires qwen35)
foreach(part kernels generate)
  string(TOUPPER "${part}" qwen35_part)
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/qwen35-${part}.pc" @ONLY CONTENT [=[
prefix=${pcfiledir}/../..
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@

Name: qwen35-@part@
Description: @PROJECT_DESCRIPTION@, its @part@ compiled once
Version: @PROJECT_VERSION@
Requires: @qwen35_requires@
Cflags: -DQWEN35_COMPILED_@qwen35_part@
Libs: -L${libdir} -lqwen35_@part@
]=])
  install(CODE "if(EXISTS \"$<TARGET_FILE:qwen35_${part}>\")
  file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share/pkgconfig\" TYPE FILE FILES \"${CMAKE_CURRENT_BINARY_DIR}/qwen35-${part}.pc\")
endif()")
  set(qwen35_requires qwen35-kernels)
endforeach()
