// SPDX-License-Identifier: Apache-2.0
// A session on disk: the conversation, and what the model need not read again.
#pragma once

#include <qwen35/cache/cache_file.hpp>
#include <qwen35/generate/session.hpp>
#include <qwen35/text/chat_json.hpp>

#include <cstdio>
#include <memory>
#include <string>

QWEN35_BEGIN_NAMESPACE

// Three files: PATH, JSON with the messages, the system prompt, the tools and the thinking options; PATH.cache, the cache as it stands; PATH.turn, the
// newest snapshot, from which the next user turn goes on. The last two are left out when there is nothing to keep.
template <class Model>
class SessionFile {
 public:
  using Cache = typename Model::Cache;

  // Raises CacheError when a file cannot be written.
  static void save(const Session<Model>& session, const std::string& path) {
    json::Value out = json::Value::object();
    out["format"] = json::Value("qwen35-session");
    out["version"] = json::Value(1);
    out["system"] = json::Value(session.options_.system);
    out["enable_thinking"] = session.options_.enable_thinking ? json::Value(*session.options_.enable_thinking) : json::Value();
    out["preserve_thinking"] = json::Value(session.options_.preserve_thinking);
    json::Value tools = json::Value::array();
    for (const json::Value& tool : session.options_.tools) {
      tools.push_back(tool);
    }
    out["tools"] = std::move(tools);
    out["messages"] = messages_to_json(session.messages_);
    out["cache"] = json::Value(!session.cache_.empty());
    out["turn"] = json::Value(!session.snapshots_.empty());
    if (!session.cache_.empty()) {
      CacheFile<typename Model::config_type>::save(session.cache_, path + ".cache");
    }
    if (!session.snapshots_.empty()) {
      Cache turn(on_heap(session));
      turn.restore(session.snapshots_.back().snapshot);
      CacheFile<typename Model::config_type>::save(turn, path + ".turn");
    }
    write(path, json::dump(out) + "\n");
  }

  // Into a session with the same model; its generation config, template and budgets stay. Raises TextError for a damaged PATH, CacheError for the others and
  // for files of another model; the session is then as before.
  static void load(Session<Model>& session, const std::string& path) {
    const std::optional<std::string> text = detail::read_text_file(path);
    require<TextError>(text.has_value(), path, ": cannot be read");
    const json::Value in = json::parse(*text, path);
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
    Cache cache(session.options_.cache);
    if (member("cache").as_bool()) {
      const Cache stored = read(session, path + ".cache");
      cache.restore(stored.snapshot());
    }
    std::vector<typename Session<Model>::Held> snapshots;
    if (member("turn").as_bool()) {
      const Cache turn = read(session, path + ".turn");
      snapshots.push_back({turn.snapshot(), session.lineage_ + 2, turn.capacity() * Cache::slot_bytes(turn.kv_dtype())});
    }
    session.options_ = std::move(options);
    session.messages_ = std::move(messages);
    session.cache_ = std::move(cache);
    session.snapshots_ = std::move(snapshots);
    session.lineage_ += 3;
    session.evict();
  }

 private:
  static CacheOptions on_heap(const Session<Model>& session) { return {.kv_dtype = session.options_.cache.kv_dtype, .capacity = 0, .storage = {}}; }
  static Cache read(const Session<Model>& session, const std::string& path) {
    Cache cache = CacheFile<typename Model::config_type>::load(path, session.model_->fingerprint(), on_heap(session));
    require<CacheError>(cache.batch_size() == 1 && cache.rope_deltas().empty(), path, ": not the cache of a session");
    return cache;
  }
  static void write(const std::string& path, const std::string& text) {
    const std::string part = path + ".part";
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(part.c_str(), "wb"), std::fclose);
    require<CacheError>(file != nullptr, path, ": cannot be written");
    const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
    const bool closed = std::fclose(file.release()) == 0;
    require<CacheError>(written && closed && std::rename(part.c_str(), path.c_str()) == 0, path, ": cannot be written");
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
