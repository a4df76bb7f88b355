// SPDX-License-Identifier: Apache-2.0
// Softmax attention over stored keys and values, for query rows that share them.
//
// One split of the context at a time: its keys are decoded to columns, its values to rows. Scores and outputs are then the same product,
// with one multiply-add for each key value (or each key) and no sum across lanes, whatever the head's size.
#include <qwen35/kernels/tile-inl.hpp>

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

// The next four or one vectors of: out[column] += sum over i < count of weight[column][i] * row i. One chain in the order of i.
template <std::size_t Columns, std::size_t Vectors>
HWY_NOINLINE void mix_vectors(const std::byte* rows, std::size_t stride_bytes, std::size_t count, const float* const* weight, float* const* out,
                              std::size_t at) {
  constexpr std::size_t second = Vectors > 1 ? lanes : 0;
  Tile tile = zero_tile();
  TileRow column = zero_row();
#define QWEN35_TILE_OUT(c) load(out[c] + at)
  QWEN35_TILE_COLUMNS(tile.r0, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
  if constexpr (Vectors > 1) {
#define QWEN35_TILE_OUT(c) load(out[c] + at + second)
    QWEN35_TILE_COLUMNS(tile.r1, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
#define QWEN35_TILE_OUT(c) load(out[c] + at + 2 * second)
    QWEN35_TILE_COLUMNS(tile.r2, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
#define QWEN35_TILE_OUT(c) load(out[c] + at + 3 * second)
    QWEN35_TILE_COLUMNS(tile.r3, QWEN35_TILE_OUT);
#undef QWEN35_TILE_OUT
  }
  const float* const weight0 = weight[0];
  const float* const weight1 = weight[Columns > 1 ? 1 : 0];
  const float* const weight2 = weight[Columns > 2 ? 2 : 0];
  const float* const weight3 = weight[Columns > 3 ? 3 : 0];
  const float* const weight4 = weight[Columns > 4 ? 4 : 0];
  const float* const weight5 = weight[Columns > 5 ? 5 : 0];
  const std::byte* row = rows + at * sizeof(float);
  for (std::size_t i = 0; i < count; ++i, row += stride_bytes) {
#define QWEN35_TILE_WEIGHT(c) broadcast(weight##c[i])
    QWEN35_TILE_COLUMNS(column, QWEN35_TILE_WEIGHT);
#undef QWEN35_TILE_WEIGHT
    multiply_add<Columns>(tile.r0, F32::load(row), column);
    if constexpr (Vectors > 1) {
      multiply_add<Columns>(tile.r1, F32::load(row + second * sizeof(float)), column);
      multiply_add<Columns>(tile.r2, F32::load(row + 2 * second * sizeof(float)), column);
      multiply_add<Columns>(tile.r3, F32::load(row + 3 * second * sizeof(float)), column);
    }
  }
#define QWEN35_TILE_PUT(index)                                      \
  if constexpr (Columns > index) {                                  \
    store(tile.r0.c##index, out[index] + at);                       \
    if constexpr (Vectors > 1) {                                    \
      store(tile.r1.c##index, out[index] + at + second);            \
      store(tile.r2.c##index, out[index] + at + 2 * second);        \
      store(tile.r3.c##index, out[index] + at + 3 * second);        \
    }                                                               \
  }
  QWEN35_TILE_PUT(0)
  QWEN35_TILE_PUT(1)
  QWEN35_TILE_PUT(2)
  QWEN35_TILE_PUT(3)
  QWEN35_TILE_PUT(4)
  QWEN35_TILE_PUT(5)
#undef QWEN35_TILE_PUT
}

template <std::size_t Columns>
HWY_INLINE void mix_tile(const std::byte* rows, std::size_t stride_bytes, std::size_t width, std::size_t count, const float* const* weight,
                         float* const* out) {
  std::size_t at = 0;
  for (; at + 4 * lanes <= width; at += 4 * lanes) {
    mix_vectors<Columns, 4>(rows, stride_bytes, count, weight, out, at);
  }
  for (; at < width; at += lanes) {
    mix_vectors<Columns, 1>(rows, stride_bytes, count, weight, out, at);
  }
}

// out[query] [width] += sum over i < count of weight[query][i] * row i of `rows` (f32, `stride_bytes` apart), width a multiple of `lanes`.
template <class Weight>
inline void mix_rows(const std::byte* rows, std::size_t stride_bytes, std::size_t width, std::size_t count, std::size_t queries,
                     const Weight& weight_of, float* out) {
  for (std::size_t query = 0; query < queries; query += tile_columns) {
    const std::size_t columns = queries - query < tile_columns ? queries - query : tile_columns;
    const float* weight[6];
    float* to[6];
    for (std::size_t c = 0; c < 6; ++c) {
      const std::size_t own = query + (c < columns ? c : columns - 1);  // a repeated query writes the same values again
      weight[c] = weight_of(own);
      to[c] = out + own * width;
    }
    const std::size_t packed = packed_columns(columns);
    if (packed == tile_columns) {
      mix_tile<tile_columns>(rows, stride_bytes, width, count, weight, to);
    } else if (packed == 1) {
      mix_tile<1>(rows, stride_bytes, width, count, weight, to);
    } else {
      mix_tile<tile_columns == 6 ? 3 : 1>(rows, stride_bytes, width, count, weight, to);
    }
  }
}

// Values `d` on of four keys, one vector each, as columns: to[(d + i) * attention_split + key].
HWY_INLINE void put_columns(Vec a, Vec b, Vec c, Vec e, std::size_t values, float* to) {
  HWY_ALIGN float block[4 * lanes];
#if HWY_TARGET == HWY_SCALAR
  block[0] = hn::GetLane(a);
  block[1] = hn::GetLane(b);
  block[2] = hn::GetLane(c);
  block[3] = hn::GetLane(e);
#else
  const Tag tag;
  const hn::Repartition<double, Tag> pair;
  const auto ab_low = hn::BitCast(pair, hn::InterleaveLower(tag, a, b));
  const auto ab_high = hn::BitCast(pair, hn::InterleaveUpper(tag, a, b));
  const auto ce_low = hn::BitCast(pair, hn::InterleaveLower(tag, c, e));
  const auto ce_high = hn::BitCast(pair, hn::InterleaveUpper(tag, c, e));
  hn::Store(hn::BitCast(tag, hn::InterleaveLower(pair, ab_low, ce_low)), tag, block);  // values 0, 4, 8, ...
  hn::Store(hn::BitCast(tag, hn::InterleaveUpper(pair, ab_low, ce_low)), tag, block + lanes);
  hn::Store(hn::BitCast(tag, hn::InterleaveLower(pair, ab_high, ce_high)), tag, block + 2 * lanes);
  hn::Store(hn::BitCast(tag, hn::InterleaveUpper(pair, ab_high, ce_high)), tag, block + 3 * lanes);
#endif
  for (std::size_t i = 0; i < values; ++i) {
    std::memcpy(to + i * attention_split, block + (i % 4 * (lanes < 4 ? 1 : lanes / 4) + i / 4) * 4, 4 * sizeof(float));
  }
}

template <class Format>
inline void decode_columns(const std::byte* keys, std::size_t stride_bytes, std::size_t count, std::size_t head_dim, float* to) {
  for (std::size_t key = 0; key < count; key += 4) {
    // Beyond the last key the last one is written again, if there is a place: those columns are hidden or rewritten.
    const std::byte* from[4];
    for (std::size_t r = 0; r < 4; ++r) {
      from[r] = keys + (key + r < count ? key + r : count - 1) * stride_bytes;
    }
    for (std::size_t d = 0; d < head_dim; d += lanes) {
      const std::size_t values = head_dim - d < lanes ? head_dim - d : lanes;
      const std::size_t at = d * Format::bytes;
      if (values == lanes) {
        put_columns(Format::load(from[0] + at), Format::load(from[1] + at), Format::load(from[2] + at), Format::load(from[3] + at), values,
                    to + d * attention_split + key);
      } else {
        put_columns(load_first<Format>(from[0] + at, values), load_first<Format>(from[1] + at, values), load_first<Format>(from[2] + at, values),
                    load_first<Format>(from[3] + at, values), values, to + d * attention_split + key);
      }
    }
  }
}

inline void decode_keys(DType dtype, const std::byte* keys, std::size_t stride_bytes, std::size_t count, std::size_t head_dim, float* to) {
  switch (dtype) {
    case DType::f32: decode_columns<F32>(keys, stride_bytes, count, head_dim, to); return;
    case DType::f16: decode_columns<F16>(keys, stride_bytes, count, head_dim, to); return;
    case DType::bf16: decode_columns<BF16>(keys, stride_bytes, count, head_dim, to); return;
  }
}

inline void decode_values(DType dtype, const std::byte* values, std::size_t stride_bytes, std::size_t count, std::size_t head_dim,
                          std::size_t width, float* to) {
  for (std::size_t r = 0; r < count; ++r) {
    pack_row(dtype, values + r * stride_bytes, head_dim, 1, to + r * width);
    for (std::size_t d = (head_dim + lanes - 1) / lanes * lanes; d < width; ++d) {
      to[r * width + d] = 0.0f;
    }
  }
}

// Products q k of one query over one split become weights e^(score - maximum); hidden keys weigh 0. Returns what earlier sums shrink by.
// Place p < count of the split holds key first + p. A key keeps its place whatever keys other queries see, and so the order of sums.
inline float weigh_keys(const AttentionTask& task, std::size_t query, std::size_t origin, std::size_t from, std::size_t to, float* scores,
                        float& maximum, float& sum) {
  constexpr float nothing = -std::numeric_limits<float>::infinity();
  const std::size_t begin = task.key_begin[query];
  const std::size_t end = task.key_end[query];
  const float* const bias = task.bias == nullptr ? nullptr : task.bias[query];
  const bool all = from == 0 && to == attention_split && begin <= origin && end >= origin + attention_split && bias == nullptr &&
                   task.key_valid == nullptr;
  HWY_ALIGN float added[attention_split];
  for (std::size_t place = 0; place < attention_split && !all; ++place) {
    const std::size_t key = origin + place;  // may wrap around below 0, where no place is
    const bool visible = place >= from && place < to && key >= begin && key < end && (task.key_valid == nullptr || task.key_valid[key] != 0);
    added[place] = !visible ? nothing : bias == nullptr ? 0.0f : bias[key];
  }
  const Vec factor = broadcast(task.scale);
  Vec largest = broadcast(maximum);
  for (std::size_t place = 0; place < attention_split; place += lanes) {
    Vec score = load(scores + place);
    if (all) {
      score = hn::Mul(score, factor);
    } else {
      const Vec more = load(added + place);
      score = hn::IfThenElse(hn::Eq(more, broadcast(nothing)), more, hn::MulAdd(score, factor, more));
    }
    store(score, scores + place);
    largest = hn::Max(largest, score);
  }
  HWY_ALIGN float each[lanes];
  store(largest, each);
  float now = maximum;
  for (const float value : each) {
    now = value > now ? value : now;
  }
  const float zero_point = now == nothing ? 0.0f : now;
  Vec total = zero();
  for (std::size_t place = 0; place < attention_split; place += lanes) {
    const Vec weight = exp(hn::Sub(load(scores + place), broadcast(zero_point)));
    store(weight, scores + place);
    total = hn::Add(total, weight);
  }
  const float shrink = hn::GetLane(exp(broadcast(maximum - zero_point)));
  maximum = now;
  sum = sum * shrink + sum_lanes(total);
  return shrink;
}

HWY_INLINE void scale_row(float* row, std::size_t width, float factor) {
  // Adding 0 makes -0, which an underflow can leave, and 0 the same: a hidden key's product with 0 would do so too.
  for (std::size_t d = 0; d < width; d += lanes) {
    store(hn::MulAdd(load(row + d), broadcast(factor), zero()), row + d);
  }
}

inline void attention(const AttentionTask& task) {
  const std::size_t queries = task.queries;
  const std::size_t width = attention_width(task.head_dim);
  const std::size_t misplaced = reinterpret_cast<std::uintptr_t>(task.scratch) / sizeof(float) % 16;
  float* const sums = task.scratch + (16 - misplaced) % 16;  // [queries, width]
  float* const rows = sums + queries * width;                // columns of keys [head_dim, attention_split], rows of values [attention_split, width]
  float* const scores = rows + attention_split * width;      // [queries, attention_split]
  float* const maximum = scores + queries * attention_split;
  float* const total = maximum + queries;
  std::size_t first = std::numeric_limits<std::size_t>::max();
  std::size_t end = 0;
  std::memset(sums, 0, queries * width * sizeof(float));
  for (std::size_t query = 0; query < queries; ++query) {
    maximum[query] = -std::numeric_limits<float>::infinity();
    total[query] = 0.0f;
    if (task.key_begin[query] < task.key_end[query]) {
      first = task.key_begin[query] < first ? task.key_begin[query] : first;
      end = task.key_end[query] > end ? task.key_end[query] : end;
    }
  }
  const bool direct = task.dtype == DType::f32 && width == task.head_dim;  // values can be read where they are
  const std::size_t phase = task.split_origin % attention_split;
  while (first < end) {
    // Cuts lie at multiples of attention_split from the origin, on either side of it; the first split may begin in its middle.
    const std::size_t place = (first % attention_split + attention_split - phase) % attention_split;
    const std::size_t keys = end - first < attention_split - place ? end - first : attention_split - place;
    if (keys < attention_split) {
      std::memset(rows, 0, attention_split * width * sizeof(float));  // places without a key
    }
    decode_keys(task.dtype, task.k + first * task.k_stride_bytes, task.k_stride_bytes, keys, task.head_dim, rows + place);
    std::memset(scores, 0, queries * attention_split * sizeof(float));
    mix_rows(reinterpret_cast<const std::byte*>(rows), attention_split * sizeof(float), attention_split, task.head_dim, queries,
             [&task](std::size_t query) { return task.q[query]; }, scores);
    for (std::size_t query = 0; query < queries; ++query) {
      const float shrink = weigh_keys(task, query, first - place, place, place + keys, scores + query * attention_split, maximum[query], total[query]);
      if (shrink != 1.0f) {
        scale_row(sums + query * width, width, shrink);
      }
    }
    const std::byte* values = task.v + first * task.v_stride_bytes;
    std::size_t stride = task.v_stride_bytes;
    if (!direct) {
      decode_values(task.dtype, values, stride, keys, task.head_dim, width, rows);
      values = reinterpret_cast<const std::byte*>(rows);
      stride = width * sizeof(float);
    }
    mix_rows(values, stride, width, keys, queries, [scores, place](std::size_t query) { return scores + query * attention_split + place; }, sums);
    first += keys;
  }
  for (std::size_t query = 0; query < queries; ++query) {
    scale_row(sums + query * width, width, total[query] == 0.0f ? 0.0f : 1.0f / total[query]);
    std::memcpy(task.out[query], sums + query * width, task.head_dim * sizeof(float));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
