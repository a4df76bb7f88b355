// SPDX-License-Identifier: Apache-2.0
// A reply as a range of events: `for (const OutputEvent& event : session.stream(message))`.
#pragma once

#include <qwen35/core/lifetime.hpp>
#include <qwen35/parallel/thread_count.hpp>
#include <qwen35/session/session.hpp>

#include <condition_variable>
#include <exception>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

QWEN35_BEGIN_NAMESPACE

// The model runs on a thread of the stream's own, and only while an event is waited for: between two events the session
// stands still. Whoever leaves the loop cancels the reply there, with what was said up to then in the conversation. The
// session must outlive the stream, and is left alone while there is one. One loop over a stream. (The thread count is
// that of the thread that made the stream; its CallScopes do not reach.)
template <class Model>
class ReplyStream {
 public:
  class Iterator {
   public:
    using value_type = OutputEvent;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(ReplyStream& stream) : stream_(&stream) {}
    const OutputEvent& operator*() const { return *stream_->event_; }
    const OutputEvent* operator->() const { return &*stream_->event_; }
    Iterator& operator++() {
      stream_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !stream_->event_.has_value(); }

   private:
    ReplyStream* stream_ = nullptr;
  };

  ReplyStream(Session<Model>& session QWEN35_LIFETIMEBOUND, std::vector<Message> messages)
      : threads_(num_threads()), worker_([this, &session, added = std::move(messages)] { run(session, added); }) {}
  ~ReplyStream() {
    answer(Turn::cancelled);
    worker_.join();
  }
  ReplyStream(const ReplyStream&) = delete;
  ReplyStream& operator=(const ReplyStream&) = delete;

  // The first event. Raises, as going on does, what send() would have raised.
  Iterator begin() {
    next();
    return Iterator(*this);
  }
  std::default_sentinel_t end() const { return {}; }
  // Of a loop that came to its end.
  const Reply& reply() const QWEN35_LIFETIMEBOUND { return reply_; }

 private:
  enum class Turn { model, reader, ended, cancelled };

  // What the worker does.
  void run(Session<Model>& session, const std::vector<Message>& added) {
    const ThreadCount threads(threads_);
#if defined(__cpp_exceptions)
    try {
      speak(session, added);
    } catch (...) {
      error_ = std::current_exception();
    }
#else
    speak(session, added);
#endif
    answer(Turn::ended);
  }
  void speak(Session<Model>& session, const std::vector<Message>& added) {
    if (!wait(Turn::reader)) {
      return;
    }
    reply_ = session.send(added, {.event = [this](const OutputEvent& event) {
                            event_ = event;
                            answer(Turn::reader);
                            return wait(Turn::reader);
                          }});
  }
  // The reader's: until there is an event, or none any more.
  void next() {
    event_.reset();
    answer(Turn::model);
    wait(Turn::model);
    if (error_) {
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }
  // Hands the turn over; what ended stays so.
  void answer(Turn turn) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (turn_ != Turn::ended && turn_ != Turn::cancelled) {
        turn_ = turn;
      }
    }
    changed_.notify_all();
  }
  // Until it is no longer that turn. False when the stream is cancelled.
  bool wait(Turn turn) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return turn_ != turn; });
    return turn_ != Turn::cancelled;
  }

  const int threads_;  // of the thread that made the stream
  std::mutex mutex_;
  std::condition_variable changed_;
  Turn turn_ = Turn::reader;
  std::optional<OutputEvent> event_;
  Reply reply_;
  std::exception_ptr error_;
  std::thread worker_;  // the last: it uses the others
};

template <class Model>
ReplyStream<Model> Session<Model>::stream(std::vector<Message> messages) {
  return ReplyStream<Model>(*this, std::move(messages));
}

template <class Model>
ReplyStream<Model> Session<Model>::stream(Message message) {
  return stream(std::vector<Message>{std::move(message)});
}

QWEN35_END_NAMESPACE
