// SPDX-License-Identifier: Apache-2.0
// What a prompt's tokens bring beside their ids: the rows of pictures, and positions.
#pragma once

#include <qwen35/core/abi.hpp>

#include <cstdint>
#include <memory>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Empty vectors: nothing stands for a token but its id; positions are counted.
struct PromptRows {
  std::vector<const float*> replaced_rows{};  // [tokens]: a row of hidden_size values, or null
  std::vector<std::int32_t> positions{};      // [3, tokens]: temporal, height, width
  std::shared_ptr<const void> owner{};        // of the rows that were made for it
};

QWEN35_END_NAMESPACE
