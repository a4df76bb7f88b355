# SPDX-License-Identifier: Apache-2.0
# cmake -DFROM=odd.json -DOUTPUT=out.hpp "-DEXPECT=words" -DAS=refuses|warns -DLIBRARY=dir -P says.cmake
# Passes when CMake says these words of the file, and there is a header only when they are a warning.
if(NOT INNER)
  file(REMOVE "${OUTPUT}")
  execute_process(COMMAND "${CMAKE_COMMAND}" "-DFROM=${FROM}" "-DOUTPUT=${OUTPUT}" "-DLIBRARY=${LIBRARY}" -DINNER=ON -P "${CMAKE_CURRENT_LIST_FILE}"
                  RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")  # messages are wrapped
  string(FIND "${said}" "${EXPECT}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "of ${FROM} CMake should say '${EXPECT}':\n${said}")
  endif()
  if(AS STREQUAL "refuses" AND (NOT result OR EXISTS "${OUTPUT}"))
    message(FATAL_ERROR "${FROM} must be refused, but is not")
  elseif(AS STREQUAL "warns" AND (result OR NOT EXISTS "${OUTPUT}"))
    message(FATAL_ERROR "of ${FROM} there must be a header, but there is none:\n${said}")
  endif()
  return()
endif()
cmake_policy(VERSION 3.21)
include("${LIBRARY}/cmake/qwen35_add_config.cmake")
qwen35_write_config(NAME odd FROM "${FROM}" OUTPUT "${OUTPUT}")
