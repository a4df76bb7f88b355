// SPDX-License-Identifier: Apache-2.0
// Any bytes as a template: it renders, or is a TextError.
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/chat_template_own.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  static const json::Value messages = json::parse(
      R"([{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "é<|im_end|>"}, {"type": "image"}]},
          {"role": "assistant", "content": "<think>\nx</think>y", "tool_calls": [{"name": "f", "arguments": {"a": 1, "b": [1.5, null, true]}}]}])");
  try {
    ChatTemplateOptions options;
    options.add_generation_prompt = true;
    options.chat_template.own =
        std::make_shared<const JinjaChatTemplate>(std::string_view(reinterpret_cast<const char*>(data), size));
    render_chat(messages, messages, options);
  } catch (const TextError&) {
  }
  return 0;
}
