// SPDX-License-Identifier: Apache-2.0
// Writers of picture files whose parts can be wrong one by one.
#pragma once

#include <media/media_test.hpp>

#include <initializer_list>

namespace hostile {

// Bytes put together from text and numbers.
class Bytes {
 public:
  Bytes& text(std::string_view value) {
    data_ += value;
    return *this;
  }
  Bytes& zeros(std::size_t count) { return text(std::string(count, '\0')); }
  Bytes& u8(std::initializer_list<unsigned> values) {
    for (const unsigned value : values) {
      data_ += static_cast<char>(value);
    }
    return *this;
  }
  Bytes& le16(std::uint32_t v) { return u8({v & 255u, v >> 8 & 255u}); }
  Bytes& le32(std::uint32_t v) { return le16(v & 0xffffu).le16(v >> 16); }
  Bytes& be16(std::uint32_t v) { return u8({v >> 8 & 255u, v & 255u}); }
  Bytes& be32(std::uint32_t v) { return be16(v >> 16).be16(v & 0xffffu); }
  const std::string& str() const { return data_; }

 private:
  std::string data_;
};

inline std::string file_text(const std::string& name) {
  const std::vector<std::byte> bytes = qwen35::read_file<qwen35::MediaError>(media_test::file_path(name), 1 << 20);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `text` with `value` at `at`.
inline std::string patched(std::string text, std::size_t at, std::string_view value) {
  return text.replace(at, value.size(), value);
}
// With `value` written `offset` bytes after the first occurrence of `mark`, which must be there.
inline std::string after(const std::string& text, std::string_view mark, std::size_t offset, std::string_view value) {
  const std::size_t at = text.find(mark);
  REQUIRE(at != std::string::npos);
  return patched(text, at + offset, value);
}

// --- PNG ---
inline std::string chunk(std::string_view kind, std::string_view data) {
  const std::string body = std::string(kind) + std::string(data);
  const std::uint32_t crc = media_test::crc32(media_test::bytes_of(body));
  return Bytes().be32(static_cast<std::uint32_t>(data.size())).text(body).be32(crc).str();
}

// `data` as a zlib stream that stores it.
inline std::string stored(std::string_view data) {
  Bytes out;
  out.u8({0x78, 0x01});
  std::uint32_t a = 1, b = 0;
  for (const char c : data) {
    a = (a + static_cast<unsigned char>(c)) % 65521u;
    b = (b + a) % 65521u;
  }
  for (std::size_t at = 0; at == 0 || at < data.size(); at += 65535) {
    const std::string_view part = data.substr(at, 65535);
    const auto size = static_cast<std::uint32_t>(part.size());
    out.u8({at + 65535 >= data.size() ? 1u : 0u}).le16(size).le16(~size & 0xffffu).text(part);
  }
  return out.be32(b << 16 | a).str();
}

// A zlib stream of `count` x 258 + 1 zeros in 13 bits for each 258: one zero, then copies of it. (RFC 1951, fixed
// codes)
inline std::string bomb(std::size_t count) {
  std::string out("\x78\x01", 2);
  std::uint32_t held = 0, bits = 0;
  const auto put = [&](std::uint32_t value, std::uint32_t size) {  // lowest bit first
    held |= value << bits;
    for (bits += size; bits >= 8; bits -= 8, held >>= 8) {
      out += static_cast<char>(held & 255u);
    }
  };
  put(1 | 1 << 1, 3);  // the last block, fixed codes
  put(0x0c, 8);        // 0 has the code 00110000; codes start with their highest bit
  for (std::size_t i = 0; i < count; ++i) {
    put(0xa3, 8);  // length 258: 11000101
    put(0, 5);     // distance 1
  }
  put(0, 7);  // the end
  put(0, 7);
  const auto total = static_cast<std::uint64_t>(count) * 258 + 1;
  return out + Bytes().be32(static_cast<std::uint32_t>(total % 65521) << 16 | 1).str();
}

struct Png {
  std::uint32_t width = 4, height = 3;
  unsigned depth = 8, colour = 2, interlace = 0;
  std::string before = {};                     // chunks between IHDR and IDAT
  std::string pixels = std::string(39, '\0');  // 3 rows of a filter byte and 4 pixels
  std::string data = {};                       // of IDAT instead of the pixels
  std::string rest = chunk("IEND", "");

  std::string start() const {
    return std::string("\x89PNG\r\n\x1a\n") +
           chunk("IHDR", Bytes().be32(width).be32(height).u8({depth, colour, 0, 0, interlace}).str()) + before;
  }
  std::string str() const { return start() + chunk("IDAT", data.empty() ? stored(pixels) : data) + rest; }
};

// --- JPEG ---
// A progressive file of one grey block whose 63 other coefficients come one by one and bit by bit, `bits` scans for
// each: all are zeros.
inline std::string many_scans(unsigned bits) {
  const auto segment = [](unsigned marker, std::string_view data) {
    return Bytes().u8({0xff, marker}).be16(static_cast<std::uint32_t>(data.size()) + 2).text(data).str();
  };
  const std::string one_code = Bytes().u8({1}).zeros(15).u8({0}).str();  // "0" is the symbol 0
  Bytes out;
  out.u8({0xff, 0xd8}).text(segment(0xdb, std::string(1, '\0') + std::string(64, '\1')));
  out.text(segment(0xc2, Bytes().u8({8}).be16(8).be16(8).u8({1, 1, 0x11, 0}).str()));
  out.text(segment(0xc4, std::string(1, '\0') + one_code + '\x10' + one_code));
  const auto scan = [&](unsigned coefficient, unsigned high, unsigned low) {
    out.text(segment(0xda, Bytes().u8({1, 1, 0, coefficient, coefficient, high << 4 | low}).str())).u8({0x7f});
  };
  scan(0, 0, 0);
  for (unsigned k = 1; k < 64; ++k) {
    for (unsigned bit = bits; bit-- > 0;) {
      scan(k, bit + 1 == bits ? 0 : bit + 1, bit);
    }
  }
  return out.u8({0xff, 0xd9}).str();
}

// --- GIF ---
struct GifPart {
  std::uint32_t left = 0, top = 0, width = 2, height = 2;
  unsigned code_size = 2;
  std::string codes = std::string("\x03\x84\x00\x05", 4);  // clear, four zeros (3 bits each), end: a block of 3 bytes
  std::string str() const {
    return Bytes().text(",").le16(left).le16(top).le16(width).le16(height).u8({0, code_size}).text(codes).u8({0}).str();
  }
};
inline std::string gif(std::uint32_t width, std::uint32_t height, std::string_view parts, std::string_view end = ";") {
  return Bytes()
      .text("GIF89a")
      .le16(width)
      .le16(height)
      .u8({0x91, 0, 0})
      .text("abcdefghijkl")
      .text(parts)
      .text(end)
      .str();
}

// --- BMP ---
struct Bmp {
  std::uint32_t width = 4, height = 2, bits = 8, compression = 0, colours = 2, header = 40;
  std::uint32_t offset = 14 + 40 + 8;
  std::string rest = std::string(8, 'p') + std::string(8, '\0');  // palette and pixels
  std::string str() const {
    return Bytes()
        .text("BM")
        .le32(0)
        .le32(0)
        .le32(offset)
        .le32(header)
        .le32(width)
        .le32(height)
        .le16(1)
        .le16(bits)
        .le32(compression)
        .le32(0)
        .le32(0)
        .le32(0)
        .le32(colours)
        .le32(0)
        .text(rest)
        .str();
  }
};

// --- WebP ---
inline std::string riff(std::string_view chunks) {
  return Bytes().text("RIFF").le32(static_cast<std::uint32_t>(chunks.size()) + 4).text("WEBP").text(chunks).str();
}
inline std::string webp_chunk(std::string_view kind, std::string_view data) {
  return Bytes().text(kind).le32(static_cast<std::uint32_t>(data.size())).text(data).zeros(data.size() % 2).str();
}

}  // namespace hostile
