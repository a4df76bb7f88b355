# SPDX-License-Identifier: Apache-2.0
# qwen35_small_build(target): the headers alone, for the instruction set of the compiler's flags, on one thread, without exceptions and run-time types,
# with f32 and bf16 as weight formats; for size, and what nothing calls is left out of the program.
function(qwen35_small_build target)
  target_link_libraries(${target} PRIVATE qwen35::third_party qwen35_warnings)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_definitions(${target} PRIVATE QWEN35_STATIC_DISPATCH)
  # (A macro with an argument is no definition to CMake.)
  target_compile_options(${target} PRIVATE "-DQWEN35_FORMATS(X)=X(f32) X(bf16)" -fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -Os)
  target_link_options(${target} PRIVATE LINKER:--gc-sections,-z,noseparate-code -no-pie)
endfunction()
