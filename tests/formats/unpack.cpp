// SPDX-License-Identifier: Apache-2.0
// Blocks against those that the Python package gguf decoded, see make_blocks.py beside the data.
#include <qwen35/core/hash.hpp>
#include <qwen35/formats/block_fit.hpp>
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

namespace {

// What the fits of nearly normal values leave, a fiftieth above what was measured.
struct FitBar {
  Format format;
  double error;
};
constexpr FitBar fitted[] = {{Format::q8_0, 2.23e-5}, {Format::q4_0, 6.56e-3}, {Format::q4_1, 4.91e-3},
                             {Format::q5_0, 1.58e-3}, {Format::q5_1, 1.12e-3}, {Format::q4_k, 4.96e-3},
                             {Format::q5_k, 1.19e-3}, {Format::q6_k, 2.82e-4}};
constexpr std::size_t fitted_values = 4096;

// Sums of uniform numbers: nearly normal.
std::vector<float> nearly_normal(std::mt19937& random, std::size_t count) {
  std::vector<float> out(count);
  for (float& value : out) {
    int sum = 0;
    for (int i = 0; i < 12; ++i) {
      sum += static_cast<int>(random() % 2001) - 1000;
    }
    value = static_cast<float>(sum) / 1000.0f;
  }
  return out;
}

std::vector<float> written(Format format, const std::vector<float>& values, const float* weights = nullptr) {
  std::vector<std::byte> blocks(row_bytes(format, values.size()));
  fit_row(format, values.data(), weights, values.size(), blocks.data());
  std::vector<float> out(values.size());
  kernels::decode_row({format, blocks.data(), out.size(), out.data()});
  return out;
}

// Of the differences, in parts of the values' own; weighted.
double error_of(const std::vector<float>& values, const std::vector<float>& other,
                const std::vector<float>& weights = {}) {
  double sum = 0.0, all = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double weight = weights.empty() ? 1.0 : weights[i], rest = static_cast<double>(values[i]) - other[i];
    sum += weight * rest * rest;
    all += weight * values[i] * values[i];
  }
  return sum / all;
}

}  // namespace

TEST_CASE("values are fitted with small errors, and those that count more with smaller ones") {
  std::mt19937 random(5);
  const std::vector<float> values = nearly_normal(random, fitted_values);
  std::vector<float> weights(fitted_values);
  for (float& weight : weights) {
    weight = std::exp(static_cast<float>(random() % 1000) / 250.0f);
  }
  for (const auto& [format, bar] : fitted) {
    CAPTURE(name(format));
    REQUIRE(is_fitted(format));
    const std::vector<float> plain = written(format, values), weighted = written(format, values, weights.data());
    CHECK(error_of(values, plain) < bar);
    CHECK(error_of(values, weighted, weights) < 0.93 * error_of(values, plain, weights));
    CHECK(error_of(values, plain) < error_of(values, weighted));
    // What the format can hold comes back: exactly where a group has its own scale.
    CHECK(error_of(plain, written(format, plain)) <= (format == Format::q4_k || format == Format::q5_k ? 2e-5 : 0.0));
    // A block knows nothing of its neighbours, and weights that are all the same or all 0 change nothing.
    const std::size_t size = format_info(format).block_values;
    const std::vector<float> second(values.begin() + static_cast<std::ptrdiff_t>(size),
                                    values.begin() + static_cast<std::ptrdiff_t>(2 * size));
    const std::vector<float> alone = written(format, second);
    CHECK(std::equal(alone.begin(), alone.end(), plain.begin() + static_cast<std::ptrdiff_t>(size)));
    CHECK(written(format, values, std::vector<float>(fitted_values, 0.0f).data()) == plain);
    CHECK(written(format, values, std::vector<float>(fitted_values, 4.0f).data()) == plain);
  }
}

TEST_CASE("values that are hard to fit") {
  for (const auto& [format, bar] : fitted) {
    CAPTURE(name(format));
    const std::size_t size = format_info(format).block_values;
    CHECK(written(format, std::vector<float>(size, 0.0f)) == std::vector<float>(size, 0.0f));
    for (const float all : {1.0f, -3.0f, 1e-3f, 1000.0f}) {
      CHECK(error_of(std::vector<float>(size, all), written(format, std::vector<float>(size, all))) < 1e-5);
    }
    // One value far from the others, one alone, values below what f16 can scale.
    std::vector<float> values(size, 0.001f);
    values[size / 2] = 50.0f;
    CHECK(error_of(values, written(format, values)) < 1e-4);
    std::fill(values.begin(), values.end(), 0.0f);
    values[3] = -7.0f;
    CHECK(error_of(values, written(format, values)) < 1e-5);
    for (float& value : values) {
      value = 1e-12f;
    }
    for (const float value : written(format, values)) {
      CHECK(std::fabs(value) < 1e-6f);
    }
    // A value that does not count at all gives way.
    std::vector<float> weights(size, 1.0f);
    std::fill(values.begin(), values.end(), 1.0f);
    values[5] = 1e4f;
    weights[5] = 0.0f;
    CHECK(error_of(values, written(format, values, weights.data()), weights) < 1e-4);
  }
  std::vector<std::byte> block(1000);
  const std::vector<float> zeros(256);
  CHECK_THROWS_WITH_AS(fit_row(Format::iq4_nl, zeros.data(), nullptr, 32, block.data()),
                       "fit_row: this program cannot write the format iq4_nl", InputError);
  CHECK_THROWS_AS(fit_row(Format::q4_k, zeros.data(), nullptr, 32, block.data()), InputError);
}
