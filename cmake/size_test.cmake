# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM=x -DSTRIP=strip "-DEMBEDDED=files" -DBYTES=n -P size_test.cmake
# Fails when the stripped program less the files that are embedded in it is larger.
execute_process(COMMAND "${STRIP}" -o "${PROGRAM}.stripped" "${PROGRAM}" RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${STRIP} ${PROGRAM} failed")
endif()
file(SIZE "${PROGRAM}.stripped" bytes)
foreach(file IN LISTS EMBEDDED)
  file(SIZE "${file}" size)
  math(EXPR bytes "${bytes} - ${size}")
endforeach()
if(bytes GREATER BYTES)
  message(FATAL_ERROR "${PROGRAM}: ${bytes} bytes without what is embedded, at most ${BYTES} are expected")
endif()
message(STATUS "${bytes} of ${BYTES} bytes")
