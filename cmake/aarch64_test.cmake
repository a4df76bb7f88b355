# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER=aarch64-linux-gnu-g++ "-DFLAGS=-march=armv8.2-a" "-DEMULATOR=qemu-aarch64;-cpu;max" -DSOURCE=x.cpp "-DEXPECT=text" -DINCLUDE=include -DTHIRD_PARTY=folders -DWORK=folder -P aarch64_test.cmake
# Compiles a program of the kernels, warnings as errors, runs it under emulation, and looks for EXPECT in what it prints.
include("${CMAKE_CURRENT_LIST_DIR}/run_command.cmake")
# The folders of Highway and doctest alone: beside them may be the headers of this machine's C library.
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/include")
foreach(package hwy doctest)
  foreach(folder IN LISTS THIRD_PARTY)
    if(EXISTS "${folder}/${package}" AND NOT EXISTS "${WORK}/include/${package}")
      file(CREATE_LINK "${folder}/${package}" "${WORK}/include/${package}" SYMBOLIC)
    endif()
  endforeach()
endforeach()
run("${COMPILER}" -std=c++20 -O1 ${FLAGS} -static
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror "-I${INCLUDE}" -isystem "${WORK}/include" "${SOURCE}" -o "${WORK}/program")
run(${EMULATOR} "${WORK}/program")
string(FIND "${said}" "${EXPECT}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "expected '${EXPECT}', the program says: ${said}")
endif()
