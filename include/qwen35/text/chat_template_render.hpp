// SPDX-License-Identifier: Apache-2.0
// The renderer behind chat_template.hpp: the published template's rules over JSON messages.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/json/value.hpp>
#include <qwen35/text/chat_template_options.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if QWEN35_BODIES
#include <qwen35/json/parse.hpp>
#include <qwen35/text/chat_template_text.hpp>
#include <qwen35/text/trim.hpp>
#endif

QWEN35_BEGIN_NAMESPACE
namespace detail {

// Python's str() of a JSON scalar.
std::string python_string(const json::Value& value, std::string_view where);

bool is_list(const json::Value* value);

bool is_name(const json::Value* value, std::string_view name);

}  // namespace detail

class ChatRenderer {
 public:
  ChatRenderer(const json::Value& messages, const json::Value& tools, const ChatTemplateOptions& options)
      : messages_(messages), tools_(tools), options_(options) {}

  RenderedChat run();

 private:
  // A rendered and trimmed content: the text (in `storage` or in the message itself) and its media, whose offsets count
  // from `origin`.
  struct Content {
    std::string storage;
    const char* origin = nullptr;
    std::string_view text;
    std::vector<RenderedMedium> media;
  };

  const json::Value& message(std::size_t i) const { return messages_.items()[i]; }
  const json::Value* field(std::size_t i, std::string_view name) const { return message(i).find(name); }
  bool role_is(std::size_t i, std::string_view name) const { return detail::is_name(field(i, "role"), name); }
  static std::string where(std::size_t i, std::string_view name) { return concat("messages[", i, "].", name); }

  // The template's error, then the place.
  [[noreturn]] static void fail(std::string_view error, std::string_view place) {
    raise<TextError>(concat(error, " (", place, ")"));
  }

  void render_content(std::size_t i, bool count_media, bool is_system, Content& out);

  void render_item(const json::Value& item, std::size_t i, std::size_t k, bool count_media, bool is_system,
                   Content& out);

  void append_medium(PartType type, std::string_view label, std::size_t number, std::string_view pad, std::size_t i,
                     std::size_t k, Content& out);

  // Appends `slice`, a part of content.text, and lists the media inside it. A medium in a dropped think block is not
  // listed.
  void append(const Content& content, std::string_view slice);

  // The tools block and the leading system message.
  void render_head();

  // The index of the last user message that is more than a tool's response.
  std::size_t find_last_query();

  void render_message(std::size_t i);

  void render_assistant(std::size_t i);

  void render_tool_calls(std::size_t i, bool after_content);

  std::string argument_text(const json::Value& value) const;

  const json::Value& messages_;
  const json::Value& tools_;
  const ChatTemplateOptions& options_;
  RenderedChat out_;
  Content content_;
  std::size_t last_query_ = 0;
  std::size_t images_ = 0;
  std::size_t videos_ = 0;
};

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY std::string python_string(const json::Value& value, std::string_view where) {
  if (value.is_string()) {
    return value.as_string();
  }
  if (value.is_null()) {
    return "None";
  }
  if (value.is_bool()) {
    return value.as_bool() ? "True" : "False";
  }
  require<TextError>(value.is_number(), where, ": expected a string, found a list or an object");
  return json::python_number(value);
}

QWEN35_BODY bool is_list(const json::Value* value) {
  return value != nullptr && value->is_array();
}

QWEN35_BODY bool is_name(const json::Value* value, std::string_view name) {
  return value != nullptr && value->is_string() && value->as_string() == name;
}

}  // namespace detail

QWEN35_BODY RenderedChat ChatRenderer::run() {
  require<TextError>(messages_.is_array(), "messages: expected a list of messages, found ", json::found(messages_));
  require<TextError>(messages_.size() != 0, "No messages provided.");
  render_head();
  last_query_ = find_last_query();
  out_.preamble_end = role_is(0, "system") ? 0 : out_.text.size();
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    render_message(i);
    out_.message_ends.push_back(out_.text.size());
  }
  if (options_.add_generation_prompt) {
    out_.text += "<|im_start|>assistant\n";
    out_.text += options_.enable_thinking.value_or(options_.chat_template.thinking_by_default)
                     ? "<think>\n"
                     : "<think>\n\n</think>\n\n";
  }
  return std::move(out_);
}

QWEN35_BODY void ChatRenderer::render_content(std::size_t i, bool count_media, bool is_system, Content& out) {
  const json::Value* content = field(i, "content");
  out.storage.clear();
  out.media.clear();
  out.text = {};
  if (content != nullptr && content->is_string()) {
    out.text = content->as_string();
  } else if (detail::is_list(content)) {
    for (std::size_t k = 0; k < content->size(); ++k) {
      render_item(content->items()[k], i, k, count_media, is_system, out);
    }
    out.text = out.storage;
  } else if (content != nullptr && !content->is_null()) {
    fail("Unexpected content type.", where(i, "content"));
  }
  out.origin = out.text.data();
  out.text = python_strip(out.text);
}

QWEN35_BODY void ChatRenderer::render_item(const json::Value& item, std::size_t i, std::size_t k, bool count_media,
                                           bool is_system, Content& out) {
  const auto place = [i, k] { return place_of_part(i, k); };
  require<TextError>(item.is_object(), place(), ": expected an object with a type, found something else");
  const json::Value* type = item.find("type");
  if (item.find("image") != nullptr || item.find("image_url") != nullptr || detail::is_name(type, "image")) {
    if (is_system) {
      fail("System message cannot contain images.", place());
    }
    images_ += count_media ? 1 : 0;
    append_medium(PartType::image, "Picture ", images_, "<|image_pad|>", i, k, out);
  } else if (item.find("video") != nullptr || detail::is_name(type, "video")) {
    if (is_system) {
      fail("System message cannot contain videos.", place());
    }
    videos_ += count_media ? 1 : 0;
    append_medium(PartType::video, "Video ", videos_, "<|video_pad|>", i, k, out);
  } else if (const json::Value* text = item.find("text")) {
    out.storage += detail::python_string(*text, place() + ".text");
  } else {
    fail("Unexpected item type in content.", place());
  }
}

QWEN35_BODY void ChatRenderer::append_medium(PartType type, std::string_view label, std::size_t number,
                                             std::string_view pad, std::size_t i, std::size_t k, Content& out) {
  if (options_.add_vision_id) {
    out.storage.append(label).append(std::to_string(number)).append(": ");
  }
  out.storage += "<|vision_start|>";
  out.media.push_back({type, i, k, out.storage.size()});
  out.storage.append(pad).append("<|vision_end|>");
}

QWEN35_BODY void ChatRenderer::append(const Content& content, std::string_view slice) {
  if (!content.media.empty()) {
    const auto begin = static_cast<std::size_t>(slice.data() - content.origin);
    for (RenderedMedium medium : content.media) {
      if (medium.text_offset >= begin && medium.text_offset < begin + slice.size()) {
        medium.text_offset += out_.text.size() - begin;
        out_.media.push_back(medium);
      }
    }
  }
  out_.text += slice;
}

QWEN35_BODY void ChatRenderer::render_head() {
  const bool system = role_is(0, "system");
  const bool has_tools = tools_.is_array() && tools_.size() != 0;
  if (has_tools) {
    out_.text.append("<|im_start|>system\n").append(tools_opening);
    for (std::size_t k = 0; k < tools_.size(); ++k) {
      const json::Value& tool = tools_.items()[k];
      require<TextError>(tool.is_object(), "tools[", k, "]: expected a JSON schema object, found ", json::found(tool));
      out_.text.append("\n").append(json::dump(tool));
    }
    out_.text.append(tools_closing);
  } else if (system) {
    out_.text += "<|im_start|>system\n";
  }
  if (system) {
    render_content(0, false, true, content_);
    if (has_tools && !content_.text.empty()) {
      out_.text += "\n\n";
    }
    out_.text += content_.text;
  }
  if (system || has_tools) {
    out_.text += "<|im_end|>\n";
  }
}

QWEN35_BODY std::size_t ChatRenderer::find_last_query() {
  for (std::size_t i = messages_.size(); i-- > 0;) {
    if (role_is(i, "user")) {
      render_content(i, false, false, content_);
      if (!(content_.text.starts_with("<tool_response>") && content_.text.ends_with("</tool_response>"))) {
        return i;
      }
    }
  }
  fail("No user query found in messages.", "a conversation needs a user message besides tool responses");
}

QWEN35_BODY void ChatRenderer::render_message(std::size_t i) {
  render_content(i, true, false, content_);
  if (role_is(i, "system")) {
    if (i != 0) {
      fail("System message must be at the beginning.", where(i, "role"));
    }
  } else if (role_is(i, "user")) {
    out_.text += "<|im_start|>user\n";
    append(content_, content_.text);
    out_.text += "<|im_end|>\n";
  } else if (role_is(i, "assistant")) {
    render_assistant(i);
  } else if (role_is(i, "tool")) {
    if (i > 0 && !role_is(i - 1, "tool")) {
      out_.text += "<|im_start|>user";
    }
    out_.text += "\n<tool_response>\n";
    append(content_, content_.text);
    out_.text += "\n</tool_response>";
    if (i + 1 == messages_.size() || !role_is(i + 1, "tool")) {
      out_.text += "<|im_end|>\n";
    }
  } else {
    fail("Unexpected message role.", concat(where(i, "role"), ": expected system, user, assistant or tool"));
  }
}

QWEN35_BODY void ChatRenderer::render_assistant(std::size_t i) {
  constexpr std::string_view open = "<think>";
  constexpr std::string_view close = "</think>";
  std::string_view content = content_.text;
  std::string_view reasoning;
  bool reasoning_in_content = false;
  if (const json::Value* own = field(i, "reasoning_content"); own != nullptr && own->is_string()) {
    reasoning = own->as_string();
  } else if (const std::size_t first_close = content.find(close); first_close != std::string_view::npos) {
    reasoning = content.substr(0, first_close);
    if (const std::size_t last_open = reasoning.rfind(open); last_open != std::string_view::npos) {
      reasoning.remove_prefix(last_open + open.size());
    }
    reasoning_in_content = true;
    content = strip_leading_newlines(content.substr(content.rfind(close) + close.size()));
  }
  reasoning = python_strip(reasoning);
  out_.text += "<|im_start|>assistant\n";
  if (i > last_query_ || (options_.preserve_thinking && options_.chat_template.reads_preserve_thinking)) {
    out_.text += "<think>\n";
    if (reasoning_in_content) {
      append(content_, reasoning);
    } else {
      out_.text += reasoning;
    }
    out_.text += "\n</think>\n\n";
  }
  append(content_, content);
  render_tool_calls(i, !python_strip(content).empty());
  out_.text += "<|im_end|>\n";
}

QWEN35_BODY void ChatRenderer::render_tool_calls(std::size_t i, bool after_content) {
  const json::Value* calls = field(i, "tool_calls");
  if (calls == nullptr || (calls->is_string() && calls->as_string().empty()) ||
      !(calls->is_array() || calls->is_string())) {
    return;  // the template passes over everything that is empty or no sequence
  }
  require<TextError>(calls->is_array(), where(i, "tool_calls"), ": expected a list, found a string");
  for (std::size_t k = 0; k < calls->size(); ++k) {
    const auto place = [i, k](std::string_view name) { return concat("messages[", i, "].tool_calls[", k, "]", name); };
    const json::Value* call = &calls->items()[k];
    if (const json::Value* function = call->find("function")) {
      call = function;
    }
    const json::Value* name = call->find("name");
    require<TextError>(name != nullptr && name->is_string(), place(".name"), ": expected a string");
    out_.text += k > 0 ? "\n" : after_content ? "\n\n" : "";
    out_.text.append("<tool_call>\n<function=").append(name->as_string()).append(">\n");
    if (const json::Value* arguments = call->find("arguments")) {
      require<TextError>(arguments->is_object(), place(".arguments"),
                         ": expected an object of arguments (a JSON string must be parsed first)");
      for (const auto& [key, value] : arguments->members()) {
        out_.text.append("<parameter=")
            .append(key)
            .append(">\n")
            .append(argument_text(value))
            .append("\n</parameter>\n");
      }
    }
    out_.text += "</function>\n</tool_call>";
  }
}

QWEN35_BODY std::string ChatRenderer::argument_text(const json::Value& value) const {
  const bool container = value.is_array() || value.is_object();
  if (container || (options_.chat_template.json_scalars && !value.is_string())) {
    return json::dump(value);
  }
  return detail::python_string(value, "argument");
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
