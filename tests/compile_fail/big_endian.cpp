// SPDX-License-Identifier: Apache-2.0
// expect: "qwen35 needs a little-endian processor
// lines: 12
// flags: -U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__
#include <qwen35/model.hpp>
