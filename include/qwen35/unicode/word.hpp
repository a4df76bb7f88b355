// SPDX-License-Identifier: Apache-2.0
// The characters of words, as regular expressions mean them.
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

// \w of the reference's regular expressions: alphabetic characters, marks, decimal digits, connectors such as "_", and
// the two joiners.
bool is_word(std::uint32_t point);

}  // namespace unicode

#if QWEN35_BODIES

namespace unicode {

QWEN35_BODY bool is_word(std::uint32_t point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      break;
  }
  const auto within = [point](std::uint32_t first, std::uint32_t last) { return point >= first && point <= last; };
  return within(0x200C, 0x200D) || within(0x24B6, 0x24E9) ||  // joiners, letters in circles and squares
         within(0x1F130, 0x1F149) || within(0x1F150, 0x1F169) || within(0x1F170, 0x1F189);
}

}  // namespace unicode

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
