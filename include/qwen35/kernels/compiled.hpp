// SPDX-License-Identifier: Apache-2.0
// The kernels as the target qwen35::kernels has them: functions with C names, without the part that says what a file's
// compiler flags are. The layout of a task does not depend on those, so that files for any instruction set, with
// exceptions or without, find them. Kernels of some formats are not found by files that may ask for all.
#pragma once

#include <qwen35/kernels/kernels.hpp>

#if defined(QWEN35_COMPILED_KERNELS)

#define QWEN35_KERNEL_JOIN(major, minor, formats, name) qwen35_v##major##_##minor##_##formats##_##name
#define QWEN35_KERNEL_EXPAND(major, minor, formats, name) QWEN35_KERNEL_JOIN(major, minor, formats, name)
#define QWEN35_KERNEL_SYMBOL_OF(formats, name) \
  QWEN35_KERNEL_EXPAND(QWEN35_VERSION_MAJOR, QWEN35_VERSION_MINOR, formats, name)
#define QWEN35_KERNEL_SYMBOL(name) QWEN35_KERNEL_SYMBOL_OF(QWEN35_ABI_FORMATS, name)

extern "C" {
#define QWEN35_KERNEL_DECLARATION(name, Task) void QWEN35_KERNEL_SYMBOL(name)(const void* task);
QWEN35_KERNELS(QWEN35_KERNEL_DECLARATION)
#undef QWEN35_KERNEL_DECLARATION
const char* QWEN35_KERNEL_SYMBOL(isa_name)();
const char* QWEN35_KERNEL_SYMBOL(isa_choice)(std::size_t index);              // null behind the last
bool QWEN35_KERNEL_SYMBOL(choose_isa)(const char* name, std::size_t length);  // false: it is none of them
}

QWEN35_BEGIN_NAMESPACE

namespace kernels {

#define QWEN35_KERNEL_CALL(name, Task) \
  inline void name(const Task& task) { \
    QWEN35_KERNEL_SYMBOL(name)(&task); \
  }
QWEN35_KERNELS(QWEN35_KERNEL_CALL)
#undef QWEN35_KERNEL_CALL

namespace detail {
inline bool choose_isa(std::string_view name) {
  return QWEN35_KERNEL_SYMBOL(choose_isa)(name.data(), name.size());
}
}  // namespace detail

}  // namespace kernels

inline std::string_view isa_name() {
  return QWEN35_KERNEL_SYMBOL(isa_name)();
}

inline IsaNames isa_names() {
  IsaNames out;
  for (; out.count < out.names.size(); ++out.count) {
    const char* const name = QWEN35_KERNEL_SYMBOL(isa_choice)(out.count);
    if (name == nullptr) {
      break;
    }
    out.names[out.count] = name;
  }
  return out;
}

QWEN35_END_NAMESPACE

#endif
