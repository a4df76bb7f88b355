// SPDX-License-Identifier: Apache-2.0
// A chat template of a checkpoint's own, rendered by the Jinja interpreter.
#pragma once

#include <qwen35/text/chat_template_mark.hpp>
#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/jinja_template.hpp>
#include <qwen35/text/trim.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

QWEN35_BEGIN_NAMESPACE

class JinjaChatTemplate final : public OwnChatTemplate {
 public:
  // `with_tools`: used instead where tools are given. `tokens`: variables such as eos_token. Raises TextError for what
  // cannot be rendered.
  explicit JinjaChatTemplate(std::string_view source, std::optional<std::string_view> with_tools = {},
                             std::map<std::string, std::string> tokens = {});

  QWEN35_BODY RenderedChat render(const json::Value& messages, const json::Value& tools,
                                  const ChatTemplateOptions& options) const override;

  const JinjaTemplate& plain() const { return plain_; }
  const JinjaTemplate& with_tools() const { return with_tools_ ? *with_tools_ : plain_; }
  const std::map<std::string, std::string>& tokens() const { return tokens_; }

 private:
  JinjaTemplate plain_;
  std::optional<JinjaTemplate> with_tools_;
  std::map<std::string, std::string> tokens_;
};

class JinjaChatRenderer {
 public:
  JinjaChatRenderer(const JinjaChatTemplate& own, const json::Value& tools, const ChatTemplateOptions& options)
      : template_(tools.is_null() ? own.plain() : own.with_tools()), own_(own), tools_(tools), options_(options) {}

  RenderedChat run(const json::Value& messages) const;

 private:
  jinja::Text render(const json::Value& messages, bool add_generation_prompt) const;
  static TextOrigin origin_of(const json::Value& message);

  // Rendered as the reference does it: a marker behind the text, cut where it stands last.
  jinja::Text continued(const json::Value& messages) const;

  // The placeholders that the template itself wrote, and what each stands for: what the template looked at when it
  // wrote it, or, when it looked at nothing, the next one of the conversation.
  static void find_media(const json::Value& messages, const jinja::Text& text, RenderedChat& out);
  // Calls fn(k, type) for each picture and video of a message's content.
  template <class Fn>
  static void each_medium(const json::Value& message, const Fn& fn) {
    const json::Value* const content = message.find("content");
    for (std::size_t k = 0; content != nullptr && content->is_array() && k < content->size(); ++k) {
      if (const std::optional<PartType> type = type_of(content->items()[k])) {
        fn(k, *type);
      }
    }
  }
  // As the published templates tell media.
  static std::optional<PartType> type_of(const json::Value& item);

  const JinjaTemplate& template_;
  const JinjaChatTemplate& own_;
  const json::Value& tools_;
  const ChatTemplateOptions& options_;
};

#if QWEN35_BODIES

QWEN35_BODY JinjaChatTemplate::JinjaChatTemplate(std::string_view source, std::optional<std::string_view> with_tools,
                                                 std::map<std::string, std::string> tokens)
    : plain_(source), tokens_(std::move(tokens)) {
  if (with_tools) {
    with_tools_.emplace(*with_tools);
  }
}

QWEN35_BODY RenderedChat JinjaChatRenderer::run(const json::Value& messages) const {
  require<TextError>(messages.is_array(), "messages: expected a list of messages, found ", json::found(messages));
  require<TextError>(messages.size() != 0, "No messages provided.");
  for (std::size_t i = 0; tools_.is_array() && i < tools_.size(); ++i) {
    require<TextError>(tools_.items()[i].is_object(), "tools[", i, "]: expected a JSON schema object, found ",
                       json::found(tools_.items()[i]));
  }
  RenderedChat out;
  jinja::Text text;
  if (options_.continue_final_message) {
    text = continued(messages);
    out.preamble_end = text.bytes.size();
  } else {
    text = render(messages, options_.add_generation_prompt);
    // The generation prompt is what is not there without asking for it.
    const std::string whole = options_.add_generation_prompt ? render(messages, false).bytes : text.bytes;
    out.preamble_end = text.bytes.starts_with(whole) ? whole.size() : text.bytes.size();
  }
  find_media(messages, text, out);
  for (std::size_t i = 0; i < text.origins.size(); ++i) {
    const auto origin = text.origins[i] < jinja::Text::first_medium ? static_cast<TextOrigin>(text.origins[i])
                                                                    : TextOrigin::chat_template;
    if (out.runs.empty() || out.runs.back().origin != origin) {
      out.runs.push_back({0, origin});
    }
    out.runs.back().end = i + 1;
  }
  out.text = std::move(text.bytes);
  return out;
}

QWEN35_BODY jinja::Text JinjaChatRenderer::render(const json::Value& messages, bool add_generation_prompt) const {
  std::map<std::string, jinja::Value, std::less<>> variables;
  for (const auto& [name, token] : own_.tokens()) {
    variables[name] = jinja::Text(token, TextOrigin::program);
  }
  if (options_.variables.is_object()) {
    for (const auto& [name, value] : options_.variables.members()) {
      variables[name] = jinja::Value::from_json(value, TextOrigin::program);
    }
  }
  std::vector<jinja::Value> list, media;
  for (const json::Value& message : messages.items()) {
    list.push_back(jinja::Value::from_json(message, origin_of(message)));
    each_medium(message, [&](std::size_t k, PartType) { media.push_back(list.back().find("content")->items()[k]); });
  }
  variables["messages"] = std::move(list);
  variables["tools"] = jinja::Value::from_json(tools_, TextOrigin::program);
  variables["documents"] = jinja::Value::none();
  variables["add_generation_prompt"] = add_generation_prompt;
  if (options_.enable_thinking) {
    variables["enable_thinking"] = *options_.enable_thinking;
  }
  if (options_.add_vision_id) {
    variables["add_vision_id"] = true;
  }
  if (options_.preserve_thinking) {
    variables["preserve_thinking"] = true;
  }
  return template_.render(std::move(variables), media);
}

QWEN35_BODY TextOrigin JinjaChatRenderer::origin_of(const json::Value& message) {
  const json::Value* const role = message.find("role");
  const std::string_view name = role != nullptr && role->is_string() ? std::string_view(role->as_string()) : "user";
  return name == "assistant"                       ? TextOrigin::assistant
         : name == "system" || name == "developer" ? TextOrigin::program
                                                   : TextOrigin::user;
}

QWEN35_BODY jinja::Text JinjaChatRenderer::continued(const json::Value& messages) const {
  require<TextError>(!options_.add_generation_prompt,
                     "continue_final_message and add_generation_prompt exclude each other");
  const std::string_view field = ContinuedMessage::field_name(options_.continued_field);
  const ContinuedMessage marked(messages, options_.continued_field);
  require<TextError>(template_.source().find(field) != std::string::npos, "continue_final_message is set to \"", field,
                     "\" but this is not an accepted field in the chat_template");
  const jinja::Text text = render(marked.messages, false);
  const std::size_t cut = text.bytes.rfind(marked.marker);
  require<TextError>(
      cut != std::string::npos && text.bytes.find(python_strip(marked.before)) != std::string::npos,
      "continue_final_message is set but the final message does not appear in the chat after applying the chat "
      "template!");
  const bool trimmed = text.bytes.compare(cut + marked.marker.size(), 1, " ") != 0;
  return text.part(0, trimmed ? python_rstrip(std::string_view(text.bytes).substr(0, cut)).size() : cut);
}

QWEN35_BODY void JinjaChatRenderer::find_media(const json::Value& messages, const jinja::Text& text,
                                               RenderedChat& out) {
  std::vector<RenderedMedium> given;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    each_medium(messages.items()[i], [&](std::size_t k, PartType type) { given.push_back({type, i, k, 0}); });
  }
  constexpr std::string_view image = "<|image_pad|>", video = "<|video_pad|>";
  for (std::size_t at = text.bytes.find("<|"); at != std::string::npos; at = text.bytes.find("<|", at + 1)) {
    const std::string_view here = std::string_view(text.bytes).substr(at);
    const std::string_view pad = here.starts_with(image) ? image : here.starts_with(video) ? video : "";
    const char16_t origin = text.origins[at];
    const bool own = origin == static_cast<char16_t>(TextOrigin::chat_template) || origin >= jinja::Text::first_medium;
    if (pad.empty() || !own || text.origins.find_first_not_of(origin, at) < at + pad.size()) {
      continue;
    }
    const std::size_t index =
        origin >= jinja::Text::first_medium ? origin - jinja::Text::first_medium : out.media.size();
    const PartType type = pad == image ? PartType::image : PartType::video;
    require<TextError>(index < given.size() && given[index].type == type, "chat template: it writes the placeholder ",
                       pad, " where the messages have no such picture or video");
    out.media.push_back(given[index]);
    out.media.back().text_offset = at;
  }
}

QWEN35_BODY std::optional<PartType> JinjaChatRenderer::type_of(const json::Value& item) {
  if (!item.is_object()) {
    return std::nullopt;
  }
  const json::Value* const type = item.find("type");
  const auto is = [&](std::string_view name) { return type != nullptr && *type == json::Value(name); };
  if (item.find("image") != nullptr || item.find("image_url") != nullptr || is("image")) {
    return PartType::image;
  }
  if (item.find("video") != nullptr || is("video")) {
    return PartType::video;
  }
  return std::nullopt;
}

QWEN35_BODY RenderedChat JinjaChatTemplate::render(const json::Value& messages, const json::Value& tools,
                                                   const ChatTemplateOptions& options) const {
  return JinjaChatRenderer(*this, tools, options).run(messages);
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
