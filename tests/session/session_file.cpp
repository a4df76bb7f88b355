// SPDX-License-Identifier: Apache-2.0
#undef _FORTIFY_SOURCE
#include <qwen35/session/session_file.hpp>

#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <doctest/doctest.h>

#include <filesystem>

#include "support/message_of.hpp"
#include "support/point_files.hpp"
#if defined(__linux__)
#include "support/system_faults.hpp"
#endif

namespace {

using Model = qwen35::CausalLM<qwen35::configs::Shapes>;
using Session = qwen35::Session<Model>;
using qwen35::Message;
using test_support::file_contents;
using test_support::put_file;

struct Shapes {
  Model model = Model::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  qwen35::Tokenizer tokenizer = qwen35::Tokenizer::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
};
const Shapes& shapes() {
  static const Shapes loaded;
  return loaded;
}

struct Folder {
  std::string path =
      (std::filesystem::temp_directory_path() / ("qwen35_session_" + std::to_string(std::rand()))).string();
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a loaded session goes on without reading its prompt again") {
  const auto& [model, tokenizer] = shapes();
  const Folder folder;
  const std::string path = folder.path + "/chat.json";
  qwen35::SessionOptions options;
  options.enable_thinking = true;
  options.system = "Answer \"well\".";
  Session session(model, tokenizer, {}, options);
  session.send(Message::user("There is a red circle and a blue star. What is right of the red circle?"));
  save_session(session, path);

  Session loaded(model, tokenizer);
  load_session(loaded, path);
  CHECK(loaded.messages() == session.messages());
  CHECK(loaded.options().system == options.system);
  CHECK(loaded.options().enable_thinking == options.enable_thinking);
  CHECK(loaded.cached_tokens() == session.cached_tokens());
  const Message next = Message::user("There is a green circle. What color is the circle?");
  const qwen35::Reply a = session.send(next);
  const qwen35::Reply b = loaded.send(next);
  CHECK(b.usage.cached_tokens == a.usage.cached_tokens);
  CHECK(b.usage.cached_tokens > 20);
  CHECK(b.ids == a.ids);

  CHECK(loaded.regenerate().ids == b.ids);

  // Files that are damaged leave the session alone.
  const std::vector<Message> before = loaded.messages();
  const std::string good = file_contents(path);
  std::string text = test_support::point_text(good);
  for (const std::string& bad :
       {good.substr(0, good.size() / 2), good.substr(0, good.size() - 9), std::string("{}"), std::string("[1]"),
        std::string(), test_support::point_file_of(text)}) {  // the last: its points are missing
    put_file(path, bad);
    CHECK(test_support::contains(test_support::message_of<qwen35::Error>([&] { load_session(loaded, path); }), path));
  }
  CHECK_THROWS_AS(load_session(loaded, folder.path + "/none"), qwen35::CacheError);
  CHECK_THROWS_AS(save_session(loaded, folder.path + "/no/such"), qwen35::CacheError);
  CHECK(loaded.messages() == before);
  CHECK(loaded.regenerate().ids == b.ids);

  // An early version's JSON, beside which stood files of caches: the conversation.
  text.replace(text.find("\"version\": 2"), 12, "\"version\": 1, \"cache\": true, \"turn\": true");
  put_file(path, text);
  load_session(loaded, path);
  CHECK(loaded.messages().size() == 2);
  CHECK(loaded.cached_tokens() == 0);
  CHECK(loaded.send(next).ids == a.ids);

  // An empty one.
  const Session empty(model, tokenizer);
  save_session(empty, path);
  load_session(loaded, path);
  CHECK(loaded.messages().empty());
  CHECK(loaded.send(next).usage.cached_tokens == 0);
}

TEST_CASE("after loading, a new conversation goes on from the system prompt") {
  const auto& [model, tokenizer] = shapes();
  const Folder folder;
  const std::string path = folder.path + "/chat";
  qwen35::SessionOptions options;
  options.system = "Answer well.";
  Session session(model, tokenizer, {.max_new_tokens = 5}, options);
  const Message first = Message::user("There is a red circle.");
  session.send(first);
  for (const bool empty : {false, true}) {
    if (empty) {
      session.reset();  // only the system prompt is held
    }
    save_session(session, path);
    Session loaded(model, tokenizer, {.max_new_tokens = 5});
    load_session(loaded, path);
    CHECK(loaded.messages() == session.messages());
    loaded.reset();
    session.reset();
    const qwen35::Reply a = session.send(first), b = loaded.send(first);
    CHECK(b.usage.cached_tokens == a.usage.cached_tokens);
    CHECK(b.usage.cached_tokens > 5);
    CHECK(b.ids == a.ids);
  }
}

TEST_CASE("after loading, edits go on from the snapshots within the budget") {
  const auto& [model, tokenizer] = shapes();
  const Folder folder;
  const std::string path = folder.path + "/chat";
  const std::size_t state = model.cache_layout(qwen35::DType::f32).state_bytes();
  qwen35::SessionOptions options;
  options.enable_thinking = false;
  Session session(model, tokenizer, {.max_new_tokens = 5}, options);
  std::vector<std::size_t> reused;
  for (const char* const color : {"red", "green", "blue"}) {
    reused.push_back(session.send(Message::user(std::string("There is a ") + color + " circle.")).usage.cached_tokens);
  }
  for (const std::size_t kept : {std::size_t{3}, std::size_t{2}, std::size_t{0}}) {
    options.saved_snapshot_bytes = kept * state + state - 1;
    Session saving(model, tokenizer, {.max_new_tokens = 5}, options);
    save_session(session, path);
    load_session(saving, path);
    save_session(saving, path);
    Session loaded(model, tokenizer, {.max_new_tokens = 5}, options);
    load_session(loaded, path);
    CHECK(loaded.snapshots() == kept);
    Session cold(model, tokenizer, {.max_new_tokens = 5}, options);
    for (const std::size_t turn : {2u, 1u}) {
      std::vector<Message> history(session.messages().begin(),
                                   session.messages().begin() + static_cast<std::ptrdiff_t>(2 * turn));
      loaded.set_messages(history);
      cold.set_messages(history);
      const qwen35::Reply reply = loaded.send(Message::user("What color is the star?"));
      CHECK(reply.usage.cached_tokens == (3 - turn < kept ? reused[turn] : 0));
      CHECK(reply.ids == cold.send(Message::user("What color is the star?")).ids);
    }
  }
}

#if defined(__linux__)
TEST_CASE("killed or failing at any system call, a save leaves the old session or the new one") {
  const auto& [model, tokenizer] = shapes();
  const Folder folder;
  const std::string path = folder.path + "/chat";
  Session before(model, tokenizer, {.max_new_tokens = 5});
  before.send(Message::user("There is a red circle."));
  Session after = before.fork();
  after.send(Message::user("There is a green triangle."));
  Session loaded(model, tokenizer, {.max_new_tokens = 5});
  const test_support::FaultReport report = test_support::fail_each_call(
      folder.path, true, [&] { save_session(before, path); }, [&] { save_session(after, path); },
      [&] {
        load_session(loaded, path);
        const Session& whole = loaded.messages().size() == 2 ? before : after;
        const bool equal = loaded.messages() == whole.messages() && loaded.cached_tokens() == whole.cached_tokens() &&
                           loaded.snapshots() == whole.snapshots();
        return std::string(!equal ? "a mixture" : &whole == &before ? "old" : "new");
      },
      {EIO});
  CHECK(report.calls > 20);
  for (const std::string& wrong : report.wrong) {
    FAIL_CHECK(wrong);
  }
}
#endif
