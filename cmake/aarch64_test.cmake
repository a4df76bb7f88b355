# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER=aarch64-linux-gnu-g++ -DEMULATOR=qemu-aarch64 -DSOURCE=x.cpp -DINCLUDE=include -DTHIRD_PARTY=folders -DWORK=folder -P aarch64_test.cmake
# Compiles a program of the kernels for armv8.2 with dot products, warnings as errors, and runs it under emulation.
include("${CMAKE_CURRENT_LIST_DIR}/run_command.cmake")
# Highway's folder alone: beside it may be the headers of this machine's C library.
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/include")
foreach(folder IN LISTS THIRD_PARTY)
  if(EXISTS "${folder}/hwy/highway.h")
    file(CREATE_LINK "${folder}/hwy" "${WORK}/include/hwy" SYMBOLIC)
    break()
  endif()
endforeach()
run("${COMPILER}" -std=c++20 -O1 -march=armv8.2-a+dotprod -DQWEN35_STATIC_DISPATCH -fno-exceptions -fno-rtti -static
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror "-I${INCLUDE}" -isystem "${WORK}/include" "${SOURCE}" -o "${WORK}/program")
run("${EMULATOR}" "${WORK}/program")
if(NOT said STREQUAL "neon, serial: 9900\n")
  message(FATAL_ERROR "the program says: ${said}")
endif()
