// SPDX-License-Identifier: Apache-2.0
// How a session goes back, reads and writes. Include session.hpp.
#pragma once

#include <qwen35/core/cancellation.hpp>
#include <qwen35/session/session.hpp>
#include <qwen35/session/session_media_impl.hpp>
#include <qwen35/text/trim.hpp>

QWEN35_BEGIN_NAMESPACE

namespace detail {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline bool starts_with(std::span<const TokenId> ids, std::span<const TokenId> prefix) {
  return prefix.size() <= ids.size() && std::equal(prefix.begin(), prefix.end(), ids.begin());
}

}  // namespace detail

// As the template tells a query from a tool's answer in a user message.
template <class Model>
bool Session<Model>::is_query(const Message& message) {
  if (message.role != Role::user) {
    return false;
  }
  std::string text;
  if (const std::string* whole = message.content.text()) {
    text = *whole;
  } else {
    for (const ContentPart& part : *message.content.parts()) {
      text += part.type == PartType::text ? std::string_view(part.value) : PlaceholderTokens().image;
    }
  }
  const std::string_view trimmed = python_strip(text);
  return !(trimmed.starts_with("<tool_response>") && trimmed.ends_with("</tool_response>"));
}

// The largest number of tokens of prompt and answer. Raises InputError when the prompt fills it, CacheError when a
// cache of fixed capacity cannot hold them.
template <class Model>
std::size_t Session<Model>::token_limit(std::size_t prompt) const {
  std::size_t limit = max_positions();
  if (config_.max_new_tokens) {
    limit = std::min(limit, prompt + static_cast<std::size_t>(*config_.max_new_tokens));
  } else if (config_.max_length) {
    limit = std::min(limit, static_cast<std::size_t>(*config_.max_length));
  }
  require<InputError>(prompt < limit, "Session: the conversation has ", prompt, " tokens, and at most ", limit,
                      " are possible with the answer");
  const bool said = config_.max_new_tokens || config_.max_length;
  GenerationConfig held{.max_length = static_cast<std::int64_t>(limit),
                        .stop_at_capacity = !said || config_.stop_at_capacity.value_or(false)};
  hold_to_capacity(prompt, options_.cache.capacity, "CacheOptions::capacity", prompt, held);
  return static_cast<std::size_t>(*held.max_length);
}

// Are `held` the first of `ids`, with the same media among them?
template <class Model>
bool Session<Model>::holds(std::span<const TokenId> held, std::span<const TokenId> ids,
                           std::span<const MediaRun> runs) const {
  if (!detail::starts_with(ids, held)) {
    return false;
  }
  const auto within = [&](std::span<const MediaRun> list) {
    return static_cast<std::size_t>(
        std::count_if(list.begin(), list.end(), [&](const MediaRun& run) { return run.begin < held.size(); }));
  };
  const std::size_t count = within(runs);
  return count == within(held_runs_) &&
         std::equal(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(count), held_runs_.begin(),
                    [](const MediaRun& a, const MediaRun& b) { return a.same_content(b); });
}

// Makes the cache hold the longest known prefix of `ids` that leaves at least one token to run. Snapshots of other
// texts are dropped.
template <class Model>
void Session<Model>::go_back(std::span<const TokenId> ids, std::span<const MediaRun> runs) {
  const std::span<const TokenId> before = ids.first(ids.size() - 1);
  while (!snapshots_.empty() && !holds(snapshots_.back().ids(), ids, runs)) {
    snapshots_.pop_back();
  }
  std::size_t usable = snapshots_.size();
  while (usable > 0 && snapshots_[usable - 1].tokens() > before.size()) {
    --usable;
  }
  const SequencePoint* const point = usable > 0                                       ? &snapshots_[usable - 1]
                                     : system_ && holds(system_->ids(), before, runs) ? &*system_
                                                                                      : nullptr;
  const std::size_t held = point != nullptr ? point->tokens() : 0;
  const bool stays = !cache_.entered() && cache_.tokens() >= held && holds(cache_.ids(), before, runs);
  std::vector<MediaRun> held_runs(runs.begin(), runs.end());
  if (!stays && point != nullptr) {
    cache_.back_to(*point);
    if (declined()) {
      return;
    }
  } else if (!stays) {
    cache_.reset();
  }
  held_runs_ = std::move(held_runs);  // of what the cache holds: they change together
}

template <class Model>
void Session<Model>::keep_system() {
  if (options_.snapshot_bytes > 0) {
    system_ = cache_.point();
    evict();
  }
}

template <class Model>
void Session<Model>::keep_snapshot() {
  if (options_.snapshot_bytes == 0 || (!snapshots_.empty() && snapshots_.back().tokens() == cache_.tokens())) {
    return;
  }
  snapshots_.push_back(cache_.point());
  evict();
}

// Where reading the prompt stops: after each chunk, before no part of a picture, behind media, and at the ends that get
// a snapshot (0: none).
template <class Model>
std::vector<std::size_t> Session<Model>::piece_ends(std::size_t prompt, const TurnMedia& media, std::size_t system_end,
                                                    std::size_t query_end) const {
  std::vector<std::size_t> stops = media.ends;
  stops.insert(stops.end(), {system_end, query_end, prompt});
  std::vector<std::size_t> out;
  for (std::size_t at = cache_.tokens(); at < prompt; at = out.back()) {
    std::size_t goal = prompt;
    for (const std::size_t stop : stops) {
      goal = stop > at ? std::min(goal, stop) : goal;
    }
    out.push_back(media.piece_end(at, std::min(at + options_.prefill_chunk, goal)));
  }
  return out;
}

// Runs the prompt from the cache's end on, with snapshots behind the system prompt, media and the query. False when
// cancelled.
template <class Model>
bool Session<Model>::read(Batch<Model>& batch, std::size_t prompt, const TurnMedia& media, std::size_t system_end,
                          std::size_t query_end, const SessionCallbacks& callbacks) {
  const std::size_t start = cache_.tokens();
  while (true) {
    const std::size_t at = cache_.tokens();
    if (at > start && at == system_end) {
      keep_system();
    } else if ((at > 0 && at == query_end) || std::find(media.ends.begin(), media.ends.end(), at) != media.ends.end()) {
      keep_snapshot();
    }
    if (callbacks.progress && !callbacks.progress(at - start, prompt - start)) {
      return false;
    }
    if (at == prompt) {
      return true;
    }
    if ((callbacks.proceed && !callbacks.proceed()) || CallScope::cancelled()) {
      return false;
    }
    if (!run_unless_cancelled([&] { batch.forward(); })) {
      return false;
    }
  }
}

// Lets the model write until the sequence ends. False when cancelled.
template <class Model>
bool Session<Model>::write(Batch<Model>& batch, typename Batch<Model>::Handle handle, const ReplyWriter& writer,
                           const SessionCallbacks& callbacks, const Usage& usage) {
  bool closed = false;
  while (true) {
    if (options_.thinking_budget && writer.thinking() && !closed &&
        usage.reasoning_tokens >= *options_.thinking_budget) {
      batch.push(handle, tokenizer_->encode("\n</think>\n\n"));
      closed = true;
    } else {
      batch.choose();
    }
    const Sequence& sequence = batch.sequence(handle);
    if (sequence.finished()) {
      return sequence.finish_reason != FinishReason::cancelled;
    }
    if ((callbacks.proceed && !callbacks.proceed()) || CallScope::cancelled()) {
      return false;
    }
    batch.forward();
  }
}

template <class Model>
Reply Session<Model>::extend(std::size_t keep, const std::vector<Message>& added, const SessionCallbacks& callbacks,
                             std::uint32_t attempt) {
  check_messages(added, keep);
  std::vector<Message> conversation(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(keep));
  conversation.insert(conversation.end(), added.begin(), added.end());
  // Of the messages that stay, the media are known.
  std::vector<SessionMedium> media = media_;
  std::size_t known = 0;
  each_medium(conversation, [&](std::size_t i, std::size_t, const ContentPart&) { known += i < keep ? 1 : 0; });
  media.resize(std::min(media.size(), known));
  Pixels pixels;
  load_new(conversation, media, pixels);
  bool thinking = false;
  TurnMedia turn_media;
  EncodedChat chat = encode(conversation, media, thinking, turn_media);
  std::vector<TokenId>& ids = chat.ids;
  const std::size_t prompt = ids.size();
  GenerationConfig config = config_;
  config.max_new_tokens = static_cast<std::int64_t>(token_limit(prompt) - prompt);
  config.max_length.reset();

  Reply reply;
  if (*config.do_sample) {
    reply.seed = config.seed ? seed_of_attempt(*config.seed, attempt) : random_seed();
  }
  config.seed = reply.seed;
  auto start = std::chrono::steady_clock::now();
  go_back(ids, turn_media.runs);
  reply.usage.prompt_tokens = prompt;
  reply.usage.cached_tokens = cache_.tokens();
  bool encoded = false;
  const bool went_on =
      run_unless_cancelled([&] { encoded = encode_media(conversation, media, pixels, callbacks, turn_media, reply); });
  pixels.clear();  // hundreds of megabytes for a large picture
  if (!batch_) {
    batch_ = std::make_unique<Batch<Model>>(*model_,
                                            BatchOptions{.max_sequences = 1, .prefill_chunk = options_.prefill_chunk});
  }
  ReplyWriter writer(*tokenizer_, {.starts_in_thinking = thinking, .tools = options_.tools}, callbacks);
  const auto streamer = [&](TokenId id) {
    reply.usage.reasoning_tokens += writer.thinking() ? 1u : 0u;
    if (!config.eos_token_id->contains(id)) {
      writer.push(id);
    }
    return !writer.cancelled();
  };
  bool complete = false;
  typename Batch<Model>::Handle handle = 0;
  // The sequence leaves the batch whatever happens: it works in the session's cache.
  struct Leaving {
    Batch<Model>& batch;
    typename Batch<Model>::Handle& handle;
    ~Leaving() {
      if (handle != 0) {
        batch.remove(handle);
      }
    }
  } const leaving{*batch_, handle};
  if (encoded && went_on) {
    handle = batch_->add({.input_ids = ids,
                          .config = config,
                          .extras = {.tokenizer = *tokenizer_},
                          .streamer = streamer,
                          .borrowed_cache = &cache_,
                          .rows = prompt_rows(ids, turn_media),
                          .piece_ends = piece_ends(prompt, turn_media, chat.system_end, chat.query_end)});
    complete = read(*batch_, prompt, turn_media, chat.system_end, chat.query_end, callbacks);
  }
  reply.usage.processed_tokens = cache_.tokens() - reply.usage.cached_tokens;
  reply.prompt_seconds = detail::seconds_since(start);
  evict();
  if (!complete) {
    reply.finish_reason = FinishReason::cancelled;
    return reply;
  }

  start = std::chrono::steady_clock::now();
  const bool ended = write(*batch_, handle, writer, callbacks, reply.usage);
  const Sequence& sequence = batch_->sequence(handle);
  reply.usage.completion_tokens = sequence.usage.completion_tokens;
  reply.ids.assign(sequence.generated().begin(), sequence.generated().end());
  const bool stopped = ended && sequence.finish_reason == FinishReason::stop;
  const ParsedOutput& output = writer.finish(stopped ? OutputEnd::stopped : OutputEnd::cut_off);
  reply.text = output.content;
  reply.reasoning = output.reasoning;
  reply.tool_calls = output.tool_calls;
  const bool calls = std::any_of(output.tool_calls.begin(), output.tool_calls.end(),
                                 [](const ParsedToolCall& call) { return call.complete; });
  reply.finish_reason = !ended             ? FinishReason::cancelled
                        : stopped && calls ? FinishReason::tool_calls
                                           : sequence.finish_reason;
  Message message = output.to_message();
  message.reasoning_content = output.reasoning;  // also when empty: the answer is then not searched for a think block
  conversation.push_back(std::move(message));
  evict();
  messages_ = std::move(conversation);
  attempt_ = attempt;
  media_ = std::move(media);
  reply.generate_seconds = detail::seconds_since(start);
  return reply;
}

QWEN35_END_NAMESPACE
