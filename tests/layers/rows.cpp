// SPDX-License-Identifier: Apache-2.0
#include <qwen35/formats/f8_e4m3.hpp>
#include <qwen35/layers/rows.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

using namespace qwen35;

namespace {

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> distribution(-1.0f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) {
    value = distribution(engine);
  }
  return values;
}

Matrix matrix(const std::vector<float>& values, std::size_t in) {
  return {reinterpret_cast<const std::byte*>(values.data()), DType::f32, values.size() / in, in};
}

}  // namespace

TEST_CASE(
    "projections of many tokens have the bits of one token alone, on any number of threads and in exactly the arena "
    "asked for") {
  for (const std::size_t in : {std::size_t{40}, std::size_t{1301}}) {
    const std::vector<float> first = random_values(97 * in, 1), second = random_values(3 * in, 2),
                             bias = random_values(97, 3);
    const std::vector<float> x = random_values(205 * in, 4);
    std::vector<float> alone(205 * 100);
    for (std::size_t t = 0; t < 205; ++t) {
      kernels::matmul({matrix(first, in), 0, 97, x.data() + t * in, in, 1, alone.data() + t * 100, 100, bias.data()});
      kernels::matmul({matrix(second, in), 0, 3, x.data() + t * in, in, 1, alone.data() + t * 100 + 97, 100});
    }
    for (const std::size_t tokens : {std::size_t{1}, kernels::few_tokens, kernels::few_tokens + 1, std::size_t{205}}) {
      for (const int threads : {1, 2, 3}) {
        const ThreadCount scope(threads);
        std::vector<float> y(tokens * 100, NAN);
        Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(tokens, in));
        const RowsScratch<Arena> scratch(arena, tokens, in);
        const Projection both[] = {{matrix(first, in), y.data(), 100, bias.data()},
                                   {matrix(second, in), y.data() + 97, 100}};
        project(Rows(x.data(), tokens, in, scratch), both);
        CHECK(std::memcmp(y.data(), alone.data(), y.size() * sizeof(float)) == 0);
      }
    }
    std::vector<float> y(205 * 97);
    Arena small(scratch_bytes<RowsScratch<ArenaMeter>>(std::size_t{205}, in) - 64);
    CHECK_THROWS_AS(RowsScratch<Arena>(small, 205, in), InputError);
  }
}

TEST_CASE(
    "matrices of blocks, each of its own format and beside f32, read the rows in 8 bits: the bits of each row alone") {
  constexpr std::size_t in = 512, out = 37;
  const std::vector<float> x = random_values(205 * in, 1), bias = random_values(out, 2),
                           plain = random_values(3 * in, 5);
  const auto stored = [](Format format, std::size_t scale_at) {
    std::mt19937 engine(3);
    std::vector<std::byte> bytes(row_bytes(format, out * in));
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(engine() >> 24);
    }
    for (std::size_t i = 0; i < bytes.size(); i += format_info(format).block_bytes) {
      bytes[i + scale_at + 1] = std::byte{0x20};  // the upper half of an f16 of 2^-7 and some
    }
    return bytes;
  };
  const auto values = [](Format format, const std::vector<std::byte>& bytes) {
    std::vector<float> decoded(out * in);
    kernels::decode_row({format, bytes.data(), decoded.size(), decoded.data()});
    return decoded;
  };
  const std::vector<std::byte> gate = stored(Format::q8_0, 0), up = stored(Format::q6_k, 208),
                               other = stored(Format::iq4_xs, 0);
  const std::vector<float> gate_values = values(Format::q8_0, gate), up_values = values(Format::q6_k, up),
                           other_values = values(Format::iq4_xs, other);
  const Matrix g{gate.data(), Format::q8_0, out, in}, u{up.data(), Format::q6_k, out, in},
      o{other.data(), Format::iq4_xs, out, in};
  const auto run = [&](const float* from, std::size_t tokens) {
    std::vector<float> y(tokens * (2 * out + 3), NAN), room(tokens * (2 * out + 3));
    Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(tokens, in));
    const std::size_t stride = 2 * out + 3;
    project(Rows(from, tokens, in, RowsScratch<Arena>(arena, tokens, in)),
            {{.weight = u, .y = y.data(), .y_stride = stride, .gate = g, .gate_y = room.data()},
             {.weight = matrix(plain, in), .y = y.data() + 2 * out, .y_stride = stride},
             {.weight = o, .y = y.data() + out, .y_stride = stride, .bias = bias.data()}});
    return y;
  };
  std::vector<float> alone;
  for (std::size_t t = 0; t < 205; ++t) {
    const std::vector<float> y = run(x.data() + t * in, 1);
    alone.insert(alone.end(), y.begin(), y.end());
    if (t % 50 == 0) {  // near what the values give
      double off = 0, size = 0;
      for (std::size_t n = 0; n < out; ++n) {
        double a = 0, b = 0, c = static_cast<double>(bias[n]);
        for (std::size_t k = 0; k < in; ++k) {
          const double value = static_cast<double>(x[t * in + k]);
          a += static_cast<double>(gate_values[n * in + k]) * value;
          b += static_cast<double>(up_values[n * in + k]) * value;
          c += static_cast<double>(other_values[n * in + k]) * value;
        }
        for (const auto& [got, wanted] : {std::pair{y[n], a / (1.0 + std::exp(-a)) * b}, std::pair{y[out + n], c}}) {
          off += (static_cast<double>(got) - wanted) * (static_cast<double>(got) - wanted);
          size += wanted * wanted;
        }
      }
      CHECK(off < 3e-4 * size);
    }
  }
  for (const std::size_t tokens : {std::size_t{9}, kernels::few_tokens + 1, std::size_t{205}}) {
    for (const int threads : {1, 3}) {
      const ThreadCount scope(threads);
      const std::vector<float> y = run(x.data(), tokens);
      CHECK(std::memcmp(y.data(), alone.data(), y.size() * sizeof(float)) == 0);
    }
  }
  // Gathered rows are read where they are.
  const std::uint32_t index[] = {7, 0, 7, 203};
  Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(std::size_t{205}, in));
  const RowsScratch<Arena> scratch(arena, 205, in);
  const Rows rows(x.data(), 205, in, scratch), gathered = rows.gather(index, nullptr);
  std::vector<float> some(3 * out);
  Product product{&gathered, 1, 3, {.weight = o, .y = some.data(), .y_stride = out, .bias = bias.data()}};
  project(std::span<Product>(&product, 1));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::memcmp(&some[i * out], &alone[index[1 + i] * (2 * out + 3) + out], out * sizeof(float)) == 0);
  }
  float one = 0;
  CHECK_THROWS_WITH_AS(project(Rows(x.data(), 1, 100), {{{gate.data(), Format::q8_0, 1, 100}, &one, 1}}),
                       "a matrix of a product: rows of 100 values are not whole blocks of q8_0, which are of 32",
                       InputError);
  CHECK_THROWS_WITH_AS(project(Rows(x.data(), 1, in), {{{gate.data(), Format::q8_0, 1, in}, &one, 1}}),
                       "products with rows of blocks: no room for the rows in 8 bits", InputError);
}

TEST_CASE("a matrix with factors beside it gives the bits that its values give, and so do its slices") {
  constexpr std::size_t out = 37;
  for (const std::size_t in : {std::size_t{300}, std::size_t{1301}}) {
    const std::vector<float> x = random_values(205 * in, 1), factors = random_values(out * in, 2);
    std::vector<std::uint8_t> codes(out * in);
    std::mt19937 engine(3);
    for (std::uint8_t& code : codes) {
      do {
        code = static_cast<std::uint8_t>(engine() >> 24);
      } while ((code & 0x7f) == 0x7f);
    }
    for (const auto& [rows, cols] :
         {std::pair{std::size_t{16}, std::size_t{128}}, std::pair{std::size_t{1}, in}, std::pair{out, in},
          std::pair{std::size_t{5}, std::size_t{48}}, std::pair{std::size_t{3}, std::size_t{7}}}) {
      Matrix scaled(reinterpret_cast<const std::byte*>(codes.data()), Format::f8_e4m3, out, in);
      scaled.scales.data = factors.data();
      scaled.scales.stride = (in + cols - 1) / cols;
      scaled.scales.rows = rows;
      scaled.scales.cols = cols;
      std::vector<float> values(out * in), decoded(in);
      for (std::size_t i = 0; i < out * in; ++i) {
        values[i] = f8_e4m3_to_f32(codes[i]) * factors[i / in / rows * scaled.scales.stride + i % in / cols];
      }
      const auto run = [&](const Matrix& whole, std::size_t tokens) {
        std::vector<float> y(tokens * out, NAN);
        Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(tokens, in));
        const RowsScratch<Arena> scratch(arena, tokens, in);
        project(Rows(x.data(), tokens, in, scratch),
                {{whole.slice(0, 9), y.data(), out}, {whole.slice(9, out - 9), y.data() + 9, out}});
        return y;
      };
      for (const std::size_t tokens : {std::size_t{1}, std::size_t{9}, kernels::few_tokens + 1, std::size_t{205}}) {
        const std::vector<float> y = run(scaled, tokens), expected = run(matrix(values, in), tokens);
        CHECK(std::isfinite(expected[0]));
        CHECK(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) == 0);
      }
      for (std::size_t row = 0; row < out; ++row) {
        kernels::decode_row({scaled.slice(row, out - row), 0, decoded.data()});
        CHECK(std::memcmp(decoded.data(), &values[row * in], in * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("rows without values become the bias") {
  const std::vector<float> bias = {1.5f, -2.0f};
  const float x = 0.0f;
  for (const std::size_t tokens : {std::size_t{1}, std::size_t{200}}) {
    std::vector<float> y(tokens * 2, NAN);
    project(Rows(&x, tokens, 0), {{{nullptr, Format::f32, 2, 0}, y.data(), 2, bias.data()}});
    for (std::size_t t = 0; t < tokens; ++t) {
      CHECK(y[2 * t] == 1.5f);
      CHECK(y[2 * t + 1] == -2.0f);
    }
  }
}

TEST_CASE("a gated projection is activation(gate) * up; rows packed by all, in parts or alone have the same bits") {
  constexpr std::size_t in = 701, out = 37, count = 150;
  const std::vector<float> gate = random_values(out * in, 1), up = random_values(out * in, 2);
  const std::vector<float> x = random_values(count * in, 3);
  const auto gated = [&](float* room, float* y) {
    return Projection{.weight = matrix(up, in),
                      .y = y,
                      .y_stride = out,
                      .gate = matrix(gate, in),
                      .gate_y = room,
                      .activation = Activation::gelu};
  };
  std::vector<float> room(count * out), whole(count * out), parts(count * out), alone(count * out);
  Arena arena(scratch_bytes<RowsScratch<ArenaMeter>>(count, in));
  const RowsScratch<Arena> scratch(arena, count, in);
  const Rows rows(x.data(), count, in, scratch);
  CHECK(rows.read_in_blocks());
  project(rows, {gated(room.data(), whole.data())});
  for (std::size_t i = 0; i < count; ++i) {
    project(Rows(x.data() + i * in, 1, in), {gated(room.data(), alone.data() + i * out)});
    for (std::size_t n = 0; n < out; n += 9) {
      double g = 0.0, u = 0.0;
      for (std::size_t k = 0; k < in; ++k) {
        g += static_cast<double>(gate[n * in + k]) * static_cast<double>(x[i * in + k]);
        u += static_cast<double>(up[n * in + k]) * static_cast<double>(x[i * in + k]);
      }
      const double expected = 0.5 * g * (1.0 + std::erf(g / std::sqrt(2.0))) * u;
      CHECK(std::fabs(static_cast<double>(alone[i * out + n]) - expected) < 2e-4);
    }
  }
  CHECK(whole == alone);
  for (const int threads : {1, 3}) {
    const ThreadCount scope(threads);
    parts.assign(count * out, NAN);
    Product products[3];
    const std::size_t cuts[] = {0, 1, 71, count};
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t at = cuts[i] * out;
      products[i] = {&rows, cuts[i], cuts[i + 1] - cuts[i], gated(room.data() + at, parts.data() + at)};
    }
    project(products);
    CHECK(parts == alone);
  }
}

TEST_CASE("gathered rows are the rows of the index, in its order") {
  const std::vector<float> x = random_values(5 * 3, 1);
  const std::uint32_t index[] = {4, 0, 4, 2};
  std::vector<float> room(4 * 3);
  const Rows gathered = Rows(x.data(), 5, 3).gather(index, room.data());
  CHECK(gathered.count() == 4);
  CHECK(gathered.width() == 3);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(std::equal(gathered.row(i), gathered.row(i) + 3, x.data() + index[i] * 3));
  }
}

TEST_CASE("a format that the program does not know, or more projections than fit, are errors") {
  const std::vector<float> w = random_values(6, 1), x = random_values(3, 2);
  float y[2];
  Projection projection{matrix(w, 3), y, 2};
  project(Rows(x.data(), 1, 3), std::vector<Projection>(8, projection));
  CHECK_THROWS_AS(project(Rows(x.data(), 1, 3), std::vector<Projection>(9, projection)), InputError);
  projection.weight.format = static_cast<Format>(99);
  CHECK_THROWS_AS(project(Rows(x.data(), 1, 3), {projection}), InputError);
}
