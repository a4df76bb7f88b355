// SPDX-License-Identifier: Apache-2.0
// expect: "qwen35 needs RapidJSON (Debian: rapidjson-dev): link qwen35::qwen35, which finds
// lines: 12
// flags: -UQWEN35_COMPILED_KERNELS -UQWEN35_COMPILED_GENERATE
// without: rapidjson
#include <qwen35/json/read.hpp>
