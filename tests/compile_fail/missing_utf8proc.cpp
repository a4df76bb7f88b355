// SPDX-License-Identifier: Apache-2.0
// expect: "qwen35 needs utf8proc (Debian: libutf8proc-dev): link qwen35::qwen35, which finds
// lines: 12
// flags: -UQWEN35_COMPILED_KERNELS -UQWEN35_COMPILED_GENERATE
// without: utf8proc
#include <qwen35/unicode/nfc.hpp>
