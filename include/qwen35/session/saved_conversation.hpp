// SPDX-License-Identifier: Apache-2.0
// A conversation as the JSON that a session's file holds, and back.
#pragma once

#include <qwen35/core/grid.hpp>
#include <qwen35/session/session_media.hpp>
#include <qwen35/text/chat_json.hpp>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// Of pictures and videos it has what the messages name, and what is needed to go on without pixels: sizes, times,
// hashes.
struct SavedConversation {
  std::string system;
  std::optional<bool> enable_thinking;
  bool preserve_thinking = false;
  std::vector<json::Value> tools;
  std::vector<Message> messages;
  std::uint32_t attempt = 0;
  std::vector<SessionMedium> media;  // of the messages, from the first on
  std::vector<MediaRun> held;        // among the tokens of the points
  std::vector<std::string> points;   // what each of the file's points is
};

namespace detail {

inline json::Value integer(std::size_t value) {
  return json::Value(static_cast<std::int64_t>(value));
}
inline json::Value media_to_json(const std::vector<SessionMedium>& media) {
  json::Value list = json::Value::array();
  for (const SessionMedium& medium : media) {
    json::Value item = json::Value::object();
    item["type"] = json::Value(medium.type == PartType::image ? "image" : "video");
    item["grid_thw"] = json::Value::array();
    for (const std::int64_t extent : medium.grid_thw) {
      item["grid_thw"].push_back(json::Value(extent));
    }
    item["merge_size"] = integer(medium.merge_size);
    item["content_hash"] =
        json::Value(std::to_string(medium.content_hash));  // 64 bits do not fit every reader's numbers
    item["timestamps"] = json::Value::array();
    for (const double seconds : medium.timestamps) {
      item["timestamps"].push_back(json::Value(seconds));
    }
    list.push_back(std::move(item));
  }
  return list;
}
// [begin, count, frame, hash] of each run. (Which of the conversation's media it is plays no part any more.)
inline json::Value runs_to_json(const std::vector<MediaRun>& runs) {
  json::Value list = json::Value::array();
  for (const MediaRun& run : runs) {
    json::Value item = json::Value::array();
    for (const std::size_t number : {run.begin, run.count, run.frame}) {
      item.push_back(integer(number));
    }
    item.push_back(json::Value(std::to_string(run.content_hash)));
    list.push_back(std::move(item));
  }
  return list;
}
inline std::size_t number(const json::Value& value, std::int64_t low, std::int64_t high, const std::string& path,
                          std::string_view what) {
  return holds<TextError>(value.is_integer() && value.as_integer() >= low && value.as_integer() <= high, path, ": ",
                          what, ": expected ", low, " to ", high)
             ? static_cast<std::size_t>(value.as_integer())
             : 0;
}
inline std::uint64_t hash_of(const json::Value& value, const std::string& path) {
  std::uint64_t hash = 0;
  const bool text = value.is_string();
  const char* const begin = text ? value.as_string().data() : nullptr;
  const char* const end = text ? begin + value.as_string().size() : nullptr;
  const auto [stop, error] = std::from_chars(begin, end, hash);
  if (!text || error != std::errc() || stop != end) {
    decline<TextError>(concat(path, ": content_hash: expected a decimal number as a string"));
  }
  return hash;
}
// The member of an object; where that is declined, null.
inline const json::Value& field(const json::Value& item, std::string_view key, const std::string& path) {
  const json::Value* const found = item.is_object() ? item.find(key) : nullptr;
  return holds<TextError>(found != nullptr, path, ": media: no \"", key, "\"") ? *found : json::Value::none();
}
inline const std::vector<json::Value>& list_of(const json::Value& value, std::string_view what,
                                               const std::string& path) {
  if (!value.is_array()) {
    decline<TextError>(concat(path, ": ", what, ": expected a list"));
  }
  return value.items();
}
inline std::vector<SessionMedium> media_from_json(const json::Value& list, const std::string& path) {
  std::vector<SessionMedium> out;
  for (const json::Value& item : list_of(list, "media", path)) {
    SessionMedium medium;
    const json::Value& type = field(item, "type", path);
    if (!holds<TextError>(type == json::Value("image") || type == json::Value("video"), path,
                          ": media: type: expected image or video")) {
      return out;
    }
    medium.type = type == json::Value("image") ? PartType::image : PartType::video;
    const std::vector<json::Value>& grid = list_of(field(item, "grid_thw", path), "grid_thw", path);
    if (!holds<TextError>(grid.size() == 3, path, ": grid_thw: expected 3 numbers")) {
      return out;
    }
    for (std::size_t k = 0; k < 3; ++k) {
      medium.grid_thw[k] = static_cast<std::int64_t>(number(grid[k], 1, Grid::max_patches, path, "grid_thw"));
    }
    medium.merge_size =
        number(field(item, "merge_size", path), 1, static_cast<std::int64_t>(Grid::max_merge), path, "merge_size");
    const Grid sizes{medium.grid_thw[0], medium.grid_thw[1], medium.grid_thw[2]};
    if (declined() || !holds<TextError>(sizes.possible(medium.merge_size), path,
                                        ": grid_thw: expected height and width multiples of merge_size, and at most ",
                                        Grid::max_patches, " patches")) {
      return out;
    }
    medium.content_hash = hash_of(field(item, "content_hash", path), path);
    for (const json::Value& seconds : list_of(field(item, "timestamps", path), "timestamps", path)) {
      if (!holds<TextError>(seconds.is_number(), path, ": timestamps: expected numbers")) {
        return out;
      }
      medium.timestamps.push_back(seconds.as_number());
    }
    const bool video = medium.type == PartType::video;
    if (!holds<TextError>(
            video ? medium.timestamps.size() == static_cast<std::size_t>(medium.grid_thw[0]) : medium.grid_thw[0] == 1,
            path, ": media: the number of frames contradicts itself")) {
      return out;
    }
    out.push_back(std::move(medium));
  }
  return out;
}
inline std::vector<MediaRun> runs_from_json(const json::Value& list, const std::string& path) {
  std::vector<MediaRun> out;
  for (const json::Value& item : list_of(list, "held", path)) {
    const std::vector<json::Value>& numbers = list_of(item, "held", path);
    if (!holds<TextError>(numbers.size() == 4, path, ": held: expected 4 values each")) {
      return out;
    }
    constexpr std::int64_t most = std::int64_t{1} << 40;
    MediaRun run;
    run.begin = number(numbers[0], 0, most, path, "held");
    run.count = number(numbers[1], 1, most, path, "held");
    run.frame = number(numbers[2], 0, most, path, "held");
    run.content_hash = hash_of(numbers[3], path);
    out.push_back(run);
  }
  return out;
}

}  // namespace detail

inline json::Value conversation_to_json(const SavedConversation& from) {
  json::Value out = json::Value::object();
  out["format"] = json::Value("qwen35-session");
  out["version"] = json::Value(2);
  out["system"] = json::Value(from.system);
  out["enable_thinking"] = from.enable_thinking ? json::Value(*from.enable_thinking) : json::Value();
  out["preserve_thinking"] = json::Value(from.preserve_thinking);
  out["tools"] = json::Value::array();
  for (const json::Value& tool : from.tools) {
    out["tools"].push_back(tool);
  }
  out["messages"] = messages_to_json(from.messages);
  out["attempt"] = detail::integer(from.attempt);
  out["media"] = detail::media_to_json(from.media);
  out["held"] = detail::runs_to_json(from.held);
  out["points"] = json::Value::array();
  for (const std::string& point : from.points) {
    out["points"].push_back(json::Value(point));
  }
  return out;
}

// `path`: for errors. `sources`: what its media may name. `max_tokens`: of all media together; a few bytes can ask for
// a lot. Version 1, which stood beside files of caches, is read without those. Raises TextError.
inline SavedConversation conversation_from_json(const json::Value& in, const std::string& path,
                                                const SourcePolicy& sources, std::size_t max_tokens) {
  const auto member = [&](std::string_view key) -> const json::Value& {
    const json::Value* found = in.is_object() ? in.find(key) : nullptr;
    return holds<TextError>(found != nullptr, path, ": not a session file (no \"", key, "\")") ? *found
                                                                                               : json::Value::none();
  };
  SavedConversation out;
  if (!holds<TextError>(member("format") == json::Value("qwen35-session"), path, ": not a session file")) {
    return out;
  }
  const bool early = member("version") == json::Value(1);
  if (!holds<TextError>(early || member("version") == json::Value(2), path, ": not a session file of this version")) {
    return out;
  }
  out.system = member("system").as_string();
  const json::Value& thinking = member("enable_thinking");
  out.enable_thinking = thinking.is_null() ? std::nullopt : std::optional<bool>(thinking.as_bool());
  out.preserve_thinking = member("preserve_thinking").as_bool();
  out.tools = tools_from_json(member("tools"));
  out.messages = messages_from_json(member("messages"), sources);
  if (!early || in.find("attempt") != nullptr) {
    out.attempt = static_cast<std::uint32_t>(
        detail::number(member("attempt"), 0, std::numeric_limits<std::int32_t>::max(), path, "attempt"));
  }
  if (!early || in.find("media") != nullptr) {
    out.media = detail::media_from_json(member("media"), path);
    if (declined() || !holds<TextError>(out.media.size() <= count_media(out.messages), path,
                                        ": media: more than the messages have")) {
      return out;
    }
    std::size_t tokens = 0;
    for (const SessionMedium& medium : out.media) {
      tokens += medium.tokens();
      if (!holds<TextError>(tokens <= max_tokens, path, ": media: more tokens than the model's ", max_tokens,
                            " positions")) {
        return out;
      }
    }
  }
  if (!early) {
    out.held = detail::runs_from_json(member("held"), path);
    for (const json::Value& point : detail::list_of(member("points"), "points", path)) {
      out.points.push_back(point.as_string());
    }
  }
  return out;
}

QWEN35_END_NAMESPACE
