# SPDX-License-Identifier: Apache-2.0
# qwen35_tool_configs(out Qwen35_0_8B ...): the types that the tools are compiled for, the shapes model first. A name that config/presets.hpp has not
# is an error with those that it has. (`Qwen35_35B_A3B::text_config` is the text model of one.)
#   cmake "-DCONFIGS=Qwen35_0_8B;..." -P tool_configs.cmake
# prints them.
cmake_policy(VERSION 3.21)

function(qwen35_tool_configs out)
  file(STRINGS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../include/qwen35/config/presets.hpp" presets REGEX "^struct [A-Za-z0-9_]+ : (CompositeDefaults|Qwen)")
  list(TRANSFORM presets REPLACE "^struct ([A-Za-z0-9_]+).*" "\\1")
  set(types qwen35::configs::Shapes)
  foreach(name IN LISTS ARGN)
    string(REGEX REPLACE "::text_config$" "" preset "${name}")
    if(NOT preset IN_LIST presets)
      list(JOIN presets ", " known)
      message(FATAL_ERROR "QWEN35_TOOL_CONFIGS: '${name}' is none of ${known}; several are separated by ';'")
    endif()
    list(APPEND types "qwen35::configs::${name}")
  endforeach()
  list(REMOVE_DUPLICATES types)
  set(${out} "${types}" PARENT_SCOPE)
endfunction()
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  qwen35_tool_configs(types ${CONFIGS})
  message(STATUS "${types}")
endif()
