// SPDX-License-Identifier: Apache-2.0
// Which character of a text each character of its normalisation form C comes from.
#pragma once

#include <qwen35/unicode/nfc.hpp>

QWEN35_BEGIN_NAMESPACE
namespace unicode {

namespace detail {

// The same steps as NfcStretch, each code point with the change that it makes to the length: 1 for one that is put in,
// -n for one that n code points behind it have gone into.
class NfcAlignedStretch {
 public:
  // Appends for each code point of the normalised stretch the number of the one that it is aligned with, counted from
  // `first`; returns the number of code points of `text`.
  std::size_t append(std::string_view text, std::size_t first, std::vector<std::size_t>& out);

 private:
  struct Part {
    utf8proc_int32_t point;
    int combining_class;
    int change;
  };

  // The canonical composition algorithm: a code point goes into the last starter unless one between them has the same
  // or a higher class.
  void compose();

  std::vector<Part> parts_;
};

}  // namespace detail

// For each code point of nfc(text), the number of the code point of `text` that the reference aligns it with: of one
// that was composed, the first of its parts; of one that was put in, the one before. `text` is well-formed UTF-8.
std::vector<std::size_t> nfc_alignment(std::string_view text);

}  // namespace unicode

#if QWEN35_BODIES

namespace unicode::detail {

QWEN35_BODY std::size_t NfcAlignedStretch::append(std::string_view text, std::size_t first,
                                                  std::vector<std::size_t>& out) {
  parts_.clear();
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    const CodePoint c = decode_utf8(text, i);
    i += c.size;
    utf8proc_int32_t points[8];
    const utf8proc_ssize_t size = NfcStretch::decompose(c.point, points);
    for (utf8proc_ssize_t k = 0; k < size; ++k) {
      parts_.push_back({points[k], NfcStretch::combining_class(points[k]), k == 0 ? 0 : 1});
    }
  }
  NfcStretch::sort_marks(parts_, [](const Part& part) { return part.combining_class; });
  compose();
  std::size_t read = 0;
  for (const Part& part : parts_) {
    if (part.change > 0) {
      out.push_back(first + (read > 0 ? read - 1 : 0));
    } else {
      out.push_back(first + read);
      read += 1 + static_cast<std::size_t>(-part.change);
    }
  }
  return count;
}

QWEN35_BODY void NfcAlignedStretch::compose() {
  constexpr std::size_t none = SIZE_MAX;
  std::size_t kept = 0;
  std::size_t starter = none;
  int last_class = -1;  // of what stands between; -1: nothing
  for (const Part part : parts_) {
    if (starter != none && last_class < part.combining_class) {
      if (const utf8proc_int32_t both = NfcStretch::compose(parts_[starter].point, part.point); both >= 0) {
        parts_[starter].point = both;
        parts_[starter].change += part.change - 1;
        continue;
      }
    }
    last_class = part.combining_class;
    if (part.combining_class == 0) {
      starter = kept;
      last_class = -1;
    }
    parts_[kept++] = part;
  }
  parts_.resize(kept);
}

}  // namespace unicode::detail

namespace unicode {

QWEN35_BODY std::vector<std::size_t> nfc_alignment(std::string_view text) {
  std::vector<std::size_t> out;
  std::size_t copied = 0;  // bytes
  std::size_t point = 0;   // code points
  const auto copy_until = [&](std::size_t end) {
    for (; copied < end; ++copied) {
      if ((static_cast<unsigned char>(text[copied]) & 0xC0) != 0x80) {
        out.push_back(point++);
      }
    }
  };
  detail::NfcAlignedStretch stretch;
  for_each_nfc_stretch(text, [&](std::size_t start, std::size_t end) {
    copy_until(start);
    point += stretch.append(text.substr(start, end - start), point, out);
    copied = end;
  });
  copy_until(text.size());
  return out;
}

}  // namespace unicode

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
