// SPDX-License-Identifier: Apache-2.0
// To stop a long call from outside, and to be told how far it is.
#pragma once

#include <qwen35/core/error.hpp>
#include <qwen35/core/lifetime.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

QWEN35_BEGIN_NAMESPACE

// A call that was cancelled. What it was given is as before the call.
class CancelledError : public Error {
 public:
  using Error::Error;
};

// The wish that calls end, from any thread or a signal handler.
class Cancellation {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  void reset() noexcept { cancelled_.store(false, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

// Told how far a call is: "read" (bytes of weight files), "load" (tensors), "convert" (bytes of one that takes
// another format), "forward" (tokens times layers), "encode" (patches times layers), "pack" and "verify" (bytes of
// tensors, when they are done). From the thread of the call, at each 64 MiB, tensor or layer.
using CallProgress = std::function<void(std::string_view what, std::size_t done, std::size_t total)>;

// All calls of this thread in the scope can be cancelled, and tell their progress:
// - loads (Checkpoint, from_pretrained), encoding of pictures, forwards of more than one token of a sequence, pack(),
//   verify_packed() and verify_values() raise CancelledError: a load, a packing and a check of sums within 64 MiB, one
//   of values between two tensors, a forward between two layers; caches are then as before it (for that the linear
//   states are copied before such a forward), of a file that was to be packed nothing is left, and the same call again
//   gives what it would have given.
// - generate() raises it while it reads the prompt, and with beams; once tokens are written it returns those, with
//   FinishReason::cancelled. A Session's reply says FinishReason::cancelled, too.
// Scopes may stand in one another: each is obeyed. The cancellation must outlive the scope. Without exceptions forwards
// go on to their end; sessions and generate() stop between them.
class CallScope {
 public:
  explicit CallScope(const Cancellation& cancellation QWEN35_LIFETIMEBOUND, CallProgress progress = {})
      : cancellation_(&cancellation), progress_(std::move(progress)), outer_(innermost_) {
    innermost_ = this;
  }
  explicit CallScope(CallProgress progress) : progress_(std::move(progress)), outer_(innermost_) { innermost_ = this; }
  CallScope(const Cancellation&& temporary, CallProgress = {}) = delete;
  ~CallScope() { innermost_ = outer_; }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // Can a call of this thread be cancelled?
  static bool any() { return innermost_ != nullptr; }
  // Is one to end?
  static bool cancelled() {
    for (const CallScope* scope = innermost_; scope != nullptr; scope = scope->outer_) {
      if (scope->cancellation_ != nullptr && scope->cancellation_->cancelled()) {
        return true;
      }
    }
    return false;
  }
  // Tells all scopes, then raises CancelledError when one is cancelled.
  static void step(std::string_view what, std::size_t done, std::size_t total) {
    for (const CallScope* scope = innermost_; scope != nullptr; scope = scope->outer_) {
      if (scope->progress_) {
        scope->progress_(what, done, total);
      }
    }
#if defined(__cpp_exceptions)
    if (cancelled()) {
      raise<CancelledError>(concat(what, ": cancelled at ", done, " of ", total));
    }
#endif
  }

 private:
  const Cancellation* cancellation_ = nullptr;
  CallProgress progress_;
  const CallScope* outer_;
  static inline constinit thread_local const CallScope* innermost_ = nullptr;
};

// Runs a call; false when it was cancelled.
template <class Call>
bool run_unless_cancelled(Call&& call) {
#if defined(__cpp_exceptions)
  try {
    call();
  } catch (const CancelledError&) {
    return false;
  }
#else
  call();
#endif
  return true;
}

QWEN35_END_NAMESPACE
