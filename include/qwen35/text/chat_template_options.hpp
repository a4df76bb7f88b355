// SPDX-License-Identifier: Apache-2.0
// What a chat template is (its published variants), what a call can ask of it, and what it returns.
#pragma once

#include <qwen35/core/abi.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/message.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

QWEN35_BEGIN_NAMESPACE

class OwnChatTemplate;

// The points in which the published templates of the family differ.
struct ChatTemplateRules {
  // Without enable_thinking, the generation prompt opens a think block (true) or closes an empty one (false: the small
  // models).
  bool thinking_by_default = true;
  // preserve_thinking = true keeps the reasoning of every assistant turn; a template without it does not read that
  // option.
  bool reads_preserve_thinking = false;
  // A tool call's non-string argument is printed as JSON (true, null); else scalars in Python form (True, None).
  bool json_scalars = false;
};

namespace chat_templates {
inline constexpr ChatTemplateRules qwen3_5{};
inline constexpr ChatTemplateRules qwen3_5_thinking_off{false, false, false};
inline constexpr ChatTemplateRules qwen3_6{true, true, true};
}  // namespace chat_templates

// One of the published templates, or one of a checkpoint's own.
struct ChatTemplate : ChatTemplateRules {
  // Rendered instead, where it is set.
  std::shared_ptr<const OwnChatTemplate> own{};

  ChatTemplate(const ChatTemplateRules& rules = chat_templates::qwen3_5) : ChatTemplateRules(rules) {}
  friend bool operator==(const ChatTemplate& a, const ChatTemplate& b) {
    return a.thinking_by_default == b.thinking_by_default && a.reads_preserve_thinking == b.reads_preserve_thinking &&
           a.json_scalars == b.json_scalars && a.own == b.own;
  }
};

// The field of the last message that the model is to continue.
enum class ContinuedField : std::uint8_t { content, reasoning_content };

struct ChatTemplateOptions {
  bool add_generation_prompt = false;
  std::optional<bool> enable_thinking = {};  // nothing: the template's own default
  bool add_vision_id = false;                // "Picture 1: ", "Video 1: " before each medium
  bool preserve_thinking = false;            // read by templates with reads_preserve_thinking alone
  // Leaves the last message open, so that the model continues it; excludes add_generation_prompt.
  bool continue_final_message = false;
  ContinuedField continued_field = ContinuedField::content;
  ChatTemplate chat_template = chat_templates::qwen3_5;
  json::Value variables{};  // an object: what else a template of the checkpoint's own reads
};

// Who wrote a piece of a rendered chat.
enum class TextOrigin : char {
  chat_template,  // its own marks act
  program,        // the system prompt, tools, variables: trusted as well
  user,           // user and tool messages
  assistant
};

// A piece of a rendered chat: up to byte `end`, from where the one before it ends.
struct TextRun {
  std::size_t end = 0;
  TextOrigin origin = TextOrigin::chat_template;
};

// One image or video in a rendered chat.
struct RenderedMedium {
  PartType type = PartType::image;
  std::size_t message_index = 0;
  std::size_t part_index = 0;   // within the message's content
  std::size_t text_offset = 0;  // byte offset of its <|image_pad|> or <|video_pad|> in the text; the same characters
                                // typed by a user are not listed
  friend bool operator==(const RenderedMedium&, const RenderedMedium&) = default;
};

// A rendered chat. Message i is text[i == 0 ? preamble_end : message_ends[i - 1], message_ends[i]); what follows the
// last message is the generation prompt. The tools block belongs to the leading system message if there is one, else it
// is the preamble. Rendering more messages keeps the text up to message_ends[i] as long as no message up to i changes
// and no assistant message among them falls behind a new user query (the template then drops its reasoning).
struct RenderedChat {
  std::string text;
  std::size_t preamble_end = 0;
  std::vector<std::size_t> message_ends;
  std::vector<RenderedMedium> media;  // in the order of the text
  // Of a template of the checkpoint's own, which need not write one message after the other: where each piece comes
  // from. There are then no message_ends, and the preamble goes up to the generation prompt.
  std::vector<TextRun> runs;
};

// A template that is none of the published ones: chat_template_own.hpp has the one that interprets Jinja. Immutable;
// shared by everything that renders with it.
class OwnChatTemplate {
 public:
  virtual ~OwnChatTemplate() = default;
  // Raises TextError, as the template itself does too.
  virtual RenderedChat render(const json::Value& messages, const json::Value& tools,
                              const ChatTemplateOptions& options) const = 0;
};

QWEN35_END_NAMESPACE
