# SPDX-License-Identifier: Apache-2.0
if(NOT TARGET test_model_oracle_c00)  # only some tests of this folder are built
  return()
endif()

# The recorded models of tests/data/text as types: oracle_<first>.cpp takes six of them.
foreach(first RANGE 0 24 6)
  math(EXPR last "${first} + 5")
  string(REGEX REPLACE "^.*(..)$" "\\1" stem "0${first}")
  foreach(index RANGE ${first} ${last})
    string(REGEX REPLACE "^.*(..)$" "\\1" number "0${index}")
    qwen35_add_config(test_model_oracle_c${stem} NAME c${number} FROM "${CMAKE_CURRENT_LIST_DIR}/../data/text/c${number}/config.json")
  endforeach()
endforeach()

# The recorded multimodal models of tests/data/vision.
foreach(index RANGE 9)
  qwen35_add_config(test_model_vision_tower NAME v0${index} FROM "${CMAKE_CURRENT_LIST_DIR}/../data/vision/v0${index}/config.json")
  math(EXPR first "${index} / 5 * 5")
  qwen35_add_config(test_model_multimodal_v0${first} NAME v0${index} FROM "${CMAKE_CURRENT_LIST_DIR}/../data/vision/v0${index}/config.json")
endforeach()
qwen35_add_config(test_model_instantiate NAME v00 FROM "${CMAKE_CURRENT_LIST_DIR}/../data/vision/v00/config.json")
