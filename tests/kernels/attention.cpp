// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

#include <limits>

using namespace qwen35;
using namespace kernel_test;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

struct Problem {
  std::size_t queries, head_dim, keys;
  DType dtype;
  std::vector<float> q;
  Stored k, v;
  std::vector<std::size_t> begin, end;
  std::vector<std::uint8_t> valid;
  std::vector<float> bias;  // [queries, keys]
  std::size_t origin = 0;
  bool paged = false;
  std::size_t spans_at_once = 0;  // 0: all of them in one task
  float scale;

  Problem(DType format, std::size_t rows, std::size_t dim, std::size_t length, unsigned seed = 1,
          std::size_t offset = 0)
      : queries(rows),
        head_dim(dim),
        keys(length),
        dtype(format),
        q(random_values(rows * dim, seed, 2.0f)),
        k(format, random_values(length * dim, seed + 1), offset),
        v(format, random_values(length * dim, seed + 2), offset),
        begin(rows, 0),
        end(rows, length),
        scale(1.0f / std::sqrt(static_cast<float>(dim))) {}

  // Queries [first, first + count) in one task.
  std::vector<float> run(std::size_t first, std::size_t count) const {
    std::vector<float> out(count * head_dim, NAN);
    std::vector<const float*> q_rows, bias_rows;
    std::vector<float*> out_rows;
    for (std::size_t i = 0; i < count; ++i) {
      q_rows.push_back(q.data() + (first + i) * head_dim);
      out_rows.push_back(out.data() + i * head_dim);
      bias_rows.push_back(bias.empty() ? nullptr : bias.data() + (first + i) * keys);
    }
    std::vector<float> scratch(kernels::attention_scratch(count, head_dim), NAN);
    kernels::AttentionTask task;
    task.q = q_rows.data();
    task.out = out_rows.data();
    task.key_begin = begin.data() + first;
    task.key_end = end.data() + first;
    task.queries = count;
    task.head_dim = head_dim;
    task.k = k.data();
    task.v = v.data();
    task.format = dtype;
    task.k_stride_bytes = task.v_stride_bytes = row_bytes(dtype, head_dim);
    task.split_origin = origin;
    task.key_valid = valid.empty() ? nullptr : valid.data();
    task.bias = bias.empty() ? nullptr : bias_rows.data();
    task.scale = scale;
    task.scratch = scratch.data();
    std::vector<std::vector<std::byte>> pages;
    std::vector<const std::byte*> starts;
    if (paged) {
      // Each page apart from the next: its values, 3 bytes of something else, its keys.
      const std::size_t row = row_bytes(dtype, head_dim), half = kernels::attention_split * row;
      for (std::size_t key = 0; key < keys; key += kernels::attention_split) {
        const std::size_t used = std::min(kernels::attention_split, keys - key) * row;
        pages.emplace_back(2 * half + 3, std::byte{0xff});
        std::memcpy(pages.back().data(), v.data() + key * row, used);
        std::memcpy(pages.back().data() + half + 3, k.data() + key * row, used);
      }
      for (const std::vector<std::byte>& page : pages) {
        starts.push_back(page.data());
      }
      task.k = task.v = nullptr;
      task.pages = starts.data();
      task.k_offset = half + 3;
    }
    if (spans_at_once == 0) {
      kernels::attention(task);
      return out;
    }
    // Span by span, so many sums put together at a time.
    const std::size_t step = kernels::attention_span, cuts = (keys - origin + step - 1) / step;
    std::vector<float> sums(spans_at_once * count * kernels::attention_sums(head_dim), NAN), state(2 * count, NAN);
    for (std::size_t done = 0; done < cuts; done += spans_at_once) {
      const std::size_t now = std::min(spans_at_once, cuts - done);
      for (std::size_t i = 0; i < now; ++i) {
        const std::size_t from = origin + (done + i) * step, to = std::min(from + step, keys);
        std::vector<std::size_t> own_begin, own_end;
        for (std::size_t row = first; row < first + count; ++row) {
          own_begin.push_back(std::max(begin[row], from));
          own_end.push_back(std::min(end[row], to));
        }
        task.key_begin = own_begin.data();
        task.key_end = own_end.data();
        task.sums = sums.data() + i * count * kernels::attention_sums(head_dim);
        kernels::attention(task);
      }
      kernels::merge_attention({.sums = sums.data(),
                                .out = out_rows.data(),
                                .state = state.data(),
                                .spans = now,
                                .queries = count,
                                .head_dim = head_dim,
                                .first = done == 0,
                                .last = done + now == cuts});
    }
    return out;
  }
  std::vector<float> run() const { return run(0, queries); }

  std::vector<double> truth() const {
    std::vector<double> out(queries * head_dim, 0.0);
    for (std::size_t i = 0; i < queries; ++i) {
      std::vector<double> weight(keys, 0.0);
      double largest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int pass = 0; pass < 2; ++pass) {
        for (std::size_t j = begin[i]; j < end[i]; ++j) {
          if (!valid.empty() && valid[j] == 0) {
            continue;
          }
          double score = 0;
          for (std::size_t d = 0; d < head_dim; ++d) {
            score += static_cast<double>(q[i * head_dim + d]) * static_cast<double>(k.values[j * head_dim + d]);
          }
          score = score * static_cast<double>(scale) + (bias.empty() ? 0.0 : static_cast<double>(bias[i * keys + j]));
          if (pass == 0) {
            largest = std::max(largest, score);
          } else {
            weight[j] = largest == -std::numeric_limits<double>::infinity() ? 0.0 : std::exp(score - largest);
            sum += weight[j];
          }
        }
      }
      for (std::size_t j = 0; j < keys && sum > 0; ++j) {
        for (std::size_t d = 0; d < head_dim; ++d) {
          out[i * head_dim + d] += weight[j] / sum * static_cast<double>(v.values[j * head_dim + d]);
        }
      }
    }
    return out;
  }
};

}  // namespace

TEST_CASE("attention over keys and values in blocks") {
  for_each_isa([] {
    for (const std::size_t head_dim : {32u, 64u, 96u, 256u}) {
      for (const std::size_t keys : {1u, 65u, 200u}) {
        const Problem problem(DType::q8_0, 7, head_dim, keys, 1, keys % 2);
        CAPTURE(head_dim);
        CAPTURE(keys);
        CHECK(distance(problem.run(), problem.truth()) < 2e-6);
        const std::vector<float> all = problem.run();
        for (std::size_t query = 0; query < 7; ++query) {
          const std::vector<float> own(all.begin() + static_cast<std::ptrdiff_t>(query * head_dim),
                                       all.begin() + static_cast<std::ptrdiff_t>((query + 1) * head_dim));
          CHECK(problem.run(query, 1) == own);
        }
      }
    }
  });
}

TEST_CASE("attention agrees with double precision on odd sizes") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const std::size_t head_dim : {1u, 6u, 16u, 72u, 80u, 100u, 256u, 600u}) {
        for (const std::size_t keys : {1u, 5u, 64u, 65u, 200u}) {
          for (const std::size_t queries : {1u, 2u, 7u}) {
            const Problem problem(dtype, queries, head_dim, keys, 1, queries % 2);
            CAPTURE(head_dim);
            CAPTURE(keys);
            CAPTURE(queries);
            CHECK(distance(problem.run(), problem.truth()) < 2e-6);
          }
        }
      }
    }
  });
}

TEST_CASE("attention: ranges, hidden keys, additive masks and split origins") {
  for_each_isa([] {
    for (const std::size_t origin : {0u, 1u, 63u, 64u, 150u, 1000u}) {
      Problem problem(DType::bf16, 9, 40, 230, 7);
      problem.origin = origin;
      for (std::size_t i = 0; i < 9; ++i) {
        problem.begin[i] = i * 11;
        problem.end[i] = 60 + i * 21;
      }
      CHECK(distance(problem.run(), problem.truth()) < 2e-6);
      problem.valid.assign(230, 1);
      for (std::size_t j = 0; j < 230; j += 3) {
        problem.valid[j] = 0;
      }
      CHECK(distance(problem.run(), problem.truth()) < 2e-6);
      problem.bias = random_values(9 * 230, 8, 3.0f);
      for (std::size_t j = 0; j < problem.bias.size(); j += 5) {
        problem.bias[j] = j % 2 == 0 ? -inf : std::numeric_limits<float>::lowest();
      }
      CHECK(distance(problem.run(), problem.truth()) < 2e-6);
    }
  });
}

TEST_CASE("attention: a query that sees no key gets 0") {
  for_each_isa([] {
    Problem problem(DType::f32, 4, 24, 100, 3);
    problem.end[0] = 0;                      // an empty range
    problem.begin[1] = problem.end[1] = 50;  // another
    problem.bias.assign(4 * 100, 0.0f);
    for (std::size_t j = 0; j < 100; ++j) {
      problem.bias[2 * 100 + j] = -inf;  // all forbidden
    }
    const std::vector<float> out = problem.run();
    for (std::size_t i = 0; i < 3 * 24; ++i) {
      CHECK(out[i] == 0.0f);
      CHECK(!std::signbit(out[i]));
    }
    CHECK(distance(out, problem.truth()) < 2e-6);
    problem.valid.assign(100, 0);
    for (const float value : problem.run()) {
      CHECK(value == 0.0f);
    }
    const std::vector<float> alone = problem.run(0, 1);
    CHECK(alone == std::vector<float>(24, 0.0f));
    CHECK(problem.run(0, 0).empty());
  });
}

TEST_CASE("attention: a query's bits do not depend on the queries it shares a task with") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const std::size_t head_dim : {20u, 64u, 72u}) {
        Problem problem(dtype, 17, head_dim, 300, 5);
        problem.origin = 10;
        problem.valid.assign(300, 1);
        problem.valid[20] = problem.valid[130] = 0;
        for (std::size_t i = 0; i < 17; ++i) {
          problem.begin[i] = i % 4 == 0 ? 10 : i * 5;
          problem.end[i] = 284 + i;
          for (std::size_t d = 0; d < head_dim && i % 5 == 0; ++d) {
            problem.q[i * head_dim + d] *= 300.0f;  // weights that underflow
          }
        }
        const std::vector<float> together = problem.run();
        for (const std::size_t count : {1u, 2u, 3u, 5u, 6u, 11u}) {
          for (std::size_t first = 0; first + count <= 17; first += 3) {
            const std::vector<float> part = problem.run(first, count);
            CHECK(std::memcmp(part.data(), together.data() + first * head_dim, part.size() * sizeof(float)) == 0);
          }
        }
      }
    }
  });
}

TEST_CASE("attention: keys in pages give the bits of keys in one piece, wherever the splits begin") {
  for_each_isa([] {
    for (const DType dtype : formats) {
      for (const std::size_t head_dim : {20u, 32u, 256u}) {
        for (const std::size_t keys : {1u, 63u, 64u, 65u, 200u}) {
          for (const std::size_t origin : {0u, 1u, 30u, 63u, 100u}) {
            Problem problem(dtype, 5, head_dim, keys, 12);
            problem.origin = origin;
            for (std::size_t i = 0; i < 5; ++i) {
              problem.begin[i] = std::min(origin, keys - 1);
              problem.end[i] = keys - std::min(i, keys - 1);
            }
            const std::vector<float> expected = problem.run();
            problem.paged = true;
            CAPTURE(head_dim);
            CAPTURE(keys);
            CAPTURE(origin);
            CHECK(same_bits(problem.run(), expected));
          }
        }
      }
    }
  });
}

TEST_CASE("attention: few queries, which read keys and values where they are, get the bits that many get") {
  for_each_isa([] {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      for (const std::size_t head_dim : {20u, 64u, 72u, 256u, 288u}) {
        Problem problem(dtype, 60, head_dim, 200, 15);
        problem.origin = 5;
        for (const bool paged : {false, true}) {
          problem.paged = paged;
          const std::vector<float> expected = problem.run();
          CHECK(distance(expected, problem.truth()) < 2e-6);
          for (const std::size_t count : {1u, 2u, 4u, 6u, 8u, 13u, 48u}) {
            CHECK(same_bits(problem.run(3, count),
                            {expected.begin() + static_cast<std::ptrdiff_t>(3 * head_dim),
                             expected.begin() + static_cast<std::ptrdiff_t>((3 + count) * head_dim)}));
          }
        }
      }
    }
  });
}

TEST_CASE("attention: the spans of a long context one by one give the bits of one task") {
  for_each_isa([] {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      for (const std::size_t head_dim : {20u, 64u}) {
        Problem problem(dtype, 3, head_dim, 3 * kernels::attention_span + 100, 14);
        problem.origin = 37;
        problem.begin.assign(3, 37);
        problem.end[1] = kernels::attention_span + 37;  // exactly one span
        problem.valid.assign(problem.keys, 1);
        std::fill_n(problem.valid.begin() + 37, kernels::attention_span, std::uint8_t{0});  // query 1 sees none
        problem.valid[2000] = 0;
        for (std::size_t d = 0; d < head_dim; ++d) {
          problem.q[2 * head_dim + d] *= 300.0f;  // spans whose weights underflow
        }
        CHECK(distance(problem.run(), problem.truth()) < 2e-6);
        for (const bool paged : {false, true}) {
          problem.paged = paged;
          problem.spans_at_once = 0;
          const std::vector<float> expected = problem.run();
          for (std::size_t at_once = 1; at_once <= 4; ++at_once) {
            problem.spans_at_once = at_once;
            CHECK(same_bits(problem.run(), expected));
            CHECK(same_bits(problem.run(2, 1),
                            {expected.begin() + static_cast<std::ptrdiff_t>(2 * head_dim), expected.end()}));
          }
          problem.spans_at_once = 0;
        }
      }
    }
  });
}

TEST_CASE("attention: a padded sequence counted from its first key equals the unpadded one") {
  for_each_isa([] {
    const std::size_t head_dim = 32, keys = 190;
    Problem plain(DType::f16, 5, head_dim, keys, 9);
    const std::vector<float> expected = plain.run();
    for (const std::size_t pads : {1u, 30u, 64u, 77u}) {
      Problem padded(DType::f16, 5, head_dim, keys + pads, 10);
      padded.q = plain.q;
      std::memcpy(padded.k.bytes.data() + row_bytes(DType::f16, pads * head_dim), plain.k.data(),
                  row_bytes(DType::f16, keys * head_dim));
      std::memcpy(padded.v.bytes.data() + row_bytes(DType::f16, pads * head_dim), plain.v.data(),
                  row_bytes(DType::f16, keys * head_dim));
      padded.begin.assign(5, pads);
      padded.origin = pads;
      CHECK(same_bits(padded.run(), expected));
      padded.begin.assign(5, 0);  // the pads hidden one by one
      padded.valid.assign(keys + pads, 1);
      std::fill_n(padded.valid.begin(), pads, std::uint8_t{0});
      CHECK(same_bits(padded.run(), expected));
    }
  });
}

TEST_CASE("attention: large scores do not overflow") {
  for_each_isa([] {
    Problem problem(DType::f32, 3, 16, 130, 11);
    problem.scale = 1.0e4f;
    CHECK(distance(problem.run(), problem.truth()) < 1e-3);
    problem.bias.assign(3 * 130, std::numeric_limits<float>::lowest());  // uniform: the mean of the values
    problem.scale = 0.0f;
    CHECK(distance(problem.run(), problem.truth()) < 2e-6);
  });
}
