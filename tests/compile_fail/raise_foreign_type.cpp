// SPDX-License-Identifier: Apache-2.0
// expect: raise<E>: E must derive from qwen35::Error
#include <qwen35/core/error.hpp>

#if defined(QWEN35_POSITIVE_CONTROL)
void fail() {
  qwen35::raise<qwen35::TextError>("a sentence");
}
#else
void fail() {
  qwen35::raise<std::logic_error>("a sentence");
}
#endif
