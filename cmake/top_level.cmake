# SPDX-License-Identifier: Apache-2.0
# What only the project's own builds want: a build type, one folder for programs, ccache, a compile database.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(QWEN35_DEV_CCACHE ccache)
  mark_as_advanced(QWEN35_DEV_CCACHE)
  if(QWEN35_DEV_CCACHE)
    # What the compiler says it read is what a result depends on: a miss then costs no run of the preprocessor, and precompiled headers are no obstacle.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_DEPEND=1 CCACHE_SLOPPINESS=pch_defines,time_macros "${QWEN35_DEV_CCACHE}")
  endif()
endif()
