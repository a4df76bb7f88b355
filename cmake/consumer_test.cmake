# SPDX-License-Identifier: Apache-2.0
# cmake -DBY=way -DSOURCE=tests/consumer -DLIBRARY=project -DBUILD=folder -DLIBRARY_BUILD=folder "-DSETTINGS=-DX=Y;..." -P consumer_test.cmake
# Configures, builds and runs the consumer project.
macro(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(failed)
    message(FATAL_ERROR "${BY}: ${ARGN}\n${said}")
  endif()
endmacro()

file(REMOVE_RECURSE "${BUILD}")
set(extra "-DQWEN35_PATH=${LIBRARY}")
if(BY MATCHES "^(find_package|not_there)$")
  run("${CMAKE_COMMAND}" --install "${LIBRARY_BUILD}" --prefix "${BUILD}/prefix")
  set(extra "-DCMAKE_PREFIX_PATH=${BUILD}/prefix")
  if(BY STREQUAL "not_there")
    list(APPEND extra -DCMAKE_IGNORE_PATH=/usr/include)  # where the packages that we need are
  endif()
endif()
run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}/build" ${SETTINGS} -DQWEN35_BY=${BY} ${extra}
    "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror")
run("${CMAKE_COMMAND}" --build "${BUILD}/build")
if(NOT BY STREQUAL "not_there")
  run("${BUILD}/build/app/consumer")
endif()
message(STATUS "${BY}: ${said}")
