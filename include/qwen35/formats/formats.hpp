// SPDX-License-Identifier: Apache-2.0
// All formats, and the one place that goes from a format's tag to its definition.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/formats/bf16.hpp>
#include <qwen35/formats/f16.hpp>
#include <qwen35/formats/f32.hpp>
#include <qwen35/formats/f8_e4m3.hpp>

#include <string_view>

QWEN35_BEGIN_NAMESPACE

#define QWEN35_FORMAT_CHECK(name, ...)                                                          \
  static_assert(sizeof(StoredAs<Format::name>::Block) == format_info(Format::name).block_bytes, \
                "a format's block does not have the size that core/format.hpp says");
QWEN35_VALUE_FORMATS(QWEN35_FORMAT_CHECK)
#undef QWEN35_FORMAT_CHECK

// Whether this program holds the format's code: a tag out of nowhere, or a format that QWEN35_FORMATS leaves out, is
// none.
constexpr bool is_available(Format format) {
#define QWEN35_FORMAT_IS(name, ...) || format == Format::name
  return false QWEN35_LISTED_FORMATS(QWEN35_FORMAT_IS);
#undef QWEN35_FORMAT_IS
}

// Raises InputError, with `what` it is about, for a format that is not available.
inline void require_available(Format format, std::string_view what) {
  require<InputError>(is_available(format), what, ": this program was compiled without the format ", name(format));
}

// fn(StoredAs<format>{}). Raises InputError for a format that is not available.
template <class Fn>
constexpr decltype(auto) visit(Format format, const Fn& fn) {
  switch (format) {
#define QWEN35_FORMAT_CASE(name, ...) \
  case Format::name:                  \
    return fn(StoredAs<Format::name>{});
    QWEN35_LISTED_FORMATS(QWEN35_FORMAT_CASE)
#undef QWEN35_FORMAT_CASE
    default:
      raise<InputError>(concat("this program was compiled without the format ", name(format)));
  }
}

// Whether this library writes the format: matrices of fresh or converted weights, keys and values.
constexpr bool is_encodable(Format format) {
  return is_available(format) && visit(format, []<class S>(S) {
           return requires(const float* values, typename S::Block& block) {
             S::encode(values, block);
           };
         });
}

inline void require_encodable(Format format, std::string_view what) {
  require<InputError>(is_encodable(format), what, ": this program cannot write the format ", name(format));
}

QWEN35_END_NAMESPACE
