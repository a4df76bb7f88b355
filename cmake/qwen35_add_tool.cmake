# SPDX-License-Identifier: Apache-2.0
# Tools for any model of the family.
#
#   qwen35_add_logits(NAME my-logits FROM path/to/config.json)
#   qwen35_add_bench(NAME my-bench FROM path/to/config.json)
#
# make the programs my-logits, `my-logits DIR --ids 1,2,3 [-o OUT]`, and my-bench, `my-bench -m DIR_OR_GGUF -p 512 -n 128`.
include_guard(GLOBAL)

set(QWEN35_TOOLS_SOURCE_DIR "${CMAKE_CURRENT_LIST_DIR}/../examples/tools")  # or beside this file, where it is installed
if(EXISTS "${CMAKE_CURRENT_LIST_DIR}/tools/logits.hpp")
  set(QWEN35_TOOLS_SOURCE_DIR "${CMAKE_CURRENT_LIST_DIR}/tools")
endif()
set(QWEN35_TOOLS_SOURCE_DIR "${QWEN35_TOOLS_SOURCE_DIR}" CACHE INTERNAL "Where the tools' sources are")

function(qwen35_add_logits)
  _qwen35_add_tool(logits ${ARGN})
endfunction()

function(qwen35_add_bench)
  _qwen35_add_tool(bench ${ARGN})
endfunction()

# `tool`: of <tool>.hpp, whose body is <tool>_tool::main.
function(_qwen35_add_tool tool)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "NAME;FROM" "")
  if(NOT arg_NAME OR NOT arg_FROM)
    message(FATAL_ERROR "qwen35_add_${tool}: expected NAME and FROM")
  endif()
  string(MAKE_C_IDENTIFIER "${arg_NAME}_config" config)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}.cpp")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT "#include \"${tool}.hpp\"

#include <qwen35_config/${config}.hpp>

int main(int argc, char** argv) { return ${tool}_tool::main<${config}>(argc, argv); }
")
  if(NOT TARGET qwen35::cli11)
    qwen35_find_cli11()
  endif()
  add_executable("${arg_NAME}" "${source}")
  target_include_directories("${arg_NAME}" PRIVATE "${QWEN35_TOOLS_SOURCE_DIR}")
  set(library qwen35::qwen35)  # an installation may have no compiled part
  if(TARGET qwen35::generate)
    set(library qwen35::generate)
  endif()
  target_link_libraries("${arg_NAME}" PRIVATE ${library} qwen35::cli11)
  qwen35_add_config("${arg_NAME}" NAME "${config}" FROM "${arg_FROM}")
endfunction()
