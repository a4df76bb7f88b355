# SPDX-License-Identifier: Apache-2.0
# cmake "-DCOMMAND=program;arguments" -DSOURCE=x.cpp -P example_test.cmake
# Runs an example of at most 120 lines: it must succeed, and print what stands below `// Expected output:` in its source, where `...` is anything within a line, and as a
# line any lines.
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} ends with ${result}:\n${output}${errors}")
endif()
file(READ "${SOURCE}" text)
string(REGEX MATCHALL "\n" lines "${text}")
list(LENGTH lines lines)
if(lines GREATER 120)
  message(FATAL_ERROR "${SOURCE} has ${lines} lines: an example is read in one go")
endif()
if(NOT text MATCHES "\n// Expected output:\n((//   [^\n]*\n|//\n)+)")
  message(FATAL_ERROR "${SOURCE} does not say what it prints")
endif()
string(REGEX REPLACE "(^|\n)// ? ? ?" "\\1" expected "${CMAKE_MATCH_1}")
string(REGEX REPLACE "([][+.*()^?$|\\{}])" "\\\\\\1" pattern "${expected}")
string(REPLACE "\n\\.\\.\\.\n" "\n([^\n]*\n)*" pattern "${pattern}")
string(REPLACE "\\.\\.\\." "[^\n]*" pattern "${pattern}")
if(NOT output MATCHES "^${pattern}$")
  message(FATAL_ERROR "${SOURCE} prints\n${output}\nand not\n${expected}")
endif()
