// SPDX-License-Identifier: Apache-2.0
// Any JSON as messages and tools: rendering gives a text or a TextError, and both forms agree. The first byte chooses
// the options.
#include <qwen35/text/chat_template.hpp>
#include <qwen35/text/chat_template_file.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  if (size < 2) {
    return 0;
  }
  const unsigned mode = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    recognise_chat_template(text);
  } catch (const TextError&) {
  }
  ChatTemplateOptions options;
  options.continue_final_message = (mode & 1) != 0;
  options.add_generation_prompt = (mode & 3) == 2;
  options.add_vision_id = (mode & 4) != 0;
  options.preserve_thinking = (mode & 8) != 0;
  options.continued_field = (mode & 16) != 0 ? ContinuedField::reasoning_content : ContinuedField::content;
  options.chat_template = (mode & 32) != 0 ? chat_templates::qwen3_6 : chat_templates::qwen3_5;
  try {
    const json::Value messages = json::parse(text);
    const json::Value tools = (mode & 64) != 0 ? messages : json::Value();
    const RenderedChat chat = render_chat(messages, tools, options);
    const RenderedChat typed =
        render_chat(messages_from_json(messages, SourcePolicy::everything()), tools_from_json(tools), options);
    if (typed.text != chat.text || typed.media != chat.media) {
      std::abort();
    }
  } catch (const TextError&) {
  }
  return 0;
}
