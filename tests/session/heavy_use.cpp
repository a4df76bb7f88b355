// SPDX-License-Identifier: Apache-2.0
// One model and one tokenizer, used by many threads at once, which the thread sanitizer looks at, and for long.
// QWEN35_SOAK=100 makes the long use 100 times as long: 10^5 tokens and 10^4 turns (`sh cmake/run.sh soak`).
#include <qwen35/config/presets.hpp>
#include <qwen35/generate/batch.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/session/session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

using namespace qwen35;
using Shapes = CausalLM<configs::Shapes>;
using Tokens = std::vector<TokenId>;

const std::string folder = QWEN35_SOURCE_DIR "/examples/shapes";

Tokens conversation(Session<Shapes> session, const std::string& color) {
  Tokens out;
  for (const std::string& text : {"There is a " + color + " circle.", std::string("What color is the circle?")}) {
    const Tokens ids = session.send(Message::user(text)).ids;
    out.insert(out.end(), ids.begin(), ids.end());
  }
  return out;
}

Tokens batch(const Shapes& model, const Tokens& prompt) {
  Batch<Shapes> sequences(model, {.max_sequences = 3, .prefill_chunk = 4});
  std::vector<Batch<Shapes>::Handle> handles;
  for (const std::size_t length : {prompt.size(), prompt.size() - 1, prompt.size() / 2}) {
    handles.push_back(sequences.add(
        {.input_ids = Tokens(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(length)),
         .config = {.max_new_tokens = 6, .do_sample = true, .seed = length, .eos_token_id = TokenIds()}}));
  }
  while (sequences.step()) {
  }
  Tokens out;
  for (const auto handle : handles) {
    const auto ids = sequences.sequence(handle).generated();
    out.insert(out.end(), ids.begin(), ids.end());
  }
  return out;
}

// Bytes that the heap has given out; 0 where nobody counts them (the sanitizers' heap).
std::size_t heap_bytes() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

std::size_t times() {
  const char* const given = std::getenv("QWEN35_SOAK");
  return given == nullptr ? 1 : std::max<std::size_t>(1, std::strtoul(given, nullptr, 10));
}

// Heap bytes after each round but the first, which fills what is kept.
class Growth {
 public:
  void round() {
    const std::size_t now = heap_bytes();
    if (++rounds_ == 2) {
      first_ = now;
    }
    last_ = now;
  }
  // Between two rounds the same is held but for words and numbers of other lengths.
  void check(const char* what, std::size_t count) const {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    std::printf("%zu %s in %.1f s, heap %zu bytes after the second round, %zu after the last of %zu\n", count, what,
                seconds, first_, last_, rounds_);
    CHECK(last_ <= first_ + (std::size_t{1} << 16));
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::size_t rounds_ = 0, first_ = 0, last_ = 0;
};

const Shapes& shapes() {
  static const Shapes model = Shapes::from_pretrained(folder);
  return model;
}
const Tokenizer& tokenizer() {
  static const Tokenizer loaded = Tokenizer::from_pretrained(folder);
  return loaded;
}

}  // namespace

TEST_CASE("eight threads with conversations and batches of one model get what each gets alone") {
  SessionOptions options;
  options.enable_thinking = false;
  Session<Shapes> first(shapes(), tokenizer(), {.max_new_tokens = 6}, options);
  first.send(Message::user("Hello."));  // the forks share its pages
  const std::vector<std::string> colors{"red", "green", "blue", "yellow"};
  const auto work = [&](std::size_t i, Session<Shapes>& session) {
    const std::string& color = colors[i / 2];
    return i % 2 == 0 ? conversation(std::move(session), color)
                      : batch(shapes(), tokenizer().encode("There is a " + color + " circle."));
  };
  constexpr std::size_t count = 8;
  std::vector<Tokens> expected, found(count);
  for (std::size_t i = 0; i < count; ++i) {
    Session<Shapes> alone = first.fork();
    expected.push_back(work(i, alone));
    CHECK(expected.back().size() > 3);
  }
  // With the team of helpers, and as in a serial build: what the team's own synchronisation might hide is seen there.
  for (const int limit : {0, 1}) {
    set_thread_limit(limit);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i, session = first.fork()]() mutable {
        const ThreadCount two(2);
        found[i] = work(i, session);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    CHECK(found == expected);
    found.assign(count, {});
  }
  set_thread_limit(0);
}

TEST_CASE("generated tokens without end: no memory grows, and a sequence's tokens are those of a cold one") {
  const std::size_t rounds = 4 * times();
  constexpr std::size_t tokens = 250;
  Batch<Shapes> sequences(shapes(), {.max_sequences = 3});
  Growth growth;
  for (std::size_t round = 0; round < rounds; ++round) {
    const GenerationConfig config{
        .max_new_tokens = tokens, .do_sample = true, .seed = round, .eos_token_id = TokenIds()};
    const Tokens prompt = tokenizer().encode("There is a circle.");
    const auto handle = sequences.add({.input_ids = prompt, .config = config});
    while (sequences.step()) {
    }
    const auto removed = sequences.remove(handle);
    REQUIRE(removed.sequence.generated().size() == tokens);
    if (round % 50 == 3) {
      Batch<Shapes> cold(shapes(), {.max_sequences = 3});
      const auto again = cold.add({.input_ids = prompt, .config = config});
      while (cold.step()) {
      }
      CHECK(cold.sequence(again).ids == removed.sequence.ids);
    }
    growth.round();
  }
  growth.check("tokens", rounds * tokens);
}

TEST_CASE("turns without end: no memory grows, and a turn is that of a session which reads all of it anew") {
  const std::size_t rounds = 4 * times();
  constexpr std::size_t turns = 25;
  SessionOptions options;
  options.enable_thinking = false;
  options.system = "Answer well.";
  const GenerationConfig config{.max_new_tokens = 4};
  Session<Shapes> session(shapes(), tokenizer(), config, options);
  Growth growth;
  const std::vector<std::string> colors{"red", "green", "blue", "yellow"};
  for (std::size_t round = 0; round < rounds; ++round) {
    session.reset();
    for (std::size_t turn = 0; turn < turns; ++turn) {
      const Message message = Message::user("There is a " + colors[(round + turn) % 4] + " circle.");
      const bool compared = round % 25 == 1 && turn % 8 == 7;
      const std::vector<Message> history =
          compared ? std::vector<Message>(session.messages().begin(), session.messages().end())
                   : std::vector<Message>();
      const Tokens ids = session.send(message).ids;
      if (compared) {
        Session<Shapes> cold(shapes(), tokenizer(), config, options);
        cold.set_messages(history);
        CHECK(cold.send(message).ids == ids);
      }
    }
    session.reset();
    growth.round();
  }
  growth.check("turns", rounds * turns);
}
