// SPDX-License-Identifier: Apache-2.0
// Which published template a checkpoint's own Jinja file is.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/sha256.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

QWEN35_BEGIN_NAMESPACE

// A recognised template file. When not `exact`, the file is of this family but not word for word a published one: it is
// rendered by the published rules, and what its author changed besides is lost. A loader should say so.
struct RecognisedChatTemplate {
  ChatTemplate chat_template;
  bool exact = false;
};

namespace detail {

// The published file of Qwen3.5 with the blanks around each line taken off (they are inert there: every tag trims
// them).
inline constexpr std::string_view base_template_sha256 =
    "07b547a5054f79ad6715232196f23d1f64d0f30e547848a3250d6ce3b4676028";

// The lines in which the variants differ: as in the base file, and as in the variant.
inline constexpr std::string_view base_history = "{%- if loop.index0 > ns.last_query_index %}";
inline constexpr std::string_view preserving_history =
    "{%- if (preserve_thinking is defined and preserve_thinking is true) or (loop.index0 > ns.last_query_index) %}";
inline constexpr std::string_view base_argument =
    "args_value | tojson | safe if args_value is mapping or (args_value is sequence and args_value is not string) else "
    "args_value | string";
inline constexpr std::string_view json_argument =
    "args_value | string if args_value is string else args_value | tojson | safe";
inline constexpr std::string_view base_prompt =
    "{%- if enable_thinking is defined and enable_thinking is false %}\n{{- '<think>\\n\\n</think>\\n\\n' }}\n"
    "{%- else %}\n{{- '<think>\\n' }}";
inline constexpr std::string_view thinking_off_prompt =
    "{%- if enable_thinking is defined and enable_thinking is true %}\n{{- '<think>\\n' }}\n"
    "{%- else %}\n{{- '<think>\\n\\n</think>\\n\\n' }}";

// What every file of the family says, and no other family's does all of.
inline constexpr std::string_view template_markers[] = {"<|im_start|>",
                                                        "<|vision_start|><|image_pad|><|vision_end|>",
                                                        "<|vision_start|><|video_pad|><|vision_end|>",
                                                        "You have access to the following functions:\\n\\n<tools>",
                                                        "<function=example_function_name>",
                                                        "<tool_call>\\n<function=",
                                                        "<parameter=",
                                                        "</parameter>\\n",
                                                        "<tool_response>",
                                                        "No user query found in messages.",
                                                        "last_query_index",
                                                        "reasoning_content",
                                                        "enable_thinking"};

// Each line without the blanks around it, line ends as "\n"; up to two line ends at the end of the file, which Jinja
// drops, are taken off. What else stands behind the last tag would be output, and stays.
inline std::string trimmed_lines(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  for (int i = 0; i < 2 && text.ends_with('\n'); ++i) {
    text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
  }
  std::string out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) {
      const std::string_view last = text.substr(begin);
      return out.append(last.substr(std::min(last.find_first_not_of(blanks), last.size())));
    }
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t first = line.find_first_not_of(blanks);
    if (first != std::string_view::npos) {
      out += line.substr(first, line.find_last_not_of(blanks) - first + 1);
    }
    out += '\n';
  }
  return out;
}

// Puts `base` in the place of `variant`; whether it stood there.
inline bool replace_once(std::string& text, std::string_view variant, std::string_view base) {
  const std::size_t at = text.find(variant);
  if (at == std::string::npos) {
    return false;
  }
  text.replace(at, variant.size(), base);
  return true;
}

}  // namespace detail

// Recognises the text of a chat_template.jinja. The published variants differ in three lines; with those put back, each
// must be the base file, whose SHA-256 is known. A file that is not, but holds all the family's marks, is recognised
// with `exact` false. Raises TextError for any other: the caller then has to name the variant to use.
inline RecognisedChatTemplate recognise_chat_template(std::string_view jinja) {
  std::string text = detail::trimmed_lines(jinja);
  RecognisedChatTemplate out;
  out.chat_template.reads_preserve_thinking =
      detail::replace_once(text, detail::preserving_history, detail::base_history);
  out.chat_template.json_scalars = detail::replace_once(text, detail::json_argument, detail::base_argument);
  out.chat_template.thinking_by_default = !detail::replace_once(text, detail::thinking_off_prompt, detail::base_prompt);
  out.exact = sha256_hex(text) == detail::base_template_sha256;
  if (out.exact) {
    return out;
  }
  for (const std::string_view marker : detail::template_markers) {
    require<TextError>(text.find(marker) != std::string::npos,
                       "chat template: not a template of this model family (it does not hold \"", marker,
                       "\"); choose a variant of qwen35::chat_templates for it");
  }
  const bool asks_false = text.find("enable_thinking is false") != std::string::npos;
  const bool asks_true = text.find("enable_thinking is true") != std::string::npos;
  require<TextError>(
      asks_false || asks_true,
      "chat template: of this model family, but whether it thinks by default is not clear (no "
      "\"enable_thinking is false\" or \"... is true\" in it); choose a variant of qwen35::chat_templates for it");
  out.chat_template.thinking_by_default = out.chat_template.thinking_by_default && asks_false;
  out.chat_template.reads_preserve_thinking =
      text.find("preserve_thinking") != std::string::npos || out.chat_template.reads_preserve_thinking;
  return out;
}

// The rules of a model's own template: that of chat_template.jinja, else the chat_template in tokenizer_config.json,
// else the published ones. Raises TextError as above.
template <std::same_as<ModelFolder> Files>  // no text becomes a folder here
RecognisedChatTemplate recognise_chat_template(const Files& files) {
  constexpr std::string_view jinja = "chat_template.jinja", tokenizer_config = "tokenizer_config.json";
  if (files.has_file(jinja)) {
    return recognise_chat_template(files.template text<TextError>(jinja));
  }
  if (files.has_file(tokenizer_config)) {
    const json::Value config = json::parse(files.template text<TextError>(tokenizer_config), files.place(tokenizer_config));
    if (const json::Value* const inside = config.find("chat_template"); inside != nullptr && inside->is_string()) {
      return recognise_chat_template(std::string_view(inside->as_string()));
    }
  }
  return {chat_templates::qwen3_5, true};
}

QWEN35_END_NAMESPACE
