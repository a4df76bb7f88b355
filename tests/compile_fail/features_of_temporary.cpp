// SPDX-License-Identifier: Apache-2.0
// expect: deleted
#include <qwen35/model/forward_input.hpp>

using namespace qwen35;

std::vector<ImageFeatures> make();

std::size_t call() {
#if defined(QWEN35_POSITIVE_CONTROL)
  const std::vector<ImageFeatures> features = make();
  const ForwardInput input{.image_features = features};
#else
  const ForwardInput input{.image_features = make()};
#endif
  return input.image_features.size();
}
