// SPDX-License-Identifier: Apache-2.0
// What each kernel is told: one struct for each, with what the kernel does.
#pragma once

#include <qwen35/core/matrix.hpp>
#include <qwen35/kernels/quantized_rows.hpp>

#include <cstddef>
#include <cstdint>

QWEN35_BEGIN_NAMESPACE

namespace kernels {

// y[i, n] = sum_k x[i, k] * w[n, k] (+ bias[n]) for n in [row_begin, row_end), i < tokens. The whole row of `y` is
// addressed: y[i * y_stride + n]. Order of the sum: k in blocks of `matmul_block(w.cols)` (matmul_blocks.hpp); inside a
// block lane l adds k = l, l + V, ... with fused multiply-adds (V lanes to a vector), lanes are then summed pairwise,
// and blocks are added in order. (With AMX matrices of bf16 have an order of their own: matmul_amx-inl.hpp.) It takes
// up to 220 KiB of stack.
struct MatmulTask {
  Matrix w;
  std::size_t row_begin = 0, row_end = 0;
  const float* x = nullptr;  // [tokens, w.cols]
  std::size_t x_stride = 0;  // floats between tokens
  std::size_t tokens = 0;
  float* y = nullptr;
  std::size_t y_stride = 0;
  const float* bias = nullptr;  // [w.rows] or null
};

// The format for whose matrices tokens are packed: bf16 may have a way of its own, all others are multiplied as f32.
inline Format packed_for(const Matrix& w) {
  return w.format == Format::bf16 && w.scales.empty() ? Format::bf16 : Format::f32;
}

// Packs a block of many tokens' values once for all rows of matrices of a format: tokens [begin, end), where `begin` is
// a multiple of packed_granule.
struct PackTokensTask {
  const float* x = nullptr;  // the block of token 0: [tokens, length]
  std::size_t x_stride = 0;
  std::size_t begin = 0, end = 0;
  std::size_t length = 0;
  float* packed = nullptr;  // packed_size(tokens, length)
  Format format = Format::f32;
};

// The product of MatmulTask for one packed block of values from `k` on: y = or, after the first block, y +=; with the
// bias after the last. Takes 160 KiB of stack.
struct PackedMatmulTask {
  Matrix w;
  std::size_t row_begin = 0, row_end = 0;
  std::size_t k = 0;
  const float* packed = nullptr;
  std::size_t tokens = 0;
  float* y = nullptr;
  std::size_t y_stride = 0;
  const float* bias = nullptr;
};

// Blocks [begin, end) of rows of `width` values in 8 bits, see quantized_rows.hpp: counted through all rows, each of
// which has quantized_blocks(width).
struct QuantizeRowsTask {
  const float* x = nullptr;  // [rows, width]; width is a multiple of quantized_group
  std::size_t width = 0;
  std::size_t begin = 0, end = 0;
  QuantizedBlock* out = nullptr;  // [rows, quantized_blocks(width)]
};

// The product of MatmulTask for rows of blocks and activations in 8 bits. The order of a sum over k, with the weight of
// group j of G = integer_group(format) values being scale[j] * code + offset[j]: for each span of 2048 values, partial
// sum p < 256 / G takes the groups j = p, p + 256 / G, ... of the span:
//   partial[p] = fma(dot_j, scale[j] * scale of x, partial[p]), where dot_j is the exact integer sum of products of
//   codes partial[p] = fma(offset[j], sum of x, partial[p]), for formats that have offsets
// then partial sums are added in order, then spans in order, then the bias. All instruction sets give the same bits,
// NaN aside. Takes 260 KiB of stack.
struct IntegerMatmulTask {
  Matrix w;
  std::size_t row_begin = 0, row_end = 0;
  const QuantizedBlock* x = nullptr;     // rows of quantized_blocks(w.cols)
  const std::uint32_t* index = nullptr;  // [tokens] the row of x of each token, or null: token i is row i
  std::size_t tokens = 0;
  float* y = nullptr;
  std::size_t y_stride = 0;
  const float* bias = nullptr;      // [w.rows] or null
  const std::byte* next = nullptr;  // rows that are likely to be read next, or null
};

// Stored values as f32, exactly; `n` is a multiple of the format's block_values. With factors beside them they are
// rounded once more.
struct DecodeRowTask {
  Format format = Format::f32;
  const std::byte* row = nullptr;
  std::size_t n = 0;
  float* out = nullptr;
  BlockScales scales{};
  std::size_t index = 0;  // the row that it is to the factors

  constexpr DecodeRowTask(Format stored, const std::byte* from, std::size_t count, float* to)
      : format(stored), row(from), n(count), out(to) {}
  // A row of a matrix.
  DecodeRowTask(const Matrix& w, std::size_t own, float* to)
      : format(w.format), row(w.row(own)), n(w.cols), out(to), scales(w.scales), index(own) {}
};

// f32 to a stored format, as its definition rounds.
struct EncodeRowTask {
  Format format = Format::f32;
  const float* in = nullptr;
  std::size_t n = 0;
  std::byte* out = nullptr;
};

// The context is worked on in splits of so many keys, the size of a page.
inline constexpr std::size_t attention_split = 64;
// So many keys, counted from split_origin, are summed by themselves, and their sums put together in order: one token of
// a long context is as many tasks, with the bits that one task gives.
inline constexpr std::size_t attention_span = 16 * attention_split;

// out = softmax(scale * q k^T + bias) v in f32, one split of keys at a time with a running maximum ("online softmax",
// arXiv 1805.02867), for query rows that share one key/value head: any tokens, any heads of its group.
struct AttentionTask {
  const float* const* q = nullptr;         // [queries] pointers to [head_dim]
  float* const* out = nullptr;             // [queries] pointers to [head_dim]; 0 for a query that sees no key
  const std::size_t* key_begin = nullptr;  // [queries] the first visible key
  const std::size_t* key_end = nullptr;    // [queries] one past the last visible key
  std::size_t queries = 0, head_dim = 0;
  const std::byte* k = nullptr;  // rows [keys, head_dim]
  const std::byte* v = nullptr;  // rows [keys, head_dim]
  // Or pages, each of attention_split keys: k and v stand so many bytes behind a page's start. Null: k and v.
  const std::byte* const* pages = nullptr;
  std::size_t k_offset = 0, v_offset = 0;
  Format format = Format::f32;  // of k and v
  std::size_t k_stride_bytes = 0, v_stride_bytes = 0;
  std::size_t split_origin = 0;             // the context is split every `attention_split` keys, counted from this key
  const std::uint8_t* key_valid = nullptr;  // [keys] or null: 0 hides a key from all queries
  const float* const* bias = nullptr;       // [queries] pointers to [keys], added to the scores (may be -inf), or null
  float scale = 1.0f;
  float* scratch = nullptr;  // attention_scratch(queries, head_dim) floats
  // [queries, attention_sums(head_dim)] or null: then this receives the sums over keys of one span, and out nothing.
  float* sums = nullptr;
};

// Heads are worked on padded with zeros to a multiple of 16 values.
constexpr std::size_t attention_width(std::size_t head_dim) {
  return (head_dim + 15) / 16 * 16;
}

// Of each key, and of each value, so many numbers are decoded and used before the next: the 16 KiB of a split stay in
// the first-level cache, which two threads of a core share. Small heads are one piece.
constexpr std::size_t attention_piece(std::size_t head_dim) {
  return attention_width(head_dim) < 128 ? attention_width(head_dim) : 64;
}

constexpr std::size_t attention_scratch(std::size_t queries, std::size_t head_dim) {
  // Output row, scores and five running values of each query; a piece of one split's decoded keys or values; room to
  // align.
  return queries * (attention_width(head_dim) + attention_split) + 5 * attention_width(queries) +
         attention_split * attention_piece(head_dim) + 16;
}

// The sums over a span that a query keeps: weighted values, the largest score, the total of the weights.
constexpr std::size_t attention_sums(std::size_t head_dim) {
  return attention_width(head_dim) + 16;
}

// The outputs of queries from the sums over consecutive spans of their keys.
struct MergeAttentionTask {
  const float* sums = nullptr;  // [spans, queries, attention_sums(head_dim)]
  float* const* out = nullptr;  // [queries] pointers to [head_dim]
  float* state = nullptr;       // [queries, 2]: largest score and total of the spans so far
  std::size_t spans = 0, queries = 0, head_dim = 0;
  bool first = true, last = true;  // of the context's spans: what comes before, or after, is another task
};

// One sequence and one value head of the gated delta rule (arXiv 2412.06464): for each token
//   S <- decay S + k (beta (v - (decay S)^T k))^T,   out = S^T q.
struct DeltaRuleTask {
  float* state = nullptr;     // S as column tiles [ceil(value_dim / 16)][key_dim][16], zero padded; updated in place
  const float* q = nullptr;   // [tokens, key_dim], l2-normalised and scaled
  const float* k = nullptr;   // [tokens, key_dim], l2-normalised
  std::size_t qk_stride = 0;  // floats between tokens of q, and of k
  const float* v = nullptr;   // [tokens, value_dim]
  std::size_t v_stride = 0;
  const float* decay = nullptr;  // [tokens]: exp(g)
  const float* beta = nullptr;   // [tokens]
  std::size_t gate_stride = 0;   // floats between tokens of decay, and of beta
  float* out = nullptr;          // [tokens, value_dim]
  std::size_t out_stride = 0;
  std::size_t tokens = 0, key_dim = 0, value_dim = 0;
};

inline constexpr std::size_t delta_tile = 16;

// Floats of `DeltaRuleTask::state`.
constexpr std::size_t delta_state_size(std::size_t key_dim, std::size_t value_dim) {
  return (value_dim + delta_tile - 1) / delta_tile * key_dim * delta_tile;
}

// out[t, c] = silu(sum_j weight[j, c] * in[t - K + 1 + j, c]) for K = `kernel` >= 1 taps, where `in` is `history` (the
// columns before x, oldest first) followed by x.
struct CausalConv1dTask {
  const float* history = nullptr;  // [K - 1, channels]; unused for K = 1
  const float* x = nullptr;        // [tokens, channels]
  std::size_t x_stride = 0;        // floats between tokens
  const float* weight = nullptr;   // [K, channels]
  std::size_t kernel = 0, channels = 0, tokens = 0;
  float* out = nullptr;  // [tokens, channels]
  std::size_t out_stride = 0;
};

// GELU by its tanh approximation, or silu(x) * up: as in math/activations.hpp, whose baseline code takes 2 ns a value,
// these 0.4 ns with AVX-512. `out` may be an input.
struct ActivationTask {
  const float* x = nullptr;
  const float* up = nullptr;  // of silu_multiply
  std::size_t n = 0;
  float* out = nullptr;
};

// How well scale * code + offset comes near to `values`, for many a scale and offset: each value takes the nearest code
// of [lowest, highest], and error = sum_j weights[j] (values[j] - scale * code[j] - offset)^2. To improve, each takes
// the scale, or with `offsets_too` the scale, which is not below 0 then, and the offset, that are best for its codes
// (least squares), if that makes the error less. Scales below least_fitted_scale are taken for 0. Instruction sets with
// fused multiply-adds give the same bits.
inline constexpr float least_fitted_scale = 2e-38f;
struct FitScalesTask {
  const float* values = nullptr;   // [n], finite
  const float* weights = nullptr;  // [n], not negative
  std::size_t n = 0;
  float lowest = 0.0f, highest = 0.0f;
  bool improve = false;
  bool offsets_too = false;
  bool below_zero = false;  // offsets are not above 0
  std::size_t count = 0;
  float* scales = nullptr;   // [count]
  float* offsets = nullptr;  // [count]
  float* errors = nullptr;   // [count]; to improve it is read
  // Null, or, not to improve, [5, count]: sums over j of the weight, weight * code, weight * code^2, weight * value and
  // weight * value * code.
  float* sums = nullptr;
};

// Pixels of 8 bits as sums with weights in fixed point: out = clamp((2^(precision - 1) + sum_j weights[j] in[j]) >>
// precision, 0, 255). Down the columns: out[x] from in[x + j * stride] for j < taps. One weight after an odd number of
// them is read and must be 0.
struct ResizeColumnTask {
  const std::uint8_t* in = nullptr;
  std::size_t stride = 0;
  const std::int16_t* weights = nullptr;  // [taps]
  std::size_t taps = 0;
  int precision = 0;
  std::size_t n = 0;
  std::uint8_t* out = nullptr;
};

// Along a row of RGB: pixel i < n of `out` from pixels first[i] + j of `in`; taps is a multiple of 4. Reads, with the
// weights that are 0, all of first[i] + taps pixels, and 4 bytes more.
struct ResizeRowTask {
  const std::uint8_t* in = nullptr;
  const std::uint32_t* first = nullptr;   // [n]
  const std::int16_t* weights = nullptr;  // [n, taps]
  std::size_t taps = 0;
  int precision = 0;
  std::size_t n = 0;
  std::uint8_t* out = nullptr;
};

}  // namespace kernels

QWEN35_END_NAMESPACE
