// SPDX-License-Identifier: Apache-2.0
// Blocks against those that the Python package gguf decoded, see make_blocks.py beside the data.
#include <qwen35/core/hash.hpp>
#include <qwen35/formats/formats.hpp>
#include <qwen35/formats/unpack.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/kernels/kernels.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace qwen35;

namespace {

constexpr std::size_t recorded_blocks = 1280;

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Block n of make_blocks.py.
void fill_block(std::size_t n, std::size_t size, std::byte* to) {
  for (std::size_t i = 0; i < size; ++i) {
    to[i] = n < 256 ? static_cast<std::byte>(n) : static_cast<std::byte>(mixed(n * 64 + i / 8) >> i % 8 * 8 & 255u);
  }
}

std::string hex(const std::byte* bytes, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    out += "0123456789abcdef"[std::to_integer<unsigned>(bytes[i]) >> 4];
    out += "0123456789abcdef"[std::to_integer<unsigned>(bytes[i]) & 15];
  }
  return out;
}

std::string hash_of_values(const std::vector<float>& values) {
  Hasher hasher;
  for (std::size_t i = 0; i < values.size(); i += 2) {
    std::uint64_t pair = 0;
    for (std::size_t j = 0; j < 2; ++j) {
      const float value = values[i + j];
      pair |= static_cast<std::uint64_t>(std::isnan(value) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(value))
              << 32 * j;
    }
    hasher.word(pair);
  }
  std::byte bytes[8];
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::byte>(hasher.value() >> (56 - 8 * i) & 255u);
  }
  return hex(bytes, 8);
}

json::Value recorded() {
  std::ifstream file(std::string(QWEN35_TEST_DATA) + "/formats/blocks.json");
  std::stringstream text;
  text << file.rdbuf();
  return json::parse(text.str());
}

template <Format F>
void check_format(const json::Value& data) {
  const FormatInfo& info = format_info(F);
  CAPTURE(info.name);
  const json::Value& expected = data.at(info.name);
  std::vector<std::byte> blocks(recorded_blocks * info.block_bytes);
  std::vector<float> values(recorded_blocks * info.block_values);
  for (std::size_t n = 0; n < recorded_blocks; ++n) {
    fill_block(n, info.block_bytes, &blocks[n * info.block_bytes]);
    StoredAs<F>::decode(*reinterpret_cast<const typename StoredAs<F>::Block*>(&blocks[n * info.block_bytes]),
                        &values[n * info.block_values]);
  }
  const auto shown = static_cast<std::size_t>(expected.at("shown").as_integer());
  CHECK(hex(&blocks[shown * info.block_bytes], info.block_bytes) == expected.at("block").as_string());
  for (std::size_t i = 0; i < info.block_values; ++i) {
    CHECK(values[shown * info.block_values + i] == static_cast<float>(expected.at("values").items()[i].as_number()));
  }
  CHECK(hash_of_values(values) == expected.at("hash").as_string());

  // The kernels: whole rows on every instruction set, wherever they begin.
  blocks.insert(blocks.begin(), std::byte{0});
  for (const std::string_view isa : isa_names()) {
    CAPTURE(isa);
    set_isa(isa);
    std::vector<float> row(values.size(), 7.0f);
    kernels::decode_row({F, blocks.data() + 1, row.size(), row.data()});
    CHECK(hash_of_values(row) == expected.at("hash").as_string());
  }
  set_isa("");
}

}  // namespace

TEST_CASE("every block format of GGUF decodes as the reference does, to the bit") {
  const json::Value data = recorded();
#define QWEN35_CHECK_FORMAT(name, ...) check_format<Format::name>(data.at("formats"));
  QWEN35_GGUF_FORMATS(QWEN35_CHECK_FORMAT)
#undef QWEN35_CHECK_FORMAT
}

TEST_CASE("rows are whole blocks") {
  CHECK_NOTHROW(require_whole_blocks(Format::q4_k, 512, "blk.0.attn_q.weight"));
  CHECK_NOTHROW(require_whole_blocks(Format::bf16, 7, "blk.0.attn_q.weight"));
  CHECK_THROWS_WITH_AS(require_whole_blocks(Format::q4_k, 128, "blk.0.attn_q.weight"),
                       "blk.0.attn_q.weight: rows of 128 values are not whole blocks of q4_k, which are of 256",
                       InputError);
  CHECK_THROWS_WITH_AS(visit(Format::q8_0, [](auto) {}), "visit: q8_0 is a format of blocks", InputError);
  static_assert(is_available(Format::q8_0) && !is_encodable(Format::q8_0));
  static_assert(row_bytes(Format::q6_k, 512) == 420 && alignment(Format::q6_k) == 1);
  static_assert(unpack_function(Format::f32) == nullptr);
}
