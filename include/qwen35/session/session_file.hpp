// SPDX-License-Identifier: Apache-2.0
// A session on disk: the conversation, and what the model need not read again.
#pragma once

#include <qwen35/cache/cache_file.hpp>
#include <qwen35/core/grid.hpp>
#include <qwen35/io/file_writer.hpp>
#include <qwen35/io/plain_file.hpp>
#include <qwen35/session/session.hpp>
#include <qwen35/text/chat_json.hpp>

#include <charconv>
#include <string>

QWEN35_BEGIN_NAMESPACE

// Three files: PATH, JSON with the messages, the system prompt, the tools and the thinking options; PATH.cache, the
// cache as it stands; PATH.turn, the newest snapshot, from which the next user turn goes on. The last two are left out
// when there is nothing to keep. Of pictures and videos PATH has what the messages name, and what is needed to go on
// without pixels: sizes, times, hashes. Should the model have to read one again, it is loaded from where the message
// says; one that was given in memory then is an InputError.
template <class Model>
class SessionFile {
 public:
  // Raises CacheError when a file cannot be written.
  static void save(const Session<Model>& session, const std::string& path) {
    json::Value out = json::Value::object();
    out["format"] = json::Value("qwen35-session");
    out["version"] = json::Value(1);
    out["system"] = json::Value(session.options_.system);
    out["enable_thinking"] =
        session.options_.enable_thinking ? json::Value(*session.options_.enable_thinking) : json::Value();
    out["preserve_thinking"] = json::Value(session.options_.preserve_thinking);
    json::Value tools = json::Value::array();
    for (const json::Value& tool : session.options_.tools) {
      tools.push_back(tool);
    }
    out["tools"] = std::move(tools);
    out["messages"] = messages_to_json(session.messages_);
    if (session.attempt_ > 0) {
      out["attempt"] = integer(session.attempt_);
    }
    if (!session.media_.empty() || !session.held_runs_.empty()) {
      out["media"] = media_to_json(session.media_);
      out["held"] = runs_to_json(session.held_runs_, std::max(session.cache_.tokens(), snapshot_tokens(session)));
    }
    out["cache"] = json::Value(!session.cache_.empty());
    out["turn"] = json::Value(!session.snapshots_.empty());
    if (!session.cache_.empty()) {
      write(session.cache_.fork(), path + ".cache");
    }
    if (!session.snapshots_.empty()) {
      write(session.snapshots_.back().cache().fork(), path + ".turn");
    }
    write_file<CacheError>(path, json::dump(out) + "\n");
  }

  // Into a session with the same model; its generation config, template and budgets stay. Raises TextError for a
  // damaged PATH, CacheError for the others and for files of another model; the session is then as before.
  static void load(Session<Model>& session, const std::string& path) {
    const json::Value in = json::parse(read_text_file<TextError>(path), path);
    const auto member = [&](std::string_view key) -> const json::Value& {
      const json::Value* found = in.find(key);
      require<TextError>(found != nullptr, path, ": not a session file (no \"", key, "\")");
      return *found;
    };
    require<TextError>(member("format") == json::Value("qwen35-session") && member("version") == json::Value(1), path,
                       ": not a session file of this version");
    SessionOptions options = session.options_;
    options.system = member("system").as_string();
    const json::Value& thinking = member("enable_thinking");
    options.enable_thinking = thinking.is_null() ? std::nullopt : std::optional<bool>(thinking.as_bool());
    options.preserve_thinking = member("preserve_thinking").as_bool();
    options.tools = tools_from_json(member("tools"));
    std::vector<Message> messages = messages_from_json(member("messages"));
    const json::Value* const attempt = in.find("attempt");
    const std::size_t attempts =
        attempt == nullptr ? 0 : number(*attempt, 1, std::numeric_limits<std::int32_t>::max(), path, "attempt");
    std::optional<SequencePoint> cache;
    if (member("cache").as_bool()) {
      cache = read(session, path + ".cache").point();
    }
    std::vector<SequencePoint> snapshots;
    if (member("turn").as_bool()) {
      snapshots.push_back(read(session, path + ".turn").point());
    }
    std::vector<SessionMedium> media;
    std::vector<MediaRun> runs;
    if (in.find("media") != nullptr) {
      media = media_from_json(in.at("media"), path);
      require<TextError>(media.size() <= count_media(messages), path, ": media: more than the messages have");
      runs = runs_from_json(member("held"), path);
    }
    const auto cut = [&](std::size_t length) {
      return std::any_of(runs.begin(), runs.end(),
                         [&](const MediaRun& run) { return run.begin < length && run.begin + run.count > length; });
    };
    require<TextError>((!cache || !cut(cache->tokens())) && (snapshots.empty() || !cut(snapshots[0].tokens())), path,
                       ": held: a picture is cut");
    if (cache) {
      session.cache_.back_to(*cache);
    } else {
      session.cache_.reset();
    }
    session.options_ = std::move(options);
    session.messages_ = std::move(messages);
    session.attempt_ = static_cast<std::uint32_t>(attempts);
    session.media_ = std::move(media);
    session.held_runs_ = std::move(runs);
    session.features_.clear();
    session.snapshots_ = std::move(snapshots);
    session.evict();
  }

 private:
  static void write(SequenceCache cache, const std::string& path) {
    std::vector<SequenceCache> one;
    one.push_back(std::move(cache));
    save_cache(RectangleCache::of(std::move(one)), path);
  }
  static SequenceCache read(const Session<Model>& session, const std::string& path) {
    const DType kv_dtype = session.options_.cache.kv_dtype;
    RectangleCache cache = load_cache(path, session.model_->cache_layout(kv_dtype), session.model_->fingerprint(),
                                      {.kv_dtype = kv_dtype, .capacity = 0, .storage = {}});
    require<CacheError>(cache.batch_size() == 1 && (reads_media(*session.model_) || cache.rope_deltas().empty()), path,
                        ": not the cache of a session with this kind of model");
    return std::move(cache.take_sequences()[0]);
  }
  static std::size_t snapshot_tokens(const Session<Model>& session) {
    return session.snapshots_.empty() ? 0 : session.snapshots_.back().tokens();
  }
  static json::Value integer(std::size_t value) { return json::Value(static_cast<std::int64_t>(value)); }
  static json::Value media_to_json(const std::vector<SessionMedium>& media) {
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
  // [begin, count, frame, hash] of each run within the first `length` tokens. (Which of the conversation's media it is
  // plays no part any more.)
  static json::Value runs_to_json(const std::vector<MediaRun>& runs, std::size_t length) {
    json::Value list = json::Value::array();
    for (const MediaRun& run : runs) {
      if (run.begin < length) {
        json::Value item = json::Value::array();
        for (const std::size_t number : {run.begin, run.count, run.frame}) {
          item.push_back(integer(number));
        }
        item.push_back(json::Value(std::to_string(run.content_hash)));
        list.push_back(std::move(item));
      }
    }
    return list;
  }
  static std::size_t number(const json::Value& value, std::int64_t low, std::int64_t high, const std::string& path,
                            std::string_view what) {
    require<TextError>(value.is_integer() && value.as_integer() >= low && value.as_integer() <= high, path, ": ", what,
                       ": expected ", low, " to ", high);
    return static_cast<std::size_t>(value.as_integer());
  }
  static std::uint64_t hash_of(const json::Value& value, const std::string& path) {
    std::uint64_t hash = 0;
    const bool text = value.is_string();
    const char* const begin = text ? value.as_string().data() : nullptr;
    const char* const end = text ? begin + value.as_string().size() : nullptr;
    const auto [stop, error] = std::from_chars(begin, end, hash);
    require<TextError>(text && error == std::errc() && stop == end, path,
                       ": content_hash: expected a decimal number as a string");
    return hash;
  }
  static const json::Value& field(const json::Value& item, std::string_view key, const std::string& path) {
    const json::Value* const found = item.is_object() ? item.find(key) : nullptr;
    require<TextError>(found != nullptr, path, ": media: no \"", key, "\"");
    return *found;
  }
  static const std::vector<json::Value>& list_of(const json::Value& value, std::string_view what,
                                                 const std::string& path) {
    require<TextError>(value.is_array(), path, ": ", what, ": expected a list");
    return value.items();
  }
  static std::vector<SessionMedium> media_from_json(const json::Value& list, const std::string& path) {
    std::vector<SessionMedium> out;
    for (const json::Value& item : list_of(list, "media", path)) {
      SessionMedium medium;
      const json::Value& type = field(item, "type", path);
      require<TextError>(type == json::Value("image") || type == json::Value("video"), path,
                         ": media: type: expected image or video");
      medium.type = type == json::Value("image") ? PartType::image : PartType::video;
      const std::vector<json::Value>& grid = list_of(field(item, "grid_thw", path), "grid_thw", path);
      require<TextError>(grid.size() == 3, path, ": grid_thw: expected 3 numbers");
      for (std::size_t k = 0; k < 3; ++k) {
        medium.grid_thw[k] = static_cast<std::int64_t>(number(grid[k], 1, Grid::max_patches, path, "grid_thw"));
      }
      medium.merge_size =
          number(field(item, "merge_size", path), 1, static_cast<std::int64_t>(Grid::max_merge), path, "merge_size");
      const Grid sizes{medium.grid_thw[0], medium.grid_thw[1], medium.grid_thw[2]};
      require<TextError>(sizes.possible(medium.merge_size), path,
                         ": grid_thw: expected height and width multiples of merge_size, and at most ",
                         Grid::max_patches, " patches");
      medium.content_hash = hash_of(field(item, "content_hash", path), path);
      for (const json::Value& seconds : list_of(field(item, "timestamps", path), "timestamps", path)) {
        require<TextError>(seconds.is_number(), path, ": timestamps: expected numbers");
        medium.timestamps.push_back(seconds.as_number());
      }
      const bool video = medium.type == PartType::video;
      require<TextError>(
          video ? medium.timestamps.size() == static_cast<std::size_t>(medium.grid_thw[0]) : medium.grid_thw[0] == 1,
          path, ": media: the number of frames contradicts itself");
      out.push_back(std::move(medium));
    }
    return out;
  }
  static std::vector<MediaRun> runs_from_json(const json::Value& list, const std::string& path) {
    std::vector<MediaRun> out;
    for (const json::Value& item : list_of(list, "held", path)) {
      const std::vector<json::Value>& numbers = list_of(item, "held", path);
      require<TextError>(numbers.size() == 4, path, ": held: expected 4 values each");
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
};

template <class Model>
void save_session(const Session<Model>& session, const std::string& path) {
  SessionFile<Model>::save(session, path);
}

template <class Model>
void load_session(Session<Model>& session, const std::string& path) {
  SessionFile<Model>::load(session, path);
}

QWEN35_END_NAMESPACE
