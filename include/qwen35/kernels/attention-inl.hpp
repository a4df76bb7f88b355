// SPDX-License-Identifier: Apache-2.0
// Softmax attention over stored keys and values, for query rows that share them.
//
// One split of the context at a time, and of it a piece of the head at a time: keys are decoded to columns, values to
// rows. Scores and outputs are then the same product, with one multiply-add for each key value (or each key) and no sum
// across lanes, whatever the head's size.
#include <qwen35/kernels/merge_attention-inl.hpp>
#include <qwen35/kernels/stored_sums-inl.hpp>
#include <qwen35/kernels/weighted_sum-inl.hpp>

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

// The keys of one split: key `first` stands at place `from`, and so on up to place `to`. A key keeps its place whatever
// keys the other queries see, and so the order of sums.
struct Split {
  std::size_t first, from, to;
};

// Products q k of one query become scores, hidden keys -inf. Returns the largest score so far.
inline float scale_scores(const AttentionTask& task, const Split& split, std::size_t query, float largest_before,
                          float* scores) {
  constexpr float nothing = -std::numeric_limits<float>::infinity();
  const std::size_t begin = task.key_begin[query];
  const std::size_t end = task.key_end[query];
  const float* const bias = task.bias == nullptr ? nullptr : task.bias[query];
  const bool plain = split.from == 0 && split.to == attention_split && begin <= split.first &&
                     end >= split.first + attention_split && bias == nullptr && task.key_valid == nullptr;
  HWY_ALIGN float added[attention_split];
  for (std::size_t place = 0; place < attention_split && !plain; ++place) {
    const std::size_t key = split.first + place - split.from;
    const bool visible = place >= split.from && place < split.to && key >= begin && key < end &&
                         (task.key_valid == nullptr || task.key_valid[key] != 0);
    added[place] = !visible ? nothing : bias == nullptr ? 0.0f : bias[key];
  }
  const Vec factor = broadcast(task.scale);
  Vec largest = broadcast(largest_before);
  for (std::size_t place = 0; place < attention_split; place += lanes) {
    Vec score = load(scores + place);
    if (plain) {
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
  float found = largest_before;
  for (const float value : each) {
    found = value > found ? value : found;
  }
  return found;
}

// Running values of each query, `count` of them, a multiple of 16.
struct SoftmaxState {
  float* maximum;
  float* total;
  float* shrink;  // by what the split in hand shrinks all that came before it
};

// Products q k over one split become weights e^(score - maximum), 0 for hidden keys; the state moves on.
inline void weigh_keys(const AttentionTask& task, const Split& split, float* scores, const SoftmaxState& state) {
  constexpr float nothing = -std::numeric_limits<float>::infinity();
  const std::size_t queries = task.queries;
  for (std::size_t query = 0; query < queries; ++query) {
    const float now = scale_scores(task, split, query, state.maximum[query], scores + query * attention_split);
    const float origin = now == nothing ? 0.0f : now;
    state.shrink[query] = state.maximum[query] - origin;
    state.maximum[query] = now;
  }
  for (std::size_t query = 0; query < queries; query += lanes) {
    store(exp(load(state.shrink + query)), state.shrink + query);
  }
  HWY_ALIGN float partial[4 * lanes];
  for (std::size_t query = 0; query < queries; query += 4) {
    const std::size_t count = queries - query < 4 ? queries - query : 4;
    for (std::size_t r = 0; r < count; ++r) {
      float* const own = scores + (query + r) * attention_split;
      const Vec origin = broadcast(state.maximum[query + r] == nothing ? 0.0f : state.maximum[query + r]);
      Vec total = zero();
      for (std::size_t place = 0; place < attention_split; place += lanes) {
        const Vec weight = exp(hn::Sub(load(own + place), origin));
        store(weight, own + place);
        total = hn::Add(total, weight);
      }
      store(total, partial + r * lanes);
    }
    float sums[4];
    store_sums(sum_lanes(load(partial), load(partial + (count > 1 ? lanes : 0)),
                         load(partial + (count > 2 ? 2 * lanes : 0)), load(partial + (count > 3 ? 3 * lanes : 0))),
               sums);
    for (std::size_t r = 0; r < count; ++r) {
      state.total[query + r] = state.total[query + r] * state.shrink[query + r] + sums[r];
    }
  }
}

HWY_INLINE void scale_row(float* row, std::size_t width, float factor) {
  // Adding 0 makes -0, which an underflow can leave, and 0 the same: a hidden key's product with 0 would do so too.
  for (std::size_t d = 0; d < width; d += lanes) {
    store(hn::MulAdd(load(row + d), broadcast(factor), zero()), row + d);
  }
}

// Keys [first, first + count) of one split, which may lie in two pages. Keys end at `end`.
inline KeyRows key_rows(const AttentionTask& task, const std::byte* start, std::size_t offset, std::size_t stride,
                        std::size_t first, std::size_t count, std::size_t end) {
  const bool last = first + count >= end;
  if (task.pages == nullptr) {
    return {start + first * stride, nullptr, count, stride, last ? nullptr : start + (first + count) * stride};
  }
  const std::size_t page = first / attention_split;
  const std::size_t in_page = first % attention_split;
  const std::size_t head = count < attention_split - in_page ? count : attention_split - in_page;
  return {task.pages[page] + offset + in_page * stride, head < count ? task.pages[page + 1] + offset : nullptr, head,
          stride, last ? nullptr : task.pages[(first + count) / attention_split] + offset};
}

// What a task's queries gather over keys.
struct SpanSums {
  float* sums;  // [queries, width]
  SoftmaxState softmax;
  float* rows;    // columns of keys, rows of values [attention_split, piece]
  float* scores;  // [queries, attention_split]
};

// Products of all queries with keys, which stand at places [place, place + number) of their split.
inline void score_keys(const AttentionTask& task, const KeyRows& keys, std::size_t place, std::size_t number,
                       const SpanSums& own) {
  if (visit_stored(task, [&]<Format F>(StoredAs<F>) {
        score_stored_keys<F>(task, keys, place, number, own.rows, own.scores);
      })) {
    return;
  }
  const std::size_t piece = attention_piece(task.head_dim);
  for (std::size_t d = 0; d < task.head_dim; d += piece) {
    const std::size_t count = task.head_dim - d < piece ? task.head_dim - d : piece;
    decode_keys(task.format, keys, place, number, d, count, piece, own.rows);
    weighted_sums(
        {reinterpret_cast<const std::byte*>(own.rows), lanes * sizeof(float), piece * lanes * sizeof(float)},
        attention_split, attention_split / lanes, count, task.queries,
        [&task, d](std::size_t query) { return task.q[query] + d; }, own.scores, d == 0);
  }
}

// The values of the same keys are added to the sums, each as often as its score says.
inline void sum_values(const AttentionTask& task, const KeyRows& values, std::size_t place, std::size_t number,
                       const SpanSums& own) {
  const std::size_t width = attention_width(task.head_dim);
  if (visit_stored(task, [&]<Format F>(StoredAs<F>) {
        sum_stored_values<F>(task, values, number, own.scores + place, own.sums, width);
      })) {
    return;
  }
  const auto weights = [scores = own.scores + place](std::size_t query) { return scores + query * attention_split; };
  const bool readable =
      task.head_dim % lanes == 0 && visit_keys(task.format, []<Format F>(StoredAs<F>) { return is_f32<F>; });
  if (readable && values.head == number) {
    weighted_sums({values.first, values.stride_bytes, lanes * sizeof(float)}, width, task.head_dim / lanes, number,
                  task.queries, weights, own.sums, false);
    return;
  }
  const std::size_t piece = attention_piece(task.head_dim);
  for (std::size_t d = 0; d < task.head_dim; d += piece) {
    const std::size_t count = task.head_dim - d < piece ? task.head_dim - d : piece;
    decode_values(task.format, values, number, d, count, piece, own.rows);
    weighted_sums({reinterpret_cast<const std::byte*>(own.rows), piece * sizeof(float), lanes * sizeof(float)}, width,
                  (count + lanes - 1) / lanes, number, task.queries, weights, own.sums + d, false);
  }
}

// The sums of a task's queries over keys [first, end) that begin a sum of their own; the caches may hold more of them,
// up to `last`.
inline void attend_span(const AttentionTask& task, std::size_t first, std::size_t end, std::size_t last,
                        const SpanSums& own) {
  const std::size_t queries = task.queries;
  const std::size_t width = attention_width(task.head_dim);
  std::memset(own.sums, 0, queries * width * sizeof(float));
  std::memset(own.softmax.total, 0, queries * sizeof(float));
  for (std::size_t query = 0; query < queries; ++query) {
    own.softmax.maximum[query] = -std::numeric_limits<float>::infinity();
  }
  const std::size_t phase = task.split_origin % attention_split;
  while (first < end) {
    // Cuts lie at multiples of attention_split from the origin, on either side of it; the first split may begin in its
    // middle.
    const std::size_t place = (first % attention_split + attention_split - phase) % attention_split;
    const std::size_t keys = end - first < attention_split - place ? end - first : attention_split - place;
    score_keys(task, key_rows(task, task.k, task.k_offset, task.k_stride_bytes, first, keys, last), place, keys, own);
    weigh_keys(task, {first, place, place + keys}, own.scores, own.softmax);
    for (std::size_t query = 0; query < queries; ++query) {
      if (own.softmax.shrink[query] != 1.0f) {
        scale_row(own.sums + query * width, width, own.softmax.shrink[query]);
      }
    }
    sum_values(task, key_rows(task, task.v, task.v_offset, task.v_stride_bytes, first, keys, last), place, keys, own);
    first += keys;
  }
}

inline void attention(const AttentionTask& task) {
  const std::size_t queries = task.queries;
  const std::size_t width = attention_width(task.head_dim);
  const std::size_t misplaced = reinterpret_cast<std::uintptr_t>(task.scratch) / sizeof(float) % 16;
  float* const sums = task.scratch + (16 - misplaced) % 16;
  float* const rows = sums + queries * width;
  float* const scores = rows + attention_split * attention_piece(task.head_dim);
  float* const state = scores + queries * attention_split;
  const std::size_t padded = attention_width(queries);
  std::memset(state, 0, 3 * padded * sizeof(float));
  const SpanSums own{sums, {state, state + padded, state + 2 * padded}, rows, scores};
  float* const merged = state + 3 * padded;  // [queries, 2]
  std::size_t first = std::numeric_limits<std::size_t>::max();
  std::size_t end = 0;
  for (std::size_t query = 0; query < queries; ++query) {
    if (task.key_begin[query] < task.key_end[query]) {
      first = task.key_begin[query] < first ? task.key_begin[query] : first;
      end = task.key_end[query] > end ? task.key_end[query] : end;
    }
    merged[2 * query + 1] = 0.0f;
    if (task.sums == nullptr) {
      std::memset(task.out[query], 0, task.head_dim * sizeof(float));
    }
  }
  if (task.sums != nullptr) {
    attend_span(task, first < end ? first : end, end, end, own);
    for (std::size_t query = 0; query < queries; ++query) {
      float* const to = task.sums + query * attention_sums(task.head_dim);
      std::memcpy(to, sums + query * width, width * sizeof(float));
      to[width] = own.softmax.maximum[query];
      to[width + 1] = own.softmax.total[query];
    }
    return;
  }
  for (bool begin = true; first < end; begin = false) {
    const std::size_t left = attention_span - (first - task.split_origin) % attention_span;
    const std::size_t cut = end - first < left ? end : first + left;
    attend_span(task, first, cut, end, own);
    for (std::size_t query = 0; query < queries; ++query) {
      merge_span(sums + query * width, own.softmax.maximum[query], own.softmax.total[query], task.head_dim, begin,
                 merged + 2 * query, task.out[query]);
    }
    first = cut;
  }
  for (std::size_t query = 0; query < queries; ++query) {
    finish_query(task.head_dim, merged[2 * query + 1], task.out[query]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
QWEN35_END_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
