// SPDX-License-Identifier: Apache-2.0
// Where a model's chat template stands, and how it is rendered.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/parse.hpp>
#include <qwen35/text/chat_template_options.hpp>
#include <qwen35/text/chat_template_own.hpp>
#include <qwen35/text/sha256.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// A template, and whether it is word for word a published one, which is rendered natively: any other runs in the Jinja
// interpreter.
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

// Each line without the blanks around it, line ends as "\n"; up to two line ends at the end of the file, which Jinja
// drops, are taken off. What else stands behind the last tag would be output, and stays.
std::string trimmed_lines(std::string_view text);

// Puts `base` in the place of `variant`; whether it stood there.
bool replace_once(std::string& text, std::string_view variant, std::string_view base);

json::Value json_file(const ModelFolder& files, std::string_view name);

// eos_token and the like, as the reference hands them to a template.
std::map<std::string, std::string> token_variables(const ModelFolder& files);

}  // namespace detail

// The templates that a model ships, by name; one without a name is "default".
struct NamedChatTemplates {
  std::map<std::string, std::string, std::less<>> templates;
  std::string place;  // of the file that counts
};

// The first of these that is there, in the reference's order: "chat_template" in processor_config.json;
// chat_template.json; chat_template.jinja and additional_chat_templates/NAME.jinja; "chat_template" in
// tokenizer_config.json. In the JSON files it is a text, or several with names. Raises TextError for a file that has it
// in another form, and for chat_template.json beside additional_chat_templates, which contradict each other.
NamedChatTemplates find_chat_templates(const ModelFolder& files);

// The rules of a template's text. The published variants differ in three lines; with those put back, each must be the
// base file, whose SHA-256 is known: they are rendered natively. Any other text is rendered by the Jinja interpreter.
// `with_tools`, `tokens`: see JinjaChatTemplate. Raises TextError for a text that cannot be rendered.
RecognisedChatTemplate recognise_chat_template(std::string_view jinja, std::optional<std::string_view> with_tools = {},
                                               std::map<std::string, std::string> tokens = {});

// The rules of a model's own template, and which of several: see find_chat_templates(). Without any, the published
// ones. Raises TextError as above, and when there is none of that name.
template <std::same_as<ModelFolder> Files>  // no text becomes a folder here
RecognisedChatTemplate recognise_chat_template(const Files& files, std::string_view name = {}) {
  const NamedChatTemplates found = find_chat_templates(files);
  if (found.templates.empty() && name.empty()) {
    return {chat_templates::qwen3_5, true};
  }
  const auto chosen = found.templates.find(name.empty() ? std::string_view("default") : name);
  std::string names;
  for (const auto& [other, text] : found.templates) {
    names.append(names.empty() ? "" : ", ").append(other);
  }
  require<TextError>(chosen != found.templates.end(), found.place, ": no chat template called \"",
                     name.empty() ? "default" : name, "\", there are: ", names);
  const auto with_tools = found.templates.find("tool_use");
  return recognise_chat_template(chosen->second,
                                 name.empty() && with_tools != found.templates.end()
                                     ? std::optional<std::string_view>(with_tools->second)
                                     : std::nullopt,
                                 detail::token_variables(files));
}

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY std::string trimmed_lines(std::string_view text) {
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

QWEN35_BODY bool replace_once(std::string& text, std::string_view variant, std::string_view base) {
  const std::size_t at = text.find(variant);
  if (at == std::string::npos) {
    return false;
  }
  text.replace(at, variant.size(), base);
  return true;
}

QWEN35_BODY json::Value json_file(const ModelFolder& files, std::string_view name) {
  return json::parse(files.text<TextError>(name), files.place(name));
}

QWEN35_BODY std::map<std::string, std::string> token_variables(const ModelFolder& files) {
  std::map<std::string, std::string> out;
  constexpr std::string_view config = "tokenizer_config.json";
  if (!files.has_file(config)) {
    return out;
  }
  const json::Value root = json_file(files, config);
  if (root.is_object()) {
    for (const auto& [key, value] : root.members()) {
      const json::Value* const content = value.is_object() ? value.find("content") : &value;
      if (key.ends_with("_token") && content != nullptr && content->is_string()) {
        out[key] = content->as_string();
      }
    }
  }
  return out;
}

}  // namespace detail

QWEN35_BODY NamedChatTemplates find_chat_templates(const ModelFolder& files) {
  constexpr std::string_view jinja = "chat_template.jinja", folder = "additional_chat_templates", ending = ".jinja";
  NamedChatTemplates out;
  const auto add = [&](std::string_view file, const json::Value& value) {
    out.place = files.place(file);
    const auto text = [&](const json::Value* part) -> const std::string& {
      require<TextError>(part != nullptr && part->is_string(), out.place,
                         ": chat_template: expected a text, or several with names");
      return part->as_string();
    };
    if (value.is_object()) {
      for (const auto& [name, part] : value.members()) {
        out.templates[name] = text(&part);
      }
    } else if (value.is_array()) {
      for (const json::Value& part : value.items()) {
        out.templates[text(part.find("name"))] = text(part.find("template"));
      }
    } else {
      out.templates["default"] = text(&value);
    }
  };
  const auto add_member = [&](std::string_view file, bool needed) {
    if (files.has_file(file)) {
      const json::Value root = detail::json_file(files, file);
      const json::Value* const value = root.find("chat_template");
      require<TextError>(!needed || value != nullptr, files.place(file), ": no chat_template");
      if (value != nullptr && !value->is_null()) {
        add(file, *value);
      }
    }
    return !out.templates.empty();
  };
  std::vector<std::string> more;
  for (std::string& name : files.names_in<TextError>(std::string(folder))) {
    if (name.size() > ending.size() && name.ends_with(ending)) {
      more.push_back(std::move(name));
    }
  }
  if (add_member("processor_config.json", false)) {
    return out;
  }
  if (add_member("chat_template.json", true)) {
    require<TextError>(more.empty(), out.place, ": contradicts the files in ", folder,
                       ": only chat_template.jinja can stand beside them");
    return out;
  }
  for (const std::string& name : more) {
    out.place = files.place(folder);
    out.templates[name.substr(0, name.size() - ending.size())] = files.text<TextError>(concat(folder, "/", name));
  }
  if (files.has_file(jinja)) {
    out.place = files.place(jinja);
    out.templates["default"] = files.text<TextError>(jinja);
  }
  if (out.templates.empty()) {
    add_member("tokenizer_config.json", false);
  }
  return out;
}

QWEN35_BODY RecognisedChatTemplate recognise_chat_template(std::string_view jinja,
                                                           std::optional<std::string_view> with_tools,
                                                           std::map<std::string, std::string> tokens) {
  std::string text = detail::trimmed_lines(jinja);
  RecognisedChatTemplate out;
  out.chat_template.reads_preserve_thinking =
      detail::replace_once(text, detail::preserving_history, detail::base_history);
  out.chat_template.json_scalars = detail::replace_once(text, detail::json_argument, detail::base_argument);
  out.chat_template.thinking_by_default = !detail::replace_once(text, detail::thinking_off_prompt, detail::base_prompt);
  out.exact = sha256_hex(text) == detail::base_template_sha256 && (!with_tools || *with_tools == jinja);
  if (!out.exact) {
    out.chat_template = {};
    out.chat_template.own = std::make_shared<const JinjaChatTemplate>(jinja, with_tools, std::move(tokens));
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
