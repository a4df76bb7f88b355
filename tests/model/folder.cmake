# SPDX-License-Identifier: Apache-2.0
# The recorded models of tests/data/text and tests/data/vision as types, where tests of them are built.
if(TARGET test_model)
  foreach(index RANGE 29)
    string(REGEX REPLACE "^.*(..)$" "\\1" number "0${index}")
    qwen35_add_config(test_model NAME c${number} FROM "${CMAKE_CURRENT_LIST_DIR}/../data/text/c${number}/config.json")
  endforeach()
  foreach(index RANGE 9)
    qwen35_add_config(test_model NAME v0${index} FROM "${CMAKE_CURRENT_LIST_DIR}/../data/vision/v0${index}/config.json")
  endforeach()
endif()
if(TARGET test_model_instantiate)
  qwen35_add_config(test_model_instantiate NAME v00 FROM "${CMAKE_CURRENT_LIST_DIR}/../data/vision/v00/config.json")
endif()
