// SPDX-License-Identifier: Apache-2.0
// As GCC 11 and Clang 13 see it.
// expect: "qwen35 needs
// expect: or newer"
// lines: 12
// flags: -U__GNUC__ -D__GNUC__=11 -U__clang_major__ -D__clang_major__=13
#include <qwen35/model.hpp>
