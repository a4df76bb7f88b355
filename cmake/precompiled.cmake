# SPDX-License-Identifier: Apache-2.0
# Precompiled headers of our own tests: what most of them include is parsed once for each way of compiling them. Users' projects never see this, and no
# public header can lean on it: each is compiled alone as well.
# (Clang's notes the times of the files that it is made of, and one from the compiler cache does not fit a fresh clone; few of its tests would gain.)
string(COMPARE EQUAL "${CMAKE_CXX_COMPILER_ID}" GNU qwen35_is_gnu)
option(QWEN35_DEV_PRECOMPILE "Our own tests share precompiled headers" ${qwen35_is_gnu})

# qwen35_precompile(<target> <set>): the target takes the headers of a set, which links and compiles as the target does: `words`, `text`, `media`, `model`, or
# `shapes`, the model with the declaration of the compiled shapes model. A large one takes longer to load (0.6 s) than a small file gains from it.
function(qwen35_precompile target set)
  if(NOT QWEN35_DEV_PRECOMPILE)
    return()
  endif()
  set(name "qwen35_precompiled_${set}")
  if(NOT TARGET ${name})
    set(headers_words <qwen35/core/error.hpp>)
    set(headers_text <qwen35/json/parse.hpp> <qwen35/text/tokenizer.hpp>)
    set(headers_media <qwen35/json/parse.hpp> <qwen35/media/image_processor.hpp> <qwen35/media/video_processor.hpp>)
    set(headers_model <qwen35/config/presets.hpp> <qwen35/model/causal_lm.hpp>)
    set(headers_shapes "${PROJECT_SOURCE_DIR}/cmake/shapes_model.hpp" <qwen35/session/session.hpp>)
    file(CONFIGURE OUTPUT precompiled.cpp CONTENT "" @ONLY)
    add_library(${name} OBJECT EXCLUDE_FROM_ALL "${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp")
    target_link_libraries(${name} PRIVATE qwen35::generate qwen35::doctest qwen35_warnings)
    if(set STREQUAL "media")
      target_link_libraries(${name} PRIVATE qwen35::media)
    endif()
    target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-Og>)
    target_precompile_headers(${name} PRIVATE <algorithm> <filesystem> <fstream> <map> <string> <vector> <doctest/doctest.h> ${headers_${set}})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()
