// SPDX-License-Identifier: Apache-2.0
// The loops that stream weights, keys and values, and recurrent state. Plain functions over pointers and run-time
// sizes; they know formats, not models. Each runs the code compiled for the best instruction set of this CPU (see
// dispatch.hpp); `isa_name()` tells which.
//
// Every function is a fixed sequence of f32 operations for each value of its result: it does not depend on how many
// tokens, rows, queries or pieces a call covers, nor on the alignment of the data. Results do differ, by rounding,
// between instruction sets; those of quantize_rows and integer_matmul do not.
//
// Kernels check nothing and raise nothing, so that they can run inside parallel loops: sizes and pointers are the
// caller's to get right.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/kernels/tasks.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#if QWEN35_BODIES
#include <algorithm>
#include <cstdlib>
#endif

// A kernel is a line here, its task in tasks.hpp, and a function of that name in a *-inl.hpp that table-inl.hpp
// includes.
#define QWEN35_KERNELS(X)                 \
  X(matmul, MatmulTask)                   \
  X(pack_tokens, PackTokensTask)          \
  X(matmul_packed, PackedMatmulTask)      \
  X(quantize_rows, QuantizeRowsTask)      \
  X(integer_matmul, IntegerMatmulTask)    \
  X(decode_row, DecodeRowTask)            \
  X(encode_row, EncodeRowTask)            \
  X(attention, AttentionTask)             \
  X(merge_attention, MergeAttentionTask)  \
  X(gated_delta_rule, DeltaRuleTask)      \
  X(causal_conv1d_silu, CausalConv1dTask) \
  X(gelu_tanh, ActivationTask)            \
  X(silu_multiply, ActivationTask)        \
  X(fit_scales, FitScalesTask)            \
  X(resize_column, ResizeColumnTask)      \
  X(resize_row, ResizeRowTask)

// Two deliveries of one source. By default the kernels are inline functions. With QWEN35_COMPILED_KERNELS, which the
// target qwen35::kernels sets, they are compiled once, in that target's one file, and called by other names (see
// compiled.hpp): for programs that include the library in many.

QWEN35_BEGIN_NAMESPACE

// The instruction set whose kernels run: "avx512-amx", "avx512", "avx2", "sse4", "ssse3", "neon-dotprod", "neon",
// "scalar", ...
// It is the best one that was compiled and that the CPU has, unless `set_isa` or the environment variable QWEN35_ISA
// asks for less.
inline std::string_view isa_name();

// Runs the kernels of a named instruction set from here on, in the whole process; "" returns to the best one. For tests
// and comparisons: not while kernels are running. Raises InputError for a name that was not compiled or that the CPU
// lacks; the message lists the choices.
inline void set_isa(std::string_view name);

// Raises InputError where QWEN35_ISA names none of the sets that are here. Models ask when they are made.
void require_isa_of_environment();

// The names that `set_isa` takes here: what was compiled and the CPU has, best first.
struct IsaNames {
  std::array<std::string_view, 4> names{};
  std::size_t count = 0;
  const std::string_view* begin() const { return names.data(); }
  const std::string_view* end() const { return names.data() + count; }
};
inline IsaNames isa_names();

namespace kernels {

#define QWEN35_KERNEL_DECLARATION(name, Task) inline void name(const Task& task);
QWEN35_KERNELS(QWEN35_KERNEL_DECLARATION)
#undef QWEN35_KERNEL_DECLARATION

namespace detail {
inline bool choose_isa(std::string_view name);  // false: no kernels of that name here
}  // namespace detail

// What one instruction set provides.
struct KernelTable {
  std::string_view isa;
#define QWEN35_KERNEL_MEMBER(name, Task) void (*name)(const Task&);
  QWEN35_KERNELS(QWEN35_KERNEL_MEMBER)
#undef QWEN35_KERNEL_MEMBER
};

}  // namespace kernels

QWEN35_END_NAMESPACE

#if !defined(QWEN35_COMPILED_KERNELS) || defined(QWEN35_KERNELS_SOURCE)
#include <qwen35/kernels/dispatch.hpp>
#endif
#include <qwen35/kernels/compiled.hpp>

QWEN35_BEGIN_NAMESPACE

namespace kernels {
namespace detail {

inline std::string no_such_isa(std::string_view asked, std::string_view name) {
  std::string choices;
  for (const std::string_view choice : isa_names()) {
    choices += concat(choices.empty() ? "" : ", ", choice);
  }
  return concat(asked, ": no kernels for \"", shortened(name), "\" here, expected one of: ", choices);
}

}  // namespace detail
}  // namespace kernels

inline void set_isa(std::string_view name) {
  if (!kernels::detail::choose_isa(name)) {
    raise<InputError>(kernels::detail::no_such_isa("set_isa", name));
  }
}

#if QWEN35_BODIES
QWEN35_BODY void require_isa_of_environment() {
  const char* const wanted = std::getenv("QWEN35_ISA");
  const IsaNames names = isa_names();
  if (wanted != nullptr && *wanted != '\0' && std::find(names.begin(), names.end(), wanted) == names.end()) {
    decline<InputError>(kernels::detail::no_such_isa("QWEN35_ISA", wanted));
  }
}
#endif

QWEN35_END_NAMESPACE
