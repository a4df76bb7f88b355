# SPDX-License-Identifier: Apache-2.0
# An overlay port of the checkout that it stands in: headers, and what find_package(qwen35) reads.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(VCPKG_BUILD_TYPE release)  # there is nothing to debug in headers

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DQWEN35_BUILD_TESTS=OFF -DQWEN35_BUILD_BENCH=OFF -DQWEN35_BUILD_EXAMPLES=OFF -DQWEN35_INSTALL=ON -DQWEN35_COMPILED=OFF
          -DQWEN35_FETCH_DEPENDENCIES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME qwen35 CONFIG_PATH lib/cmake/qwen35)
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
