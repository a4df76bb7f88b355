# SPDX-License-Identifier: Apache-2.0
# run(command...) for scripts of tests: what the command prints stands in `said`; where it fails, so does the test, showing it.
macro(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(failed)
    message(FATAL_ERROR "${ARGN}\n${said}")
  endif()
endmacro()
