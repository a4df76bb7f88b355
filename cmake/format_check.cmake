# SPDX-License-Identifier: Apache-2.0
# cmake -DFOLDER=project -P format_check.cmake
# Passes when clang-format 14 (Debian 12's; another version breaks lines elsewhere) would change no C++ file; says `skipped:` where it is not there.
find_program(CLANG_FORMAT NAMES clang-format-14 clang-format)
if(CLANG_FORMAT)
  execute_process(COMMAND "${CLANG_FORMAT}" --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT "${version}" MATCHES "version 14\\.")
  message("skipped: clang-format 14 is not there, but '${version}'")
  return()
endif()

set(patterns "")
foreach(directory include tests bench examples cmake)
  foreach(kind hpp cpp ipp)
    list(APPEND patterns "${FOLDER}/${directory}/*.${kind}")
  endforeach()
endforeach()
file(GLOB_RECURSE files ${patterns})
execute_process(COMMAND "${CLANG_FORMAT}" --style=file --dry-run -Werror ${files} RESULT_VARIABLE changes ERROR_VARIABLE said)
if(changes)
  message(FATAL_ERROR "clang-format -i would change lines:\n${said}")
endif()
