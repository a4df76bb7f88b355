// SPDX-License-Identifier: Apache-2.0
// The presets, for tools that compile no model: whether a checkpoint's tensors are those of one.
#pragma once

#include <qwen35/config/presets.hpp>
#include <qwen35/weights/bind.hpp>
#include <qwen35/weights/bind_vision.hpp>

#include <string>

namespace tool {

// Calls fn(static_cast<const Config*>(nullptr), name) for each.
template <class Fn>
void each_preset(const Fn& fn) {
#define QWEN35_PRESET(preset) fn(static_cast<const qwen35::configs::preset*>(nullptr), #preset)
  QWEN35_PRESET(Shapes);
  QWEN35_PRESET(Qwen35_0_8B);
  QWEN35_PRESET(Qwen35_2B);
  QWEN35_PRESET(Qwen35_4B);
  QWEN35_PRESET(Qwen35_9B);
  QWEN35_PRESET(Qwen35_27B);
  QWEN35_PRESET(Qwen35_35B_A3B);
  QWEN35_PRESET(Qwen35_122B_A10B);
  QWEN35_PRESET(Qwen35_397B_A17B);
#undef QWEN35_PRESET
}

// Why a checkpoint that a preset fits cannot be opened as such a model; "": it can. What is left over is one of the
// checkpoint's notes afterwards.
template <class Config>
std::string problem_of(const qwen35::Checkpoint& checkpoint) {
  const qwen35::Result<bool> looked = qwen35::attempt([&] {
    qwen35::bind_text<Config>(checkpoint, qwen35::Head::required, qwen35::Binding::look);
    if constexpr (qwen35::is_multimodal<Config>) {
      if (checkpoint.config().find("vision_config") != nullptr) {
        qwen35::bind_vision<qwen35::vision_config_t<Config>>(checkpoint, qwen35::Binding::look);
      }
    }
    return true;
  });
  return looked ? "" : looked.failure().message;
}

}  // namespace tool
