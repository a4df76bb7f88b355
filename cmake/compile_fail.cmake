# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE=x.cpp -DCONTROL=OFF "-DCOMMAND=compiler;flags" -P compile_fail.cmake
# Passes when the file does not compile and the compiler's words hold the text of each of its `// expect: text` comments. A file without such a
# comment must compile. With CONTROL=ON the file is compiled with QWEN35_POSITIVE_CONTROL defined, and must compile: the error is then
# due to what stands in the other branch, and not to a slip elsewhere.
file(STRINGS "${SOURCE}" lines REGEX "^// expect: ")
if(CONTROL)
  set(lines "")
  list(APPEND COMMAND -DQWEN35_POSITIVE_CONTROL)
endif()
execute_process(COMMAND ${COMMAND} -fsyntax-only "${SOURCE}" RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
# GCC quotes with typographic quotes in some locales.
string(REPLACE "‘" "'" said "${said}")
string(REPLACE "’" "'" said "${said}")
if(NOT lines)
  if(result)
    message(FATAL_ERROR "${SOURCE} must compile, but:\n${said}")
  endif()
  return()
endif()
if(NOT result)
  message(FATAL_ERROR "${SOURCE} must not compile, but it does")
endif()
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^// expect: " "" text "${line}")
  string(STRIP "${text}" text)
  string(FIND "${said}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${SOURCE} does not compile, but the compiler does not say '${text}':\n${said}")
  endif()
endforeach()
