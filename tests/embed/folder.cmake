# SPDX-License-Identifier: Apache-2.0
# Files with odd names, made in the build folder, embedded in the test of qwen35_embed.
set(embed_dir "${CMAKE_CURRENT_BINARY_DIR}/embedded files")
file(CONFIGURE OUTPUT "${embed_dir}/plain.txt" CONTENT "plain\n" @ONLY)
file(CONFIGURE OUTPUT "${embed_dir}/odd $name (1)'s é, @50%.json" CONTENT "odd" @ONLY)
file(CONFIGURE OUTPUT "${embed_dir}/0empty" CONTENT "" @ONLY)
file(CONFIGURE OUTPUT "${embed_dir}/class" CONTENT "keyword" @ONLY)
qwen35_embed(test_embed NAME odd FILES
  "${embed_dir}/plain.txt" "${embed_dir}/odd $name (1)'s é, @50%.json" "${embed_dir}/0empty" "${embed_dir}/class")
qwen35_embed(test_embed NAME again FILES "${embed_dir}/plain.txt")

# A second embedding of one name in one target is refused, in a project of its own.
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/embed_twice/CMakeLists.txt" @ONLY CONTENT [=[
cmake_minimum_required(VERSION 3.21)
project(embed_twice LANGUAGES NONE)
include("@PROJECT_SOURCE_DIR@/cmake/qwen35_embed.cmake")
add_library(program OBJECT IMPORTED)
add_library(other OBJECT IMPORTED)
foreach(target program other)
  qwen35_embed(${target} NAME data FILES "@embed_dir@/plain.txt")
  qwen35_embed(${target} NAME more FILES "@embed_dir@/plain.txt")
endforeach()
message(STATUS "so far it is right")
qwen35_embed(program NAME data FILES "@embed_dir@/class")
]=])
add_test(NAME embed_refuses_twice COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_BINARY_DIR}/embed_twice" -B "${CMAKE_CURRENT_BINARY_DIR}/embed_twice/build")
set_tests_properties(embed_refuses_twice PROPERTIES LABELS embed
                     PASS_REGULAR_EXPRESSION "so far it is right.*qwen35_embed\\(program\\): there is a NAME data in it already")
