// SPDX-License-Identifier: Apache-2.0
// Has moved: include <qwen35/processor/processor.hpp>.
#pragma once

#include <qwen35/processor/processor.hpp>
