// SPDX-License-Identifier: Apache-2.0
// The files that a model's folder has beside its weights, made from GGUF metadata: whoever reads a folder reads a GGUF.
#pragma once

#include <qwen35/config/split_regex.hpp>
#include <qwen35/io/model_folder.hpp>
#include <qwen35/json/dump.hpp>
#include <qwen35/weights/gguf_config.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// config.json, generation_config.json, and where the metadata have what it takes tokenizer.json, tokenizer_config.json,
// chat_template.jinja, and with a picture tower the processors' settings. Each is written when it is first read. What
// GGUF files do not hold is as the family's published files have it: areas of pictures, sampling, flags of tokens.
// `owner` keeps the bytes that the model looks at.
ModelFolder gguf_model_folder(std::shared_ptr<const GgufModel> model, std::shared_ptr<const void> owner);

namespace detail {

json::Value gguf_generation_config(const GgufFile& file);

json::Value gguf_preprocessor_config(const GgufFile& vision, bool video);

// What the tokens are, in the numbers of the format.
enum class GgufTokenType : std::uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

GgufTokenType gguf_token_type(const GgufFile& file, const GgufValue* types, std::size_t id);

// Tokens that converters call control tokens because of their names, although decoding keeps them.
bool is_kept_token(std::string_view token);

// A tokenizer.json.
std::string gguf_tokenizer_json(const GgufFile& file);

json::Value gguf_tokenizer_config(const GgufFile& file);

}  // namespace detail

#if QWEN35_BODIES

namespace detail {

QWEN35_BODY json::Value gguf_generation_config(const GgufFile& file) {
  json::Value out = json::Value::object();
  const auto take = [&](const char* field, std::string_view key, json::Value absent) {
    const GgufValue* const value = file.find(key);
    out[field] = value == nullptr ? std::move(absent) : gguf_json(file, key, *value);
  };
  take("temperature", "general.sampling.temp", 1.0);
  take("top_k", "general.sampling.top_k", 20);
  take("top_p", "general.sampling.top_p", 0.95);
  take("min_p", "general.sampling.min_p", nullptr);
  take("repetition_penalty", "general.sampling.penalty_repeat", nullptr);
  out["do_sample"] = true;
  // A reply ends with the turn; the end of the text ends it too.
  json::Value ends = json::Value::array();
  const auto add = [&](const json::Value& id) {
    if (std::find(ends.items().begin(), ends.items().end(), id) == ends.items().end()) {
      ends.push_back(id);
    }
  };
  if (const GgufValue* const end = file.find("tokenizer.ggml.eos_token_id")) {
    add(gguf_json(file, "tokenizer.ggml.eos_token_id", *end));
  }
  for (const std::string_view token : {"<|im_end|>", "<|endoftext|>"}) {
    if (const std::optional<std::size_t> id = gguf_token_id(file, token)) {
      add(*id);
    }
  }
  if (ends.size() > 0) {
    out["eos_token_id"] = std::move(ends);
  }
  for (const auto& [field, key] :
       {std::pair<std::string_view, std::string_view>{"pad_token_id", "tokenizer.ggml.padding_token_id"},
        {"bos_token_id", "tokenizer.ggml.bos_token_id"}}) {
    if (const GgufValue* const id = file.find(key)) {
      out[field] = gguf_json(file, key, *id);
    }
  }
  return out;
}

QWEN35_BODY json::Value gguf_preprocessor_config(const GgufFile& vision, bool video) {
  json::Value out = json::Value::object();
  out[video ? "video_processor_type" : "image_processor_type"] =
      video ? "Qwen3VLVideoProcessor" : "Qwen2VLImageProcessor";
  out["size"]["shortest_edge"] = video ? 4096 : 65536;
  out["size"]["longest_edge"] = video ? 25165824 : 16777216;
  out["temporal_patch_size"] = 2;
  out["key_names"][""] = gguf_name(vision);
  for (const auto& [field, key] :
       {std::pair<std::string_view, std::string_view>{"patch_size", "clip.vision.patch_size"},
        {"merge_size", "clip.vision.spatial_merge_size"},
        {"image_mean", "clip.vision.image_mean"},
        {"image_std", "clip.vision.image_std"}}) {
    const GgufValue* const value = vision.find(key);
    if (!holds<ConfigError>(value != nullptr, vision.source, ": no metadata key ", key)) {
      return {};
    }
    out[field] = gguf_json(vision, key, *value);
    out["key_names"][field] = key;
  }
  return out;
}

QWEN35_BODY GgufTokenType gguf_token_type(const GgufFile& file, const GgufValue* types, std::size_t id) {
  if (types == nullptr) {
    return GgufTokenType::normal;
  }
  const json::Value type = types->number(id);
  const bool known =
      type.is_integer() && (type.as_integer() == 1 || (type.as_integer() >= 3 && type.as_integer() <= 5));
  return holds<TextError>(known, file.source, ": tokenizer.ggml.token_type[", id, "]: ", json::dump(type),
                          " is not of this family of tokenizers")
             ? static_cast<GgufTokenType>(type.as_integer())
             : GgufTokenType::unused;
}

QWEN35_BODY bool is_kept_token(std::string_view token) {
  constexpr std::string_view kept[] = {"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                                       "<|fim_pad|>",    "<|repo_name|>",  "<|file_sep|>"};
  return std::find(std::begin(kept), std::end(kept), token) != std::end(kept);
}

QWEN35_BODY std::string gguf_tokenizer_json(const GgufFile& file) {
  const auto list = [&](std::string_view key) {
    const GgufValue* const value = file.find(key);
    const bool is_one = holds<TextError>(value != nullptr && value->is_array && value->type == GgufType::string,
                                         file.source, ": ", key, ": expected a list of texts");
    return is_one ? value : nullptr;
  };
  const auto quoted = [](std::string_view text) { return json::dump(json::Value(text)); };
  const std::string_view model = gguf_text(file, "tokenizer.ggml.model"), pre = gguf_text(file, "tokenizer.ggml.pre");
  if (!holds<TextError>(model == "gpt2", file.source, ": tokenizer.ggml.model is \"", shortened(model),
                        "\", expected \"gpt2\", byte-level BPE") ||
      !holds<TextError>(pre == "qwen35" || pre == "qwen2", file.source, ": tokenizer.ggml.pre is \"", shortened(pre),
                        "\", expected \"qwen35\" or \"qwen2\"")) {
    return {};
  }
  for (const std::string_view key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"}) {
    const GgufValue* const value = file.find(key);
    if (!holds<TextError>(value == nullptr || value->json() == json::Value(false), file.source, ": ", key,
                          ": expected false: this family adds nothing to a text")) {
      return {};
    }
  }
  const GgufValue* const tokens = list("tokenizer.ggml.tokens");
  const GgufValue* const merges = list("tokenizer.ggml.merges");
  const GgufValue* const types = file.find("tokenizer.ggml.token_type");
  if (declined() ||
      !holds<TextError>(merges->count > 0, file.source,
                        ": tokenizer.ggml.merges: expected a list of texts, found none") ||
      !holds<TextError>(types != nullptr && types->is_array && types->count == tokens->count, file.source,
                        ": tokenizer.ggml.token_type: expected one for each of ", tokens->count,
                        " tokens (tokenizer.ggml.tokens), found ", types == nullptr ? 0 : types->count)) {
    return {};
  }
  std::string vocab, added;
  std::size_t id = 0;
  tokens->each_text([&](std::string_view token) {
    const GgufTokenType type = gguf_token_type(file, types, id);
    if (type == GgufTokenType::normal) {
      vocab += concat(vocab.empty() ? "" : ",", quoted(token), ":", id);
    } else if (type != GgufTokenType::unused) {
      const bool special = type == GgufTokenType::control && !is_kept_token(token);
      added += concat(added.empty() ? "" : ",", "{\"id\":", id, ",\"content\":", quoted(token),
                      ",\"special\":", special, ",\"normalized\":false}");
    }
    ++id;
  });
  std::string pairs;
  std::size_t rank = 0;
  merges->each_text([&](std::string_view merge) {
    pairs += concat(pairs.empty() ? "" : ",", quoted(merge));
    if (!declined() && std::count(merge.begin(), merge.end(), ' ') != 1) {
      decline<TextError>(
          concat(file.source, ": tokenizer.ggml.merges[", rank, "]: \"", shortened(merge), "\", expected two tokens"));
    }
    ++rank;
  });
  if (declined()) {
    return {};
  }
  const GgufValue* const nfc = file.find("tokenizer.ggml.normalizer.nfc");
  const json::Value composed = nfc == nullptr ? json::Value(true) : nfc->json();
  if (!holds<TextError>(composed.is_bool(), file.source,
                        ": tokenizer.ggml.normalizer.nfc: expected true or false, found ",
                        shortened(json::dump(composed)))) {
    return {};
  }
  const std::string byte_level =
      R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false})";
  json::Value names = json::Value::object();
  names[""] = gguf_name(file);
  names["model.vocab"] = "tokenizer.ggml.tokens";
  names["model.merges"] = "tokenizer.ggml.merges";
  return concat("{\"key_names\":", json::dump(names), ",\"added_tokens\":[", added,
                "],\"normalizer\":", composed.as_bool() ? R"({"type":"NFC"})" : "null",
                R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)",
                quoted(pre == "qwen35" ? qwen35_split_regex : qwen2_split_regex),
                R"(},"behavior":"Isolated","invert":false},)", byte_level,
                "]},\"post_processor\":null,\"decoder\":", byte_level, R"(,"model":{"type":"BPE","vocab":{)", vocab,
                "},\"merges\":[", pairs, "]}}");
}

QWEN35_BODY json::Value gguf_tokenizer_config(const GgufFile& file) {
  json::Value out = json::Value::object();
  out["tokenizer_class"] = "Qwen2Tokenizer";
  if (const GgufValue* const length = file.find(concat(gguf_architecture(file), ".context_length"))) {
    out["model_max_length"] = gguf_json(file, concat(gguf_architecture(file), ".context_length"), *length);
  }
  for (const auto& [field, key] :
       {std::pair<std::string_view, std::string_view>{"eos_token", "tokenizer.ggml.eos_token_id"},
        {"pad_token", "tokenizer.ggml.padding_token_id"},
        {"bos_token", "tokenizer.ggml.bos_token_id"},
        {"unk_token", "tokenizer.ggml.unknown_token_id"}}) {
    const GgufValue* const stored = file.find(key);
    const json::Value id = stored == nullptr ? json::Value() : stored->json();
    out[field] = nullptr;
    if (id.is_integer() && id.as_integer() >= 0) {
      const auto index = static_cast<std::size_t>(id.as_integer());
      if (const auto token = gguf_token(file, index)) {
        const GgufValue* const types = file.find("tokenizer.ggml.token_type");
        const bool known = types != nullptr && types->is_array && index < types->count;
        const bool used = gguf_token_type(file, known ? types : nullptr, index) != GgufTokenType::unused;
        if (!holds<TextError>(used, file.source, ": ", key, ": ", index,
                              ", expected a token in use, as tokenizer.ggml.", "token_type has it")) {
          return {};
        }
        out[field] = *token;
      }
    }
  }
  for (const auto& [field, token] : {std::pair<std::string_view, std::string_view>{"image_token", "<|image_pad|>"},
                                     {"video_token", "<|video_pad|>"},
                                     {"vision_bos_token", "<|vision_start|>"},
                                     {"vision_eos_token", "<|vision_end|>"}}) {
    if (gguf_token_id(file, token)) {
      out[field] = token;
    }
  }
  return out;
}

}  // namespace detail

QWEN35_BODY ModelFolder gguf_model_folder(std::shared_ptr<const GgufModel> model, std::shared_ptr<const void> owner) {
  ModelFolder out = ModelFolder::made(model->source());
  const auto add = [&](const std::string& name, std::string (*write)(const GgufModel&)) {
    out.add(name, [model, owner, write] { return write(*model); });
  };
  add("config.json", [](const GgufModel& m) { return json::dump(gguf_config(m)); });
  if (model->text) {
    add("generation_config.json",
        [](const GgufModel& m) { return json::dump(detail::gguf_generation_config(*m.text)); });
  }
  if (model->text && model->text->find("tokenizer.ggml.tokens") != nullptr) {
    add("tokenizer.json", [](const GgufModel& m) { return detail::gguf_tokenizer_json(*m.text); });
    add("tokenizer_config.json", [](const GgufModel& m) { return json::dump(detail::gguf_tokenizer_config(*m.text)); });
    constexpr std::string_view chat = "tokenizer.chat_template";
    for (const auto& [key, value] : model->text->metadata) {
      if (key.starts_with(chat) && value.type == GgufType::string && !value.is_array) {
        const std::string_view name = key.substr(chat.size());  // "", or ".tool_use" and the like
        if (name.empty() || (name.size() > 1 && name[0] == '.' && name.find('/') == std::string_view::npos)) {
          out.add(name.empty() ? "chat_template.jinja" : concat("additional_chat_templates/", name.substr(1), ".jinja"),
                  [model, owner, key = key] { return std::string(gguf_text(*model->text, key)); });
        }
      }
    }
  }
  out.lack("tokenizer.json", model->text
                                 ? "no metadata key tokenizer.ggml.tokens"
                                 : "a picture tower (mmproj) alone, which has no tokens: name its model's file");
  for (const char* const settings : {"preprocessor_config.json", "video_preprocessor_config.json"}) {
    out.lack(
        settings,
        "has no picture tower, which says how pictures are prepared: that of a GGUF file is a file of its own "
        "(mmproj); put it beside this one, or name it in CheckpointOptions::mmproj and make the Processor from that "
        "checkpoint");
  }
  if (model->vision) {
    add("preprocessor_config.json",
        [](const GgufModel& m) { return json::dump(detail::gguf_preprocessor_config(*m.vision, false)); });
    add("video_preprocessor_config.json",
        [](const GgufModel& m) { return json::dump(detail::gguf_preprocessor_config(*m.vision, true)); });
  }
  return out;
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
