// SPDX-License-Identifier: Apache-2.0
// No expectation: shows that a right program compiles with the flags of these tests.
#include <qwen35/core/error.hpp>

int checked(int count) {
  qwen35::require<qwen35::InputError>(count > 0, "count: expected a positive number, got ", count);
  return count;
}
