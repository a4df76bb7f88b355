# SPDX-License-Identifier: Apache-2.0
# Warnings of our own tests, benches and examples; never part of the targets that users link.
add_library(qwen35_warnings INTERFACE)
target_compile_options(qwen35_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
  $<$<BOOL:${QWEN35_DEV_WERROR}>:-Werror>)
