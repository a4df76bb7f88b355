// SPDX-License-Identifier: Apache-2.0
// How a session goes back, reads and writes. Include session.hpp.
#pragma once

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

// From ids to the parts of a reply, with the callbacks told.
class ReplyWriter {
 public:
  ReplyWriter(const Tokenizer& tokenizer, OutputParserOptions options, const SessionCallbacks& callbacks)
      : decoder_(tokenizer, true), parser_(std::move(options)), callbacks_(callbacks) {}

  bool thinking() const { return !parser_.output().thinking_closed; }
  bool cancelled() const { return cancelled_; }
  void push(TokenId id) { tell(parser_.push(decoder_.push(id))); }
  const ParsedOutput& finish() {
    tell(parser_.push(decoder_.finish()));
    tell(parser_.finish());
    return parser_.output();
  }

 private:
  void tell(const std::vector<OutputEvent>& events) {
    for (const OutputEvent& event : events) {
      cancelled_ = (callbacks_.event && !callbacks_.event(event)) || cancelled_;
    }
  }

  StreamDecoder decoder_;
  OutputParser parser_;
  const SessionCallbacks& callbacks_;
  bool cancelled_ = false;
};

}  // namespace detail

// As the template tells a query from a tool's answer in a user message.
template <GenerativeModel Model>
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

// The largest number of tokens of prompt and answer. Raises InputError when the prompt fills it.
template <GenerativeModel Model>
std::size_t Session<Model>::token_limit(std::size_t prompt) const {
  std::size_t limit = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  if (config_.max_new_tokens) {
    limit = prompt + static_cast<std::size_t>(*config_.max_new_tokens);
  } else if (config_.max_length) {
    limit = static_cast<std::size_t>(*config_.max_length);
  }
  if constexpr (requires(const Model& model) { model.config().max_position_embeddings; }) {
    limit = std::min(limit, static_cast<std::size_t>(model_->config().max_position_embeddings));
  }
  require<InputError>(prompt < limit, "Session: the conversation has ", prompt, " tokens, and at most ", limit,
                      " are possible with the answer");
  return limit;
}

// Are `held` the first of `ids`, with the same media among them?
template <GenerativeModel Model>
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
template <GenerativeModel Model>
void Session<Model>::go_back(std::span<const TokenId> ids, std::span<const MediaRun> runs) {
  const std::span<const TokenId> before = ids.first(ids.size() - 1);
  while (!snapshots_.empty() && !holds(snapshots_.back().snapshot.ids(), ids, runs)) {
    snapshots_.pop_back();
  }
  std::size_t usable = snapshots_.size();
  while (usable > 0 && snapshots_[usable - 1].snapshot.seq_length() > before.size()) {
    --usable;
  }
  const std::size_t held = usable > 0 ? snapshots_[usable - 1].snapshot.seq_length() : 0;
  const bool stays = cache_.seq_length() >= held && holds(cache_.ids(), before, runs);
  held_runs_.assign(runs.begin(), runs.end());
  if (stays) {
    return;
  }
  if (usable > 0) {
    cache_.restore(snapshots_[usable - 1].snapshot);
  } else {
    cache_.reset();
  }
  ++lineage_;  // what is written next goes to another buffer, since the snapshots share this one
}

template <GenerativeModel Model>
void Session<Model>::keep_snapshot() {
  if (options_.snapshot_bytes == 0 ||
      (!snapshots_.empty() && snapshots_.back().snapshot.seq_length() == cache_.seq_length())) {
    return;
  }
  snapshots_.push_back({cache_.snapshot(), lineage_, cache_.capacity() * Cache::slot_bytes(cache_.kv_dtype())});
  evict();
}

// Runs ids from the cache's end on, in pieces that cut no picture, with snapshots behind media and at `snapshot_at` (0:
// none). False when cancelled.
template <GenerativeModel Model>
bool Session<Model>::read(std::span<const TokenId> ids, const TurnMedia& media, std::size_t snapshot_at,
                          const SessionCallbacks& callbacks, Tensor<float>& logits) {
  const std::size_t start = cache_.seq_length();
  for (std::size_t at = start;;) {
    std::size_t goal = ids.size();  // the next place to stop at
    bool stop = at == snapshot_at && at > 0;
    for (const std::size_t end : media.ends) {
      stop = stop || at == end;
      goal = end > at ? std::min(goal, end) : goal;
    }
    if (stop) {
      keep_snapshot();
    }
    if (callbacks.progress && !callbacks.progress(at - start, ids.size() - start)) {
      return false;
    }
    if (at == ids.size()) {
      return true;
    }
    if (callbacks.proceed && !callbacks.proceed()) {
      return false;
    }
    goal = at < snapshot_at ? std::min(goal, snapshot_at) : goal;
    const std::size_t end = media.piece_end(at, std::min(at + options_.prefill_chunk, goal));
    logits = forward(ids.subspan(at, end - at), media);
    at = end;
  }
}

template <GenerativeModel Model>
Reply Session<Model>::extend(std::size_t keep, const std::vector<Message>& added, const SessionCallbacks& callbacks,
                             std::uint32_t attempt) {
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
  config.max_length = static_cast<std::int64_t>(token_limit(prompt));
  config.max_new_tokens.reset();

  Reply reply;
  if (*config.do_sample) {
    reply.seed = config.seed ? seed_of_attempt(*config.seed, attempt) : random_seed();
  }
  auto start = std::chrono::steady_clock::now();
  go_back(ids, turn_media.runs);
  reply.usage.prompt_tokens = prompt;
  reply.usage.cached_tokens = cache_.seq_length();
  std::size_t snapshot_at = chat.generation_prompt;
  for (std::size_t i = last_query(conversation); i < conversation.size(); ++i) {
    snapshot_at = conversation[i].role == Role::assistant ? 0 : snapshot_at;
  }
  Tensor<float> logits;
  const bool encoded = encode_media(conversation, media, pixels, callbacks, turn_media, reply);
  pixels.clear();  // hundreds of megabytes for a large picture
  const bool complete = encoded && read(ids, turn_media, snapshot_at, callbacks, logits);
  reply.usage.processed_tokens = cache_.seq_length() - reply.usage.cached_tokens;
  reply.prompt_seconds = detail::seconds_since(start);
  evict();
  if (!complete) {
    reply.finish_reason = FinishReason::cancelled;
    return reply;
  }

  start = std::chrono::steady_clock::now();
  const LogitsProcessorList processors = processors_of(config, prompt);
  const auto criteria = criteria_of(config, [this](TokenId id) { return tokenizer_->token_bytes(id); });
  Scratch scratch;
  GreedySampler greedy;
  MultinomialSampler multinomial;
  detail::ReplyWriter writer(*tokenizer_, {.starts_in_thinking = thinking, .tools = options_.tools}, callbacks);
  FinishReason reason = FinishReason::none;
  bool cancelled = false;
  bool closed_by_us = false;
  while (true) {
    SequenceRow row{.input_ids = ids, .prompt_length = prompt, .scratch = &scratch};
    std::vector<TokenId> next;
    if (options_.thinking_budget && writer.thinking() && !closed_by_us &&
        reply.usage.reasoning_tokens >= *options_.thinking_budget) {
      next = tokenizer_->encode("\n</think>\n\n");
      closed_by_us = true;
    } else {
      process(processors, row, logits.row(0));
      const DrawKey key{.seed = reply.seed, .position = static_cast<std::uint32_t>(ids.size())};
      next.push_back(*config.do_sample ? multinomial(logits.row(0), key) : greedy(logits.row(0), key));
    }
    for (const TokenId id : next) {
      ids.push_back(id);
      ++reply.usage.completion_tokens;
      reply.usage.reasoning_tokens += writer.thinking() ? 1u : 0u;
      if (!config.eos_token_id->contains(id)) {
        writer.push(id);
      }
      row.input_ids = ids;
      reason = finish_reason(criteria, row);
      if (reason != FinishReason::none) {
        break;
      }
    }
    cancelled = writer.cancelled() || (callbacks.proceed && reason == FinishReason::none && !callbacks.proceed());
    if (reason != FinishReason::none || cancelled) {
      break;
    }
    logits = forward(next);
  }

  const ParsedOutput& output = writer.finish();
  reply.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(prompt), ids.end());
  reply.text = output.content;
  reply.reasoning = output.reasoning;
  reply.tool_calls = output.tool_calls;
  const bool calls = std::any_of(output.tool_calls.begin(), output.tool_calls.end(),
                                 [](const ParsedToolCall& call) { return call.complete; });
  if (reason == FinishReason::none) {
    reason = FinishReason::cancelled;
  }
  reply.finish_reason = reason == FinishReason::stop && calls ? FinishReason::tool_calls : reason;
  Message message = output.to_message();
  message.reasoning_content = output.reasoning;  // also when empty: the answer is then not searched for a think block
  conversation.push_back(std::move(message));
  messages_ = std::move(conversation);
  attempt_ = attempt;
  media_ = std::move(media);
  evict();
  reply.generate_seconds = detail::seconds_since(start);
  return reply;
}

QWEN35_END_NAMESPACE
