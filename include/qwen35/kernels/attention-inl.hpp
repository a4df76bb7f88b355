// SPDX-License-Identifier: Apache-2.0
// Softmax attention over stored keys and values, for query rows that share them.
#include <qwen35/kernels/matmul-inl.hpp>

#include <limits>

#if defined(QWEN35_KERNELS_ATTENTION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef QWEN35_KERNELS_ATTENTION_INL_HPP
#undef QWEN35_KERNELS_ATTENTION_INL_HPP
#else
#define QWEN35_KERNELS_ATTENTION_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
QWEN35_BEGIN_NAMESPACE
namespace kernels {
namespace HWY_NAMESPACE {

inline void decode_heads(DType dtype, const std::byte* rows, std::size_t stride_bytes, std::size_t count, std::size_t head_dim, std::size_t width,
                         float* to) {
  for (std::size_t r = 0; r < count; ++r) {
    pack_row(dtype, rows + r * stride_bytes, head_dim, 1, to + r * width);
    for (std::size_t d = (head_dim + lanes - 1) / lanes * lanes; d < width; ++d) {
      to[r * width + d] = 0.0f;
    }
  }
}

// Query rows as packed tiles, one after the other; the last one is filled up by its last query.
inline void pack_queries(const AttentionTask& task, std::size_t vectors, float* to) {
  for (std::size_t query = 0; query < task.queries; query += tile_columns) {
    const std::size_t columns = task.queries - query < tile_columns ? task.queries - query : tile_columns;
    const std::size_t packed = packed_columns(columns);
    for (std::size_t c = 0; c < packed; ++c) {
      const float* const from = task.q[query + (c < columns ? c : columns - 1)];
      pack_as<F32>(reinterpret_cast<const std::byte*>(from), task.head_dim, packed, to + (query * vectors + c) * lanes);
    }
  }
}

// Scores of up to four keys, packed: s[query * attention_split + key].
inline void score_keys(const float* key, std::size_t keys, const float* q, std::size_t queries, std::size_t vectors, float* scores) {
  for (std::size_t query = 0; query < queries; query += tile_columns) {
    const std::size_t columns = queries - query < tile_columns ? queries - query : tile_columns;
    float sums[4 * tile_columns];
    dot_packed(key, q + query * vectors * lanes, columns, vectors, sums);
    for (std::size_t c = 0; c < columns; ++c) {
      put_sums(sums + c * 4, keys, true, scores + (query + c) * attention_split);
    }
  }
}

// Scores of one query over one split become weights e^(score - maximum); hidden keys weigh 0. Returns what earlier sums shrink by.
// The split's places [from, to) hold keys `first` and on; a key keeps its place whatever keys other queries see, and so the order of sums.
inline float weigh_keys(const AttentionTask& task, std::size_t query, std::size_t first, std::size_t from, std::size_t to, float* scores,
                        float& maximum, float& sum) {
  constexpr float nothing = -std::numeric_limits<float>::infinity();
  const std::size_t begin = task.key_begin[query];
  const std::size_t end = task.key_end[query];
  const float* const bias = task.bias == nullptr ? nullptr : task.bias[query];
  float largest = maximum;
  for (std::size_t place = 0; place < attention_split; ++place) {
    const std::size_t key = first + place - from;
    const bool visible = place >= from && place < to && key >= begin && key < end && (task.key_valid == nullptr || task.key_valid[key] != 0);
    scores[place] = visible ? scores[place] * task.scale + (bias != nullptr ? bias[key] : 0.0f) : nothing;
    largest = scores[place] > largest ? scores[place] : largest;
  }
  const float origin = largest == nothing ? 0.0f : largest;
  Vec total = zero();
  for (std::size_t j = 0; j < attention_split; j += lanes) {
    const Vec weight = exp(hn::Sub(load(scores + j), broadcast(origin)));
    store(weight, scores + j);
    total = hn::Add(total, weight);
  }
  const float shrink = hn::GetLane(exp(broadcast(maximum - origin)));
  maximum = largest;
  sum = sum * shrink + sum_lanes(total);
  return shrink;
}

// out[column][d..] = shrink[column] * out + sum over keys of weight * v[key][d..], for `Vectors` vectors of d. Keys in order, one chain.
template <std::size_t Columns>
HWY_NOINLINE void mix_values(const std::byte* v, std::size_t v_stride_bytes, std::size_t width, std::size_t keys, const float* const* weight,
                             float* const* out) {
  for (std::size_t d = 0; d < width; d += 4 * lanes) {
    const std::size_t left = (width - d) / lanes;
    const std::size_t d1 = left > 1 ? lanes : 0;  // a short last step computes its first vector again instead
    const std::size_t d2 = left > 2 ? 2 * lanes : 0;
    const std::size_t d3 = left > 3 ? 3 * lanes : 0;
    TileRow row0 = zero_row(), row1 = zero_row(), row2 = zero_row(), row3 = zero_row(), column = zero_row();
#define QWEN35_TILE_OUT0(i) load(out[i] + d)
#define QWEN35_TILE_OUT1(i) load(out[i] + d + d1)
#define QWEN35_TILE_OUT2(i) load(out[i] + d + d2)
#define QWEN35_TILE_OUT3(i) load(out[i] + d + d3)
    QWEN35_TILE_COLUMNS(row0, QWEN35_TILE_OUT0);
    QWEN35_TILE_COLUMNS(row1, QWEN35_TILE_OUT1);
    QWEN35_TILE_COLUMNS(row2, QWEN35_TILE_OUT2);
    QWEN35_TILE_COLUMNS(row3, QWEN35_TILE_OUT3);
#undef QWEN35_TILE_OUT0
#undef QWEN35_TILE_OUT1
#undef QWEN35_TILE_OUT2
#undef QWEN35_TILE_OUT3
    const std::byte* from = v + d * sizeof(float);
    for (std::size_t j = 0; j < keys; ++j, from += v_stride_bytes) {
#define QWEN35_TILE_WEIGHT(i) broadcast(weight[i][j])
      QWEN35_TILE_COLUMNS(column, QWEN35_TILE_WEIGHT);
#undef QWEN35_TILE_WEIGHT
      multiply_add<Columns>(row0, F32::load(from), column);
      multiply_add<Columns>(row1, F32::load(from + d1 * sizeof(float)), column);
      multiply_add<Columns>(row2, F32::load(from + d2 * sizeof(float)), column);
      multiply_add<Columns>(row3, F32::load(from + d3 * sizeof(float)), column);
    }
    const auto put = [out, d, d1, d2, d3](std::size_t i, Vec a, Vec b, Vec c, Vec e) HWY_ATTR {
      store(e, out[i] + d + d3);
      store(c, out[i] + d + d2);
      store(b, out[i] + d + d1);
      store(a, out[i] + d);
    };
    put(0, row0.c0, row1.c0, row2.c0, row3.c0);
    if constexpr (Columns > 1) {
      put(1, row0.c1, row1.c1, row2.c1, row3.c1);
      put(2, row0.c2, row1.c2, row2.c2, row3.c2);
    }
    if constexpr (Columns > 3) {
      put(3, row0.c3, row1.c3, row2.c3, row3.c3);
      put(4, row0.c4, row1.c4, row2.c4, row3.c4);
      put(5, row0.c5, row1.c5, row2.c5, row3.c5);
    }
  }
}

// As above for all queries.
inline void add_values(const std::byte* v, std::size_t v_stride_bytes, std::size_t width, std::size_t keys, const float* weights, std::size_t queries,
                       float* out) {
  for (std::size_t query = 0; query < queries; query += tile_columns) {
    const std::size_t columns = queries - query < tile_columns ? queries - query : tile_columns;
    const float* weight[6];
    float* to[6];
    for (std::size_t c = 0; c < 6; ++c) {
      const std::size_t own = query + (c < columns ? c : columns - 1);  // a repeated query writes the same values again
      weight[c] = weights + own * attention_split;
      to[c] = out + own * width;
    }
    const std::size_t packed = packed_columns(columns);
    if (packed == tile_columns) {
      mix_values<tile_columns>(v, v_stride_bytes, width, keys, weight, to);
    } else if (packed == 1) {
      mix_values<1>(v, v_stride_bytes, width, keys, weight, to);
    } else {
      mix_values<tile_columns == 6 ? 3 : 1>(v, v_stride_bytes, width, keys, weight, to);
    }
  }
}

inline void attention(const AttentionTask& task) {
  const std::size_t queries = task.queries;
  const std::size_t width = attention_width(task.head_dim);
  const std::size_t vectors = (task.head_dim + lanes - 1) / lanes;
  const std::size_t misplaced = reinterpret_cast<std::uintptr_t>(task.scratch) / sizeof(float) % 16;
  float* const q = task.scratch + (16 - misplaced) % 16;   // [queries rounded up to tiles, width], packed
  float* const sums = q + (queries + 5) * width;           // [queries, width]
  float* const rows = sums + queries * width;              // [attention_split, width]
  float* const scores = rows + attention_split * width;    // [queries, attention_split]
  float* const maximum = scores + queries * attention_split;
  float* const total = maximum + queries;
  pack_queries(task, vectors, q);
  std::size_t begin = std::numeric_limits<std::size_t>::max();
  std::size_t end = 0;
  std::memset(sums, 0, queries * width * sizeof(float));
  for (std::size_t query = 0; query < queries; ++query) {
    maximum[query] = -std::numeric_limits<float>::infinity();
    total[query] = 0.0f;
    if (task.key_begin[query] < task.key_end[query]) {
      begin = task.key_begin[query] < begin ? task.key_begin[query] : begin;
      end = task.key_end[query] > end ? task.key_end[query] : end;
    }
  }
  const bool direct = task.dtype == DType::f32 && width == task.head_dim;  // rows can be read where they are
  const std::size_t phase = task.split_origin % attention_split;
  for (std::size_t first = begin; first < end;) {
    // Cuts lie at multiples of attention_split from the origin, on either side of it; the first split may begin in its middle.
    const std::size_t place = (first % attention_split + attention_split - phase) % attention_split;
    const std::size_t keys = end - first < attention_split - place ? end - first : attention_split - place;
    for (std::size_t j = 0; j < keys; j += 4) {
      const std::size_t count = keys - j < 4 ? keys - j : 4;
      for (std::size_t r = 0; r < 4; ++r) {
        const std::byte* const from = task.k + (first + j + (r < count ? r : count - 1)) * task.k_stride_bytes;
        pack_row(task.dtype, from, task.head_dim, 4, rows + r * lanes);
      }
      score_keys(rows, count, q, queries, vectors, scores + place + j);
    }
    for (std::size_t query = 0; query < queries; ++query) {
      const float shrink =
          weigh_keys(task, query, first, place, place + keys, scores + query * attention_split, maximum[query], total[query]);
      if (shrink != 1.0f) {
        for (std::size_t d = 0; d < width; d += lanes) {
          float* const at = sums + query * width + d;
          store(hn::Mul(load(at), broadcast(shrink)), at);
        }
      }
    }
    const std::byte* source = task.v + first * task.v_stride_bytes;
    std::size_t stride = task.v_stride_bytes;
    if (!direct) {
      decode_heads(task.dtype, source, stride, keys, task.head_dim, width, rows);
      source = reinterpret_cast<const std::byte*>(rows);
      stride = width * sizeof(float);
    }
    add_values(source, stride, width, keys, scores + place, queries, sums);
    first += keys;
  }
  for (std::size_t query = 0; query < queries; ++query) {
    // A query that saw no key has sum 0. Adding 0 makes -0 (left by an underflow) and 0 the same.
    const float scale = total[query] == 0.0f ? 0.0f : 1.0f / total[query];
    for (std::size_t d = 0; d < width; d += lanes) {
      float* const at = sums + query * width + d;
      store(hn::MulAdd(load(at), broadcast(scale), zero()), at);
    }
    std::memcpy(task.out[query], sums + query * width, task.head_dim * sizeof(float));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
