// SPDX-License-Identifier: Apache-2.0
// Normalisation form C with the tables of Unicode 9.0, on utf8proc.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/unicode/classes.hpp>
#include <qwen35/unicode/utf8.hpp>

#include <algorithm>

#if !__has_include(<utf8proc.h>)
#error "qwen35 needs utf8proc (Debian: libutf8proc-dev): link qwen35::qwen35, which finds it or downloads it"
#include <qwen35/core/see_the_error_above.hpp>
#endif
#include <utf8proc.h>

QWEN35_BEGIN_NAMESPACE
namespace unicode {

// Byte offset of the first code point at or after byte `from` that normalisation form C has to look at, or npos: the
// text from there on is in the form already. `text` is well-formed UTF-8.
std::size_t find_nfc_active(std::string_view text, std::size_t from = 0);

// Decomposes, orders and composes the code points of a short stretch. Not utf8proc_map: its ordering takes quadratic
// time on a long run of marks.
class NfcStretch {
 public:
  void append(std::string_view text, std::string& out);

  // The canonical decomposition of one code point; returns its length.
  static utf8proc_ssize_t decompose(std::uint32_t point, utf8proc_int32_t (&parts)[8]);
  // The canonical ordering algorithm: each run of marks is sorted by combining class, equals keep their order.
  template <class Point, class ClassOf>
  static void sort_marks(std::vector<Point>& points, const ClassOf& class_of) {
    for (auto start = points.begin(); start != points.end();) {
      const auto end = std::find_if(start, points.end(), [&](const Point& point) { return class_of(point) == 0; });
      if (end - start > 1) {
        std::stable_sort(start, end, [&](const Point& a, const Point& b) { return class_of(a) < class_of(b); });
      }
      start = end == points.end() ? end : end + 1;
    }
  }
  static int combining_class(utf8proc_int32_t point) { return utf8proc_get_property(point)->combining_class; }
  // The composition of two code points, or -1.
  static utf8proc_int32_t compose(utf8proc_int32_t first, utf8proc_int32_t second);

 private:
  static utf8proc_option_t options() { return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE); }

  std::vector<utf8proc_int32_t> points_;
};

// The stretches of `text` that normalisation has to work on: each run of active code points with the one before it.
// work(start, end) is called for each, in order. A code point later than Unicode 9.0 is never in one: in those tables
// it composes and reorders with nothing.
template <class Work>
void for_each_nfc_stretch(std::string_view text, const Work& work) {
  const ClassTable& table = ClassTable::instance();
  std::size_t done = 0;
  for (std::size_t active = find_nfc_active(text); active != std::string_view::npos;
       active = find_nfc_active(text, done)) {
    std::size_t start = active;
    if (start > done) {
      do {
        --start;
      } while ((static_cast<unsigned char>(text[start]) & 0xC0) == 0x80);
      start = table.later_than_unicode_9(decode_utf8(text, start).point) ? active : start;
    }
    std::size_t end = active;
    for (CodePoint c; end < text.size() && table.nfc_active((c = decode_utf8(text, end)).point);) {
      end += c.size;
    }
    work(start, end);
    done = end;
  }
}

// `text` is well-formed UTF-8.
std::string nfc(std::string_view text);

}  // namespace unicode

#if QWEN35_BODIES

namespace unicode {

QWEN35_BODY std::size_t find_nfc_active(std::string_view text, std::size_t from) {
  const ClassTable& table = ClassTable::instance();
  for (std::size_t i = from; i < text.size();) {
    // Nothing below U+0300 (lead bytes below 0xCC) and nothing from U+4000 to U+9FFF (0xE4 to 0xE9: ideographs) is
    // active.
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      i = skip_ascii(text, i + 1);
    } else if (byte < 0xCC) {
      i += byte < 0xC0 ? 1 : 2;
    } else if (byte >= 0xE4 && byte <= 0xE9) {
      i += 3;
    } else {
      const CodePoint c = decode_utf8(text, i);
      if (table.nfc_active(c.point)) {
        return i;
      }
      i += c.size;
    }
  }
  return std::string_view::npos;
}

QWEN35_BODY void NfcStretch::append(std::string_view text, std::string& out) {
  points_.clear();
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    i += c.size;
    utf8proc_int32_t parts[8];
    points_.insert(points_.end(), parts, parts + decompose(c.point, parts));
  }
  sort_marks(points_, combining_class);
  const utf8proc_ssize_t size =
      utf8proc_normalize_utf32(points_.data(), static_cast<utf8proc_ssize_t>(points_.size()), options());
  require<TextError>(size >= 0, "NFC: ", size < 0 ? utf8proc_errmsg(size) : "");
  for (utf8proc_ssize_t i = 0; i < size; ++i) {
    append_utf8(static_cast<std::uint32_t>(points_[static_cast<std::size_t>(i)]), out);
  }
}

QWEN35_BODY utf8proc_ssize_t NfcStretch::decompose(std::uint32_t point, utf8proc_int32_t (&parts)[8]) {
  int bound_class = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), parts, 8, options(), &bound_class);
  require<TextError>(count >= 0 && count <= 8, "NFC: code point ", point, ": ",
                     count < 0 ? utf8proc_errmsg(count) : "too long a decomposition");
  return count;
}

QWEN35_BODY utf8proc_int32_t NfcStretch::compose(utf8proc_int32_t first, utf8proc_int32_t second) {
  utf8proc_int32_t pair[] = {first, second};
  return utf8proc_normalize_utf32(pair, 2, options()) == 1 ? pair[0] : -1;
}

QWEN35_BODY std::string nfc(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  NfcStretch stretch;
  for_each_nfc_stretch(text, [&](std::size_t start, std::size_t end) {
    if (out.empty()) {
      out.reserve(text.size());
    }
    out.append(text.substr(copied, start - copied));
    stretch.append(text.substr(start, end - start), out);
    copied = end;
  });
  out.append(text.substr(copied));
  return out;
}

}  // namespace unicode

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
