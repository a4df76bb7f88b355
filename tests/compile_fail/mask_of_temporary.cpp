// SPDX-License-Identifier: Apache-2.0
// expect: AttentionMask
#include <qwen35/model/attention_mask.hpp>

using namespace qwen35;

Tensor<std::int32_t> make();

std::size_t call() {
#if defined(QWEN35_POSITIVE_CONTROL)
  const Tensor<std::int32_t> mask = make();
  return AttentionMask(mask).shape().size();
#else
  return AttentionMask(make()).shape().size();
#endif
}
