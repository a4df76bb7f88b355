# SPDX-License-Identifier: Apache-2.0
# Precompiled headers of our own tests: what those of models include is parsed once. Users' projects never see this, and no
# public header can lean on it: each is compiled alone as well.
# (Clang's notes the times of the files that it is made of, and one from the compiler cache does not fit a fresh clone; few of its tests would gain.)
string(COMPARE EQUAL "${CMAKE_CXX_COMPILER_ID}" GNU qwen35_is_gnu)
option(QWEN35_DEV_PRECOMPILE "Our own tests share precompiled headers" ${qwen35_is_gnu})

# qwen35_precompile(<target>): the target, which is compiled and linked as a test of models is, takes them with the declaration of the shapes model.
function(qwen35_precompile target)
  if(NOT TARGET qwen35_precompiled)
    file(CONFIGURE OUTPUT precompiled.cpp CONTENT "" @ONLY)
    add_library(qwen35_precompiled OBJECT EXCLUDE_FROM_ALL "${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp")
    target_link_libraries(qwen35_precompiled PRIVATE qwen35::generate qwen35::doctest qwen35_warnings)
    target_compile_definitions(qwen35_precompiled PRIVATE DOCTEST_CONFIG_SUPER_FAST_ASSERTS)
    target_compile_options(qwen35_precompiled PRIVATE $<$<CONFIG:Debug>:-Og>)
    target_precompile_headers(qwen35_precompiled PRIVATE <algorithm> <filesystem> <fstream> <map> <string> <vector> <doctest/doctest.h>
      "${PROJECT_SOURCE_DIR}/cmake/shapes_model.hpp" <qwen35/session/session.hpp>)
  endif()
  target_precompile_headers(${target} REUSE_FROM qwen35_precompiled)
endfunction()
