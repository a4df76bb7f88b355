// SPDX-License-Identifier: Apache-2.0
// The characters that Python's repr writes as they are.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstdint>

#if QWEN35_BODIES
#if !__has_include(<utf8proc.h>)
#error "qwen35 needs utf8proc (Debian: libutf8proc-dev): link qwen35::qwen35, which finds it or downloads it"
#include <qwen35/core/see_the_error_above.hpp>
#endif
#include <utf8proc.h>
#endif

QWEN35_BEGIN_NAMESPACE
namespace unicode {

// All but controls, white space other than " ", and what no character is assigned to.
bool is_printable(std::uint32_t point);

}  // namespace unicode

#if QWEN35_BODIES

namespace unicode {

QWEN35_BODY bool is_printable(std::uint32_t point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(point))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return point == ' ';
    default:
      return true;
  }
}

}  // namespace unicode

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
