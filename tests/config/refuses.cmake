# SPDX-License-Identifier: Apache-2.0
# cmake -DFROM=bad.json -DOUTPUT=out.hpp "-DEXPECT=words" -DLIBRARY=dir -P refuses.cmake
# Passes when the file is refused with these words, and no header is written.
if(NOT INNER)
  execute_process(COMMAND "${CMAKE_COMMAND}" "-DFROM=${FROM}" "-DOUTPUT=${OUTPUT}" "-DLIBRARY=${LIBRARY}" -DINNER=ON -P "${CMAKE_CURRENT_LIST_FILE}"
                  RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT result)
    message(FATAL_ERROR "${FROM} must be refused, but is not")
  endif()
  string(REGEX REPLACE "[ \n]+" " " said "${said}")  # messages are wrapped
  string(FIND "${said}" "${EXPECT}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${FROM} is refused, but without the words '${EXPECT}':\n${said}")
  endif()
  if(EXISTS "${OUTPUT}")
    message(FATAL_ERROR "${FROM} is refused, but there is a header ${OUTPUT}")
  endif()
  return()
endif()
cmake_policy(VERSION 3.21)
include("${LIBRARY}/cmake/qwen35_add_config.cmake")
qwen35_write_config(NAME bad FROM "${FROM}" OUTPUT "${OUTPUT}")
