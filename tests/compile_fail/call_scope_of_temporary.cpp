// SPDX-License-Identifier: Apache-2.0
// expect: deleted
#include <qwen35/core/cancellation.hpp>

using namespace qwen35;

bool call() {
#if defined(QWEN35_POSITIVE_CONTROL)
  const Cancellation cancellation;
  const CallScope scope(cancellation);
#else
  const CallScope scope{Cancellation()};
#endif
  return CallScope::cancelled();
}
