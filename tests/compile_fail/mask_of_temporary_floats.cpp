// SPDX-License-Identifier: Apache-2.0
// expect: deleted
#include <qwen35/model/attention_mask.hpp>

using namespace qwen35;

Tensor<float> make();

std::size_t call() {
#if defined(QWEN35_POSITIVE_CONTROL)
  const Tensor<float> mask = make();
  return AttentionMask(mask).shape().size();
#else
  return AttentionMask(make()).shape().size();
#endif
}
