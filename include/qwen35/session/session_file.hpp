// SPDX-License-Identifier: Apache-2.0
// A session on disk: the conversation, and what the model need not read again.
#pragma once

#include <qwen35/cache/point_file.hpp>
#include <qwen35/session/saved_conversation.hpp>
#include <qwen35/session/session.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// One file, which is replaced in one step: the messages, the system prompt, the tools and the thinking options; the
// cache as it stands; and snapshots, from which the next user turn and edits of earlier ones go on, as many as
// SessionOptions::saved_snapshot_bytes allows. Should the model have to read a picture again, it is loaded from where
// its message says; one that was given in memory then is an InputError.
template <class Model>
class SessionFile {
 public:
  // Raises CacheError when the file cannot be written, or could not be loaded again: a conversation of more than a
  // GiB of text and data: URLs.
  static void save(const Session<Model>& session, const std::string& path) {
    const SessionOptions& options = session.options_;
    SavedConversation out{options.system,
                          options.enable_thinking,
                          options.preserve_thinking,
                          options.tools,
                          session.messages_,
                          session.attempt_,
                          session.media_,
                          {},
                          {}};
    std::vector<SequencePoint> points;
    const auto add = [&](const SequencePoint& point, const char* what) {
      points.insert(points.begin(), point);
      out.points.insert(out.points.begin(), what);
    };
    if (!session.cache_.empty() && !session.cache_.entered()) {
      add(session.cache_.point(), "cache");
    }
    // Of those that lead there the newest and the system prompt's, then older ones.
    std::size_t room = options.saved_snapshot_bytes;
    const auto take = [&](const SequencePoint& point) {
      const std::size_t bytes = point.bytes() + (points.empty() ? point.kv_bytes() : 0);
      const bool fits = bytes <= room && (points.empty() || begins_with(points.back().cache(), point.cache()));
      room -= fits ? bytes : 0;
      return fits;
    };
    auto snapshot = session.snapshots_.rbegin();
    if (snapshot != session.snapshots_.rend() && take(*snapshot)) {
      add(*snapshot++, "snapshot");
    }
    const bool with_system = session.system_ && take(*session.system_);
    while (snapshot != session.snapshots_.rend() && take(*snapshot)) {
      add(*snapshot++, "snapshot");
    }
    if (with_system) {
      add(*session.system_, "system");
    }
    const std::size_t tokens = points.empty() ? 0 : points.back().tokens();
    for (const MediaRun& run : session.held_runs_) {
      if (run.begin < tokens) {
        out.held.push_back(run);
      }
    }
    save_points(json::dump(conversation_to_json(out)) + "\n", points, path);
  }

  // Into a session with the same model; its generation config, template and budgets stay. Of a file that an earlier
  // version wrote (JSON, beside PATH.cache and PATH.turn) the conversation is loaded and nothing is held. Raises
  // CacheError for a file that is damaged or of another model, TextError for one whose conversation cannot be read or
  // names media that SessionOptions::sources does not admit, InputError in a callback of the session's own reply; the
  // session is then as before.
  static void load(Session<Model>& session, const std::string& path) {
    const typename Session<Model>::Changing changing(session, "load_session");
    PointFile file;
    if (is_text(path)) {
      file.text = read_text_file<CacheError>(path);
    } else {
      CacheLayout layout = session.model_->cache_layout(session.options_.cache.kv_dtype);
      layout.kv_dtype = session.options_.cache.kv_dtype;
      file = load_points(path, layout, session.model_->fingerprint(), session.max_positions());
    }
    const json::Value text = declined() ? json::Value() : json::parse(file.text, path, conversation_depth);
    SavedConversation in = conversation_from_json(text, path, session.options_.sources, session.max_positions());
    const auto check = [&](bool condition, const char* what) { return holds<TextError>(condition, path, ": ", what); };
    if (declined() || !check(in.points.size() == file.points.size(), "points: not as many as the file has") ||
        !check(reads_media(*session.model_) || in.media.empty(),
               "not of this kind of model: it has pictures or videos")) {
      return;
    }
    std::optional<SequencePoint> cache, system;
    std::vector<SequencePoint> snapshots;
    for (std::size_t i = 0; i < in.points.size(); ++i) {
      const SequencePoint& point = file.points[i];
      const std::string& what = in.points[i];
      if (!check(what == "snapshot" || (what == "cache" && !cache) || (what == "system" && !system),
                 "points: expected snapshots, one cache, one system") ||
          !check(reads_media(*session.model_) || !point.cache().rope_delta(),
                 "not of this kind of model: it has positions of media") ||
          !check(std::none_of(in.held.begin(), in.held.end(),
                              [&](const MediaRun& run) {
                                return run.begin < point.tokens() && run.begin + run.count > point.tokens();
                              }),
                 "held: a picture is cut")) {
        return;
      }
      const std::size_t capacity = session.options_.cache.capacity;
      if (what == "cache" &&
          !holds<CacheError>(capacity == 0 || point.tokens() <= capacity, path, ": the session has ", point.tokens(),
                             " tokens, the cache holds ", capacity, " (CacheOptions::capacity)")) {
        return;
      }
      if (what == "snapshot") {
        snapshots.push_back(point);
      } else {
        (what == "cache" ? cache : system) = point;
      }
    }
    SessionOptions options = session.options_;
    options.system = std::move(in.system);
    options.enable_thinking = in.enable_thinking;
    options.preserve_thinking = in.preserve_thinking;
    options.tools = std::move(in.tools);
    if (cache) {
      session.cache_.back_to(*cache);
      if (declined()) {
        return;
      }
    } else {
      session.cache_.reset();
    }
    session.options_ = std::move(options);
    session.messages_ = std::move(in.messages);
    session.attempt_ = in.attempt;
    session.media_ = std::move(in.media);
    session.held_runs_ = std::move(in.held);
    session.features_.clear();
    session.system_ = std::move(system);
    session.snapshots_ = std::move(snapshots);
    session.evict();
  }

 private:
  // What a JSON file begins with.
  static bool is_text(const std::string& path) {
    PlainFile<CacheError> file(path);
    char first = 0;
    return file.read_some(std::as_writable_bytes(std::span(&first, 1))) == 1 && first == '{';
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
// The same, with what it would raise as a failure.
template <class Model>
Result<void> try_load_session(Session<Model>& session, const std::string& path) {
  return attempt([&] { load_session(session, path); });
}

QWEN35_END_NAMESPACE
