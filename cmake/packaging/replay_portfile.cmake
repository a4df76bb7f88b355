# SPDX-License-Identifier: Apache-2.0
# cmake -DWORK=folder -DSOURCE=tests/consumer -P replay_portfile.cmake: the vcpkg port with CMake's own commands in place of vcpkg's, and a project
# that finds what it installed.
file(REMOVE_RECURSE "${WORK}")
set(CURRENT_PACKAGES_DIR "${WORK}/packages")

include("${CMAKE_CURRENT_LIST_DIR}/../run_command.cmake")
function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  run("${CMAKE_COMMAND}" -S "${arg_SOURCE_PATH}" -B "${WORK}/build" "-DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}" -DCMAKE_INSTALL_LIBDIR=lib
      -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF ${arg_OPTIONS})
endfunction()
function(vcpkg_cmake_install)
  run("${CMAKE_COMMAND}" --build "${WORK}/build")
  run("${CMAKE_COMMAND}" --install "${WORK}/build")
endfunction()
# Moves the package's files to share/, from where the prefix is two folders up, not three.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "PACKAGE_NAME;CONFIG_PATH" "")
  file(MAKE_DIRECTORY "${CURRENT_PACKAGES_DIR}/share")
  file(RENAME "${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH}" "${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME}")
  file(GLOB files "${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME}/*Targets.cmake")
  foreach(file IN LISTS files)
    file(READ "${file}" text)
    string(REGEX REPLACE "get_filename_component\\(_IMPORT_PREFIX \"\\$\\{CMAKE_CURRENT_LIST_FILE\\}\" PATH\\)(\nget_filename_component\\(_IMPORT_PREFIX \"\\$\\{_IMPORT_PREFIX\\}\" PATH\\))*"
      "get_filename_component(_IMPORT_PREFIX \"\${CMAKE_CURRENT_LIST_FILE}\" PATH)\nget_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\nget_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)" text "${text}")
    file(WRITE "${file}" "${text}")
  endforeach()
endfunction()
function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  file(COPY_FILE ${arg_FILE_LIST} "${CURRENT_PACKAGES_DIR}/share/qwen35/copyright")
endfunction()

include("${CMAKE_CURRENT_LIST_DIR}/vcpkg/portfile.cmake")
foreach(file include/qwen35/model.hpp share/qwen35/qwen35Config.cmake share/qwen35/copyright)
  if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/${file}")
    message(FATAL_ERROR "the port did not install ${file}")
  endif()
endforeach()
if(EXISTS "${CURRENT_PACKAGES_DIR}/lib")
  message(FATAL_ERROR "a port of headers has a folder lib")
endif()
# The manifest is JSON, and says the version that the headers say.
file(READ "${CMAKE_CURRENT_LIST_DIR}/vcpkg/vcpkg.json" manifest)
string(JSON version GET "${manifest}" version)
run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}/consumer" -DQWEN35_BY=port "-DCMAKE_PREFIX_PATH=${CURRENT_PACKAGES_DIR}" -DQWEN35_VERSION=${version})
run("${CMAKE_COMMAND}" --build "${WORK}/consumer")
message(STATUS "qwen35 ${version} as a port")
