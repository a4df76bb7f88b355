// SPDX-License-Identifier: Apache-2.0
// Which formats a program holds, and the one place that goes from the tag of a format of single values to its
// definition. (For formats of blocks that is unpack.hpp.)
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/formats/bf16.hpp>
#include <qwen35/formats/f16.hpp>
#include <qwen35/formats/f32.hpp>
#include <qwen35/formats/f8_e4m3.hpp>

#include <string>
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

// What is to be said of a format that is not.
inline std::string unavailable_text(Format format) {
  return concat("this program was compiled without the format ", name(format), ", which QWEN35_FORMATS does not list");
}

// Raises InputError, with `what` it is about, for a format that is not available.
inline void require_available(Format format, std::string_view what) {
  if (!is_available(format)) {
    raise<InputError>(concat(what, ": ", unavailable_text(format)));
  }
}

// Whether rows of the format are read block by block, see unpack.hpp.
constexpr bool has_blocks(Format format) {
  return format_info(format).block_values > 1;
}

// Raises InputError, with `what` it is about, for rows of `cols` values that are not whole blocks.
inline void require_whole_blocks(Format format, std::size_t cols, std::string_view what) {
  require<InputError>(cols % format_info(format).block_values == 0, what, ": rows of ", cols,
                      " values are not whole blocks of ", name(format), ", which are of ",
                      format_info(format).block_values);
}

namespace detail {
// StoredAs<F>, looked at only where it is used: formats of blocks are defined elsewhere.
template <Format F, class>
struct Definition {
  using type = StoredAs<F>;
};
// (Of each visit a copy, otherwise, of which the kernels have many.)
[[noreturn, gnu::cold, gnu::noinline]] inline void refuse_visit(Format format) {
  raise<InputError>(is_available(format) ? concat("visit: ", name(format), " is a format of blocks")
                                         : unavailable_text(format));
}

}  // namespace detail

// fn(StoredAs<format>{}) for a format of single values. Raises InputError for others and for what is not available.
template <class Fn>
constexpr decltype(auto) visit(Format format, const Fn& fn) {
  switch (format) {
#define QWEN35_FORMAT_CASE(name, ...)                                   \
  case Format::name:                                                    \
    if constexpr (!has_blocks(Format::name))                            \
      return fn(typename detail::Definition<Format::name, Fn>::type{}); \
    else                                                                \
      break;
    QWEN35_LISTED_FORMATS(QWEN35_FORMAT_CASE)
#undef QWEN35_FORMAT_CASE
    default:
      break;
  }
  detail::refuse_visit(format);
}

// Whether this library writes the format value by value: matrices of fresh or converted weights.
constexpr bool is_encodable(Format format) {
  return is_available(format) && !has_blocks(format) && visit(format, []<class S>(S) {
           return requires(const float* values, typename S::Block& block) {
             S::encode(values, block);
           };
         });
}

// Whether keys and values can be kept in the format: rows of them are written one at a time.
constexpr bool holds_keys(Format format) {
  return is_encodable(format) || (format == Format::q8_0 && is_available(format));
}

inline void require_holds_keys(Format format, std::string_view what) {
  require<InputError>(holds_keys(format), what, ": this program cannot keep keys and values as ", name(format));
}

// The format of that name, for keys and values. Raises InputError, listing those that there are, with `what` it is
// about.
inline Format keys_format(std::string_view word, std::string_view what) {
  std::string names;
  for (std::size_t i = 0; i < format_count; ++i) {
    const auto format = static_cast<Format>(i);
    if (holds_keys(format)) {
      if (name(format) == word) {
        return format;
      }
      names.append(names.empty() ? "" : ", ").append(name(format));
    }
  }
  raise<InputError>(concat(what, ": \"", word, "\" is no format of keys and values, expected one of ", names));
}

inline void require_encodable(Format format, std::string_view what) {
  require<InputError>(is_encodable(format), what, ": this program cannot write the format ", name(format));
}

QWEN35_END_NAMESPACE
