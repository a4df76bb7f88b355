// SPDX-License-Identifier: Apache-2.0
// The reference's words for the types of ids and of stored values.
#pragma once

#include <qwen35/core/format.hpp>

QWEN35_BEGIN_NAMESPACE

using TokenId = std::int32_t;

// A format where the reference says `dtype`.
using DType = Format;

QWEN35_END_NAMESPACE
