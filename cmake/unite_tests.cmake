# SPDX-License-Identifier: Apache-2.0
# One file that takes several tests in: all that they include, once, and then each in a namespace of its own.
#   cmake -DOUTPUT=<file> -DFOLDER=<tests> "-DSOURCES=<folder>/<stem>.cpp;..." -P unite_tests.cmake
set(headers "")
set(tests "")
foreach(source IN LISTS SOURCES)
  cmake_path(GET source PARENT_PATH folder)
  cmake_path(GET source STEM LAST_ONLY stem)
  file(STRINGS "${FOLDER}/${source}" lines REGEX "^#include [<\"]")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^#include [<\"]([^>\"]*).*" "\\1" header "${line}")
    if(line MATCHES "^#include \"" AND EXISTS "${FOLDER}/${folder}/${header}")
      string(PREPEND header "${folder}/")
    endif()
    list(APPEND headers "${header}")
  endforeach()
  string(APPEND tests "namespace of_${stem} {\n#include \"${FOLDER}/${source}\"\n}  // namespace of_${stem}\n")
endforeach()
list(REMOVE_DUPLICATES headers)
# A test may include what not every system has.
list(TRANSFORM headers REPLACE "(.+)" "#if __has_include(<\\1>)\n#include <\\1>\n#endif\n")
list(JOIN headers "" includes)
file(WRITE "${OUTPUT}" "${includes}${tests}")
