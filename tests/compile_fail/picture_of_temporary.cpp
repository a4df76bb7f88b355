// SPDX-License-Identifier: Apache-2.0
// expect: deleted
#include <qwen35/processor/media_items.hpp>

using namespace qwen35;

Image make();

bool call() {
#if defined(QWEN35_POSITIVE_CONTROL)
  const Image picture = make();
  const ImageItem item(picture);
#else
  const ImageItem item(make());
#endif
  return item.index() == 0;
}
