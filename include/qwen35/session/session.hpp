// SPDX-License-Identifier: Apache-2.0
// A conversation with a model that reads only what is new.
#pragma once

#include <qwen35/cache/rectangle_cache.hpp>
#include <qwen35/core/lifetime.hpp>
#include <qwen35/generate/batch.hpp>
#include <qwen35/session/reply_writer.hpp>
#include <qwen35/session/session_encoder.hpp>
#include <qwen35/session/session_media.hpp>
#include <qwen35/session/session_options.hpp>
#include <qwen35/text/output_parser.hpp>
#include <qwen35/text/storable.hpp>
#include <qwen35/text/tokenizer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

QWEN35_BEGIN_NAMESPACE

template <class Model>
class SessionFile;
template <class Model>
class ReplyStream;

// What a session takes for its tokenizer, template and media.
template <class P>
concept SessionProcessor = requires(const P& processor) {
  { processor.media_loader() } -> std::convertible_to<MediaLoader>;
  { processor.tokenizer } -> std::convertible_to<const Tokenizer&>;
  { processor.chat_template } -> std::convertible_to<ChatTemplate>;
};

// Each turn renders and encodes the whole conversation, goes back to the longest point of it that is held (the cache as
// it stands, or a snapshot), and runs the rest. A snapshot is kept before the first generation prompt after each real
// user turn (one that is no tool response), since what the model wrote from there on is rendered differently later:
// without its reasoning. One is kept behind the system prompt and the tools, for other conversations. Another is kept
// after each picture and video, so that a second question about it does not read it again. Pictures and videos in
// messages are for models that read them (ConditionalGeneration). They are loaded when their message is sent; what is
// held is compared by their content, not their name. The features are kept within SessionOptions::media_bytes, else
// made again from the part when needed. While a reply is made, its callbacks may look at the session, fork and save it,
// and set what the next reply takes; what changes the conversation is refused there with an InputError. The model and
// the tokenizer must outlive the session, or be its own, shared with others. One thread at a time.
template <class Model>
class Session {
  static_assert(SequenceModel<Model>, "Session: the model has to be a SequenceModel");

 public:
  // config: as for generate(); one sequence, no beams. With a seed in it the same conversation gets the same replies,
  // else each reply draws its own. Without a length the answer may go on to the model's last position, or to where a
  // cache of fixed capacity is full. Generation stops at the config's eos ids and always at <|im_end|>. Logs a warning
  // for a tokenizer with ids that the model has not. Raises InputError.
  Session(const Model& model QWEN35_LIFETIMEBOUND, const Tokenizer& tokenizer QWEN35_LIFETIMEBOUND,
          const GenerationConfig& config = {}, SessionOptions options = {})
      : model_(&model), tokenizer_(&tokenizer), options_(std::move(options)) {
    set_generation_config(config);
    set_system(options_.system);
    set_tools(options_.tools);
    require_within<std::size_t>("SessionOptions: prefill_chunk", options_.prefill_chunk, 1,
                                GenerationLimits::prefill_chunk);
    RectangleCache one(options_.cache);
    one.begin(1, 0, model.cache_layout(options_.cache.kv_dtype), 0);
    cache_ = std::move(one.take_sequences()[0]);
    if (const std::size_t known = vocab_size_of(model); known > 0 && tokenizer.id_end() > known) {
      log_warning("Session: the tokenizer has ids up to ", tokenizer.id_end() - 1, ", and the model ", known,
                  " tokens: is it another model's?");
    }
  }

  Session(const Model&& temporary, const Tokenizer&, const GenerationConfig& = {}, SessionOptions = {}) = delete;
  Session(const Model&, const Tokenizer&& temporary, const GenerationConfig& = {}, SessionOptions = {}) = delete;
  Session(const Model&& temporary, const Tokenizer&& too, const GenerationConfig& = {}, SessionOptions = {}) = delete;

  // The tokenizer, media and template of a Processor, which must outlive the session. (Its template stands above that
  // of the options.)
  template <SessionProcessor P>
  Session(const Model& model QWEN35_LIFETIMEBOUND, const P& processor QWEN35_LIFETIMEBOUND,
          const GenerationConfig& config = {}, SessionOptions options = {})
      : Session(model, processor.tokenizer, config, with(processor, std::move(options))) {}
  template <SessionProcessor P>
  Session(const Model&& temporary, const P&, const GenerationConfig& = {}, SessionOptions = {}) = delete;
  template <SessionProcessor P>
  Session(const Model&, const P&& temporary, const GenerationConfig& = {}, SessionOptions = {}) = delete;
  template <SessionProcessor P>
  Session(const Model&& temporary, const P&& too, const GenerationConfig& = {}, SessionOptions = {}) = delete;

  // Of a model and a tokenizer or processor that live as long as this session and its forks. Raises InputError for a
  // null pointer, too.
  Session(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer,
          const GenerationConfig& config = {}, SessionOptions options = {})
      : Session(given(model), given(tokenizer), config, std::move(options)) {
    owned_ = {std::move(model), std::move(tokenizer)};
  }
  template <SessionProcessor P>
  Session(std::shared_ptr<const Model> model, std::shared_ptr<P> processor, const GenerationConfig& config = {},
          SessionOptions options = {})
      : Session(given(model), std::as_const(given(processor)), config, std::move(options)) {
    owned_ = {std::move(model), std::move(processor)};
  }

  // Adds messages (a user turn, or the answers to tool calls) and lets the model reply. The reply joins the
  // conversation as far as it came. When not one token was generated, because of a cancellation or an error, the
  // conversation is as before. Raises InputError (too long, media for a model that reads text alone), MediaError (a
  // picture that cannot be read), TextError (what could not be saved and loaded, what the template refuses).
  Reply send(Message message, const SessionCallbacks& callbacks = {}) {
    return send(std::vector<Message>{std::move(message)}, callbacks);
  }
  Reply send(const std::vector<Message>& messages, const SessionCallbacks& callbacks = {}) {
    const Changing changing(*this, "send");
    return extend(messages_.size(), messages, callbacks);
  }
  // The same as a range of events: `for (const OutputEvent& event : session.stream(message))`. For programs that
  // include reply_stream.hpp.
  ReplyStream<Model> stream(Message message) QWEN35_LIFETIMEBOUND;
  ReplyStream<Model> stream(std::vector<Message> messages) QWEN35_LIFETIMEBOUND;
  // Puts `message` in the place of the last real user turn and all that followed. Raises InputError when there is none.
  Reply edit(Message message, const SessionCallbacks& callbacks = {}) {
    const Changing changing(*this, "edit");
    return extend(last_query(messages_), {std::move(message)}, callbacks);
  }
  // Another reply to the last real user turn: with a seed, what the next seed_of_attempt() gives. (Greedy search has
  // one reply.)
  Reply regenerate(const SessionCallbacks& callbacks = {}) {
    const Changing changing(*this, "regenerate");
    return extend(last_query(messages_) + 1, {}, callbacks, attempt_ + 1);
  }
  // Takes the last real user turn and all that followed out of the conversation.
  void undo() {
    const Changing changing(*this, "undo");
    messages_.resize(last_query(messages_));
    attempt_ = 0;
    media_.resize(std::min(media_.size(), count_media(messages_)));
  }
  // An empty conversation; nothing is held any more but the system prompt and the tools, which the next one may share.
  void reset() {
    const Changing changing(*this, "reset");
    messages_.clear();
    attempt_ = 0;
    media_.clear();
    features_.clear();
    held_runs_.clear();
    snapshots_.clear();
    cache_.reset();
  }
  // A second session that goes on from here. Keys and values are shared until one of them writes.
  Session fork() const { return Session(*this, 0); }

  // Without the system prompt.
  const std::vector<Message>& messages() const QWEN35_LIFETIMEBOUND { return messages_; }
  const SessionOptions& options() const QWEN35_LIFETIMEBOUND { return options_; }
  const GenerationConfig& generation_config() const QWEN35_LIFETIMEBOUND { return config_; }
  const Model& model() const { return *model_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  // Raises TextError, as the next two do, for what could not be saved and loaded again; see require_storable().
  void set_messages(std::vector<Message> messages) {
    const Changing changing(*this, "set_messages");
    check_messages(messages, 0);
    messages_ = std::move(messages);
    attempt_ = 0;
    media_.clear();
  }
  void set_system(std::string system) {
    require_utf8(system, "system");
    options_.system = std::move(system);
  }
  void set_tools(std::vector<json::Value> tools) {
    for (std::size_t i = 0; i < tools.size(); ++i) {
      require<TextError>(tools[i].is_object(), "tools[", i, "]: expected a JSON schema object, found ",
                         json::found(tools[i]));
      require_storable(tools[i], concat("tools[", i, "]"));
    }
    options_.tools = std::move(tools);
  }
  void set_enable_thinking(std::optional<bool> thinking) { options_.enable_thinking = thinking; }
  void set_thinking_budget(std::optional<std::size_t> budget) { options_.thinking_budget = budget; }
  // Nothing: each reply draws its own.
  void set_seed(std::optional<std::uint64_t> seed) { config_.seed = seed; }
  void set_generation_config(const GenerationConfig& config) {
    refuse_step_outputs(config, "Session");
    GenerationConfig complete = merge_config(*model_, config);
    require<InputError>(
        *complete.num_beams == 1 && *complete.num_return_sequences == 1 && *complete.guidance_scale == 1.0,
        "Session: one sequence, no beams and no guidance, found num_beams ", *complete.num_beams,
        ", num_return_sequences ", *complete.num_return_sequences, ", guidance_scale ", *complete.guidance_scale);
    const TokenId end = tokenizer_->convert_tokens_to_ids("<|im_end|>");
    TokenIds eos = complete.eos_token_id.value_or(TokenIds());
    if (end >= 0 && !eos.contains(end)) {
      eos.push_back(end);
    }
    complete.eos_token_id = eos;
    config_ = complete;
  }

  std::size_t cached_tokens() const { return cache_.tokens(); }
  std::size_t cache_bytes() const { return cache_.bytes(); }
  // Of turns and media.
  std::size_t snapshots() const { return snapshots_.size(); }
  // Bytes of the pictures' features.
  std::size_t media_bytes() const { return features_.bytes(); }
  // Bytes of the snapshots: their linear states, and the pages of keys and values that the running cache does not hold.
  std::size_t snapshot_bytes() const {
    std::size_t bytes = 0;
    const SequencePoint* const system = system_ ? &*system_ : nullptr;
    for (std::size_t i = system != nullptr ? 0 : 1; i <= snapshots_.size(); ++i) {
      const SequencePoint& point = i == 0 ? *system : snapshots_[i - 1];
      bytes += point.bytes();
      // Pages that are shared stand at the same place.
      for (std::size_t page = 0; page < point.cache().pages(); ++page) {
        bool counted = has_page(cache_, point.cache(), page) ||
                       (i > 0 && system != nullptr && has_page(system->cache(), point.cache(), page));
        for (std::size_t k = 1; k < i && !counted; ++k) {
          counted = has_page(snapshots_[k - 1].cache(), point.cache(), page);
        }
        bytes += counted ? 0 : point.cache().layout().page_bytes();
      }
    }
    return bytes;
  }

 private:
  template <class>
  friend class SessionFile;

  Session(const Session& other, int)
      : model_(other.model_),
        tokenizer_(other.tokenizer_),
        config_(other.config_),
        options_(other.options_),
        messages_(other.messages_),
        attempt_(other.attempt_),
        media_(other.media_),
        features_(other.features_),
        held_runs_(other.held_runs_),
        cache_(other.cache_.fork()),
        system_(other.system_),
        snapshots_(other.snapshots_),
        owned_(other.owned_) {
    options_.cache.storage = {};
  }

  template <class T>
  static T& given(const std::shared_ptr<T>& pointer) {
    require<InputError>(pointer != nullptr, "Session: a null pointer for a model, tokenizer or processor");
    return *pointer;
  }
  // Whether a call changes the conversation: not of a session that is made of another one. (libc++ has std::atomic_ref
  // from its version 19 on.)
  struct AtWork : std::atomic<bool> {
    AtWork() noexcept : std::atomic<bool>(false) {}
    AtWork(const AtWork&) noexcept : AtWork() {}
    AtWork& operator=(const AtWork&) noexcept { return *this; }
  };
  // A call that changes the conversation, until it ends. Raises InputError for one within another, of a callback or of
  // another thread.
  class Changing {
   public:
    Changing(Session& session, const char* call) : changing_(session.changing_) {
      require<InputError>(!changing_.exchange(true), "Session: ", call,
                          "() while a reply is made: the conversation that it belongs to can be changed when it has ",
                          "ended; to end it early, return false from the callback, or leave the loop over the stream ",
                          "and the stream's scope (a second thread takes a session of its own: fork())");
    }
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;
    ~Changing() { changing_.store(false); }

   private:
    std::atomic<bool>& changing_;
  };
  // `first`: the place of the first of them in the conversation.
  static void check_messages(const std::vector<Message>& messages, std::size_t first) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      require_storable(messages[i], concat("messages[", first + i, "]"));
    }
  }
  static bool has_page(const SequenceCache& cache, const SequenceCache& other, std::size_t page) {
    return page < cache.pages() && cache.page_data()[page] == other.page_data()[page];
  }
  static bool is_query(const Message& message);
  // The index of the last real user turn. Raises InputError.
  static std::size_t last_query(const std::vector<Message>& messages) {
    for (std::size_t i = messages.size(); i-- > 0;) {
      if (is_query(messages[i])) {
        return i;
      }
    }
    raise<InputError>("Session: there is no user turn yet");
  }

  template <class P>
  static SessionOptions with(const P& processor, SessionOptions options) {
    options.chat_template = processor.chat_template;
    if (!options.media_loader) {
      options.media_loader = processor.media_loader();
    }
    return options;
  }

  Reply extend(std::size_t keep, const std::vector<Message>& added, const SessionCallbacks& callbacks,
               std::uint32_t attempt = 0);
  EncodedChat encode(const std::vector<Message>& conversation, const std::vector<SessionMedium>& media, bool& thinking,
                     TurnMedia& turn_media) const;
  // Of the model, as far as it says so.
  std::size_t max_positions() const {
    if constexpr (requires(const Model& model) { model.config().get_text_config(); }) {
      return static_cast<std::size_t>(model_->config().get_text_config().max_position_embeddings);
    } else {
      return static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
    }
  }
  std::size_t token_limit(std::size_t prompt) const;
  // Pixels of the media that were loaded in this call, by their place in the conversation.
  using Pixels = std::vector<std::pair<std::size_t, LoadedMedium>>;
  LoadedMedium load(const Message& message, std::size_t i, std::size_t k) const;
  void load_new(const std::vector<Message>& conversation, std::vector<SessionMedium>& media, Pixels& pixels) const;
  bool encode_media(const std::vector<Message>& conversation, const std::vector<SessionMedium>& media, Pixels& pixels,
                    const SessionCallbacks& callbacks, TurnMedia& turn_media, Reply& reply);
  bool holds(std::span<const TokenId> held, std::span<const TokenId> ids, std::span<const MediaRun> runs) const;
  void go_back(std::span<const TokenId> ids, std::span<const MediaRun> runs);
  void keep_system();
  void keep_snapshot();
  // The newest turn's goes last, that of the system prompt before it.
  void evict() {
    while ((system_ || !snapshots_.empty()) && snapshot_bytes() > options_.snapshot_bytes) {
      if (system_ && snapshots_.size() <= 1) {
        system_.reset();
      } else {
        snapshots_.erase(snapshots_.begin());
      }
    }
  }
  PromptRows prompt_rows(std::span<const TokenId> ids, const TurnMedia& media) const;
  std::vector<std::size_t> piece_ends(std::size_t prompt, const TurnMedia& media, std::size_t system_end,
                                      std::size_t query_end) const;
  bool read(Batch<Model>& batch, std::size_t prompt, const TurnMedia& media, std::size_t system_end,
            std::size_t query_end, const SessionCallbacks& callbacks);
  bool write(Batch<Model>& batch, typename Batch<Model>::Handle handle, const ReplyWriter& writer,
             const SessionCallbacks& callbacks, const Usage& usage);

  const Model* model_;
  const Tokenizer* tokenizer_;
  GenerationConfig config_;
  SessionOptions options_;
  std::vector<Message> messages_;
  std::uint32_t attempt_ = 0;  // at the last reply
  std::vector<SessionMedium>
      media_;  // of messages_, from the first on; those of set_messages() are loaded when they are needed
  FeatureStore features_;
  std::vector<MediaRun> held_runs_;  // media among the tokens of the cache and the snapshots, and maybe behind them
  SequenceCache cache_;
  std::optional<SequencePoint> system_;   // behind the system prompt and the tools
  std::vector<SequencePoint> snapshots_;  // from short to long, each a prefix of the next
  AtWork changing_;
  std::unique_ptr<Batch<Model>> batch_;               // in which the sequence stands while a reply is made
  std::array<std::shared_ptr<const void>, 2> owned_;  // what model_, tokenizer_ and the media loader look at
};

template <class Model, class Texts, class... More>
Session(std::shared_ptr<Model>, std::shared_ptr<Texts>, More...) -> Session<std::remove_const_t<Model>>;

QWEN35_END_NAMESPACE

#include <qwen35/session/session_impl.hpp>
