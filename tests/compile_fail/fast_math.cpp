// SPDX-License-Identifier: Apache-2.0
// expect: add -fno-finite-math-only"
// lines: 12
// flags: -ffast-math
#include <qwen35/model.hpp>
