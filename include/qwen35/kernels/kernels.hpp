// SPDX-License-Identifier: Apache-2.0
// The loops that stream weights, keys and values, and recurrent state. Plain functions over pointers and run-time
// sizes; they know formats, not models. Each runs the code compiled for the best instruction set of this CPU (see
// dispatch.hpp); `isa_name()` tells which.
//
// Every function is a fixed sequence of f32 operations for each value of its result: it does not depend on how many
// tokens, rows, queries or pieces a call covers, nor on the alignment of the data. Results do differ, by rounding,
// between instruction sets.
//
// Kernels check nothing and raise nothing, so that they can run inside parallel loops: sizes and pointers are the
// caller's to get right.
#pragma once

#include <qwen35/core/matrix.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// Two deliveries of one source. By default the kernels are inline functions. With QWEN35_COMPILED_KERNELS, which the
// target qwen35::kernels sets, they are only declared here and compiled once, in that target's one file: for programs
// that include the library in many.
#if defined(QWEN35_COMPILED_KERNELS)
#define QWEN35_KERNELS_API
#else
#define QWEN35_KERNELS_API inline
#endif

QWEN35_BEGIN_NAMESPACE

// The instruction set whose kernels run: "avx512", "avx2", "sse4", "ssse3", "neon", "scalar", ...
// It is the best one that was compiled and that the CPU has, unless `set_isa` or the environment variable QWEN35_ISA
// asks for less.
QWEN35_KERNELS_API std::string_view isa_name();

// Runs the kernels of a named instruction set from here on, in the whole process; "" returns to the best one. For tests
// and comparisons: not while kernels are running. Raises InputError for a name that was not compiled or that the CPU
// lacks; the message lists the choices.
QWEN35_KERNELS_API void set_isa(std::string_view name);

// The names that `set_isa` takes here: what was compiled and the CPU has, best first.
struct IsaNames {
  std::array<std::string_view, 4> names{};
  std::size_t count = 0;
  const std::string_view* begin() const { return names.data(); }
  const std::string_view* end() const { return names.data() + count; }
};
QWEN35_KERNELS_API IsaNames isa_names();

namespace kernels {

// y[i, n] = sum_k x[i, k] * w[n, k] (+ bias[n]) for n in [row_begin, row_end), i < tokens. The whole row of `y` is
// addressed: y[i * y_stride + n]. `bias` [w.rows] may be null; strides count floats. Order of the sum: k in blocks of
// `matmul_block(w.cols)`; inside a block lane l adds k = l, l + V, ... with fused multiply-adds (V lanes to a vector),
// lanes are then summed pairwise, and blocks are added in order. Above few_tokens it takes 200 KiB of stack.
QWEN35_KERNELS_API void matmul(const Matrix& w, std::size_t row_begin, std::size_t row_end, const float* x,
                               std::size_t x_stride, std::size_t tokens, float* y, std::size_t y_stride,
                               const float* bias = nullptr);

// Up to this many tokens reading the rows once matters more than what it costs to decode them again for each tile of
// tokens. (At 64 tokens both ways are alike; at 128 tokens AVX2 on Zen 3 gains 40 % by packing, AVX-512 on Zen 4
// nothing yet.)
inline constexpr std::size_t few_tokens = 64;

// The same product for many tokens, block by block of k. All threads pack a block of x together, and once (pack_tokens:
// tokens [begin, end), where `begin` is a multiple of packed_granule, `x` points to the block of token 0 and `length`
// is the block's). Then each adds its products to its columns of y, with the bias after the last block, taking 160 KiB
// of stack.
QWEN35_KERNELS_API void pack_tokens(const float* x, std::size_t x_stride, std::size_t begin, std::size_t end,
                                    std::size_t length, float* packed);
QWEN35_KERNELS_API void matmul_packed(const Matrix& w, std::size_t row_begin, std::size_t row_end, std::size_t k,
                                      const float* packed, std::size_t tokens, float* y, std::size_t y_stride,
                                      const float* bias = nullptr);
inline constexpr std::size_t packed_granule = 6;

// Floats of a packed block.
constexpr std::size_t packed_size(std::size_t tokens, std::size_t length) {
  return (tokens + packed_granule - 1) / packed_granule * packed_granule * ((length + 15) / 16 * 16);
}

// Four rows and six tokens of a block fill 25 of the 32 KiB of a first-level cache.
inline constexpr std::size_t matmul_block_limit = 640;

// Length of the blocks of a row: the fewest that keep to the limit, evenly long. A multiple of 16.
constexpr std::size_t matmul_block(std::size_t cols) {
  const std::size_t blocks = (cols + matmul_block_limit - 1) / matmul_block_limit;
  return blocks == 0 ? 16 : ((cols + blocks - 1) / blocks + 15) / 16 * 16;
}

// Rows to hand out to a thread: any multiple of it is efficient.
constexpr std::size_t matmul_row_granule() {
  return 16;
}

// `n` stored values as f32, exactly.
QWEN35_KERNELS_API void decode_row(Format format, const std::byte* row, std::size_t n, float* out);

// f32 to a stored format, rounding to nearest even.
QWEN35_KERNELS_API void encode_row(Format format, const float* in, std::size_t n, std::byte* out);

inline constexpr std::size_t attention_split = 64;

// Query rows that share one key/value head: any tokens, any heads of its group.
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
};

// Heads are worked on padded with zeros to a multiple of 16 values.
constexpr std::size_t attention_width(std::size_t head_dim) {
  return (head_dim + 15) / 16 * 16;
}

constexpr std::size_t attention_scratch(std::size_t queries, std::size_t head_dim) {
  // Output row, scores and three running values of each query; one split of decoded keys or values; room to align.
  return queries * (attention_width(head_dim) + attention_split) + 3 * attention_width(queries) +
         attention_split * attention_width(head_dim) + 16;
}

// out = softmax(scale * q k^T + bias) v in f32, one split of keys at a time with a running maximum ("online softmax",
// arXiv 1805.02867).
QWEN35_KERNELS_API void attention(const AttentionTask& task);

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

QWEN35_KERNELS_API void gated_delta_rule(const DeltaRuleTask& task);

// out[t, c] = silu(sum_j weight[j, c] * in[t - K + 1 + j, c]) for K = `kernel` >= 1 taps, where `in` is `history` [K -
// 1, channels] (the columns before x, oldest first; unused for K = 1) followed by x [tokens, channels] (`x_stride`
// floats between tokens). weight [K, channels].
QWEN35_KERNELS_API void causal_conv1d_silu(const float* history, const float* x, std::size_t x_stride,
                                           const float* weight, std::size_t kernel, std::size_t channels,
                                           std::size_t tokens, float* out, std::size_t out_stride);

// GELU by its tanh approximation, and silu(gate) * up, as in math/activations.hpp (whose baseline code takes 2 ns a
// value, these 0.4 ns with AVX-512). `out` may be an input.
QWEN35_KERNELS_API void gelu_tanh(const float* x, std::size_t n, float* out);
QWEN35_KERNELS_API void silu_multiply(const float* gate, const float* up, std::size_t n, float* out);

// Pixels of 8 bits as sums with weights in fixed point: out = clamp((2^(precision - 1) + sum_j weights[j] in[j]) >>
// precision, 0, 255). Down the columns: out[x] from in[x + j * stride] for j < taps. One weight after an odd number of
// them is read and must be 0.
QWEN35_KERNELS_API void resize_column(const std::uint8_t* in, std::size_t stride, const std::int16_t* weights,
                                      std::size_t taps, int precision, std::size_t n, std::uint8_t* out);
// Along a row of RGB: pixel i < n of `out` from pixels first[i] + j of `in`, weights [n, taps]; taps is a multiple
// of 4. Reads, with the weights that are 0, all of first[i] + taps pixels, and 4 bytes more.
QWEN35_KERNELS_API void resize_row(const std::uint8_t* in, const std::uint32_t* first, const std::int16_t* weights,
                                   std::size_t taps, int precision, std::size_t n, std::uint8_t* out);

// What one instruction set provides.
struct KernelTable {
  std::string_view isa;
  void (*matmul)(const Matrix&, std::size_t, std::size_t, const float*, std::size_t, std::size_t, float*, std::size_t,
                 const float*);
  void (*pack_tokens)(const float*, std::size_t, std::size_t, std::size_t, std::size_t, float*);
  void (*matmul_packed)(const Matrix&, std::size_t, std::size_t, std::size_t, const float*, std::size_t, float*,
                        std::size_t, const float*);
  void (*decode_row)(Format, const std::byte*, std::size_t, float*);
  void (*encode_row)(Format, const float*, std::size_t, std::byte*);
  void (*attention)(const AttentionTask&);
  void (*gated_delta_rule)(const DeltaRuleTask&);
  void (*causal_conv1d_silu)(const float*, const float*, std::size_t, const float*, std::size_t, std::size_t,
                             std::size_t, float*, std::size_t);
  void (*gelu_tanh)(const float*, std::size_t, float*);
  void (*silu_multiply)(const float*, const float*, std::size_t, float*);
  void (*resize_column)(const std::uint8_t*, std::size_t, const std::int16_t*, std::size_t, int, std::size_t,
                        std::uint8_t*);
  void (*resize_row)(const std::uint8_t*, const std::uint32_t*, const std::int16_t*, std::size_t, int, std::size_t,
                     std::uint8_t*);
};

}  // namespace kernels

QWEN35_END_NAMESPACE

#if !defined(QWEN35_COMPILED_KERNELS) || defined(QWEN35_KERNELS_SOURCE)
#include <qwen35/kernels/dispatch.hpp>
#endif
#undef QWEN35_KERNELS_API
