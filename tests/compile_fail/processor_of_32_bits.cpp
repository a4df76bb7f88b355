// SPDX-License-Identifier: Apache-2.0
// expect: "qwen35 needs a processor of 64 bits
// lines: 12
// flags: -U__SIZEOF_POINTER__ -D__SIZEOF_POINTER__=4
#include <qwen35/model.hpp>
