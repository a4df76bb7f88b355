// SPDX-License-Identifier: Apache-2.0
#undef _FORTIFY_SOURCE
#include <qwen35/session/session_file.hpp>

#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "support/allocation_faults.hpp"
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

// Random conversations of all that may enter one.
class RandomConversation {
 public:
  explicit RandomConversation(unsigned seed) : random_(seed) {}

  qwen35::SavedConversation make() {
    qwen35::SavedConversation out;
    out.system = text();
    out.enable_thinking = below(3) == 0 ? std::nullopt : std::optional<bool>(below(2) == 0);
    out.preserve_thinking = below(2) == 0;
    out.attempt = below(3);
    out.points.assign(below(3), "snapshot");
    for (unsigned i = below(3); i > 0; --i) {
      out.tools.push_back(object(3));
    }
    for (unsigned i = below(6); i > 0; --i) {
      out.messages.push_back(message());
    }
    return out;
  }
  qwen35::json::Value nested(std::size_t levels) {
    qwen35::json::Value out = qwen35::json::Value::object();
    for (std::size_t i = 1; i < levels; ++i) {
      qwen35::json::Value outer =
          i + 1 == levels || below(2) == 0 ? qwen35::json::Value::object() : qwen35::json::Value::array();
      outer.is_object() ? void(outer["x"] = std::move(out)) : outer.push_back(std::move(out));
      out = std::move(outer);
    }
    return out;
  }

 private:
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  std::string text() {
    static const std::vector<std::string> pieces{
        "",           "a",      "\"",     "\\",         "\n",       std::string("\0", 1), "\x7f",   "\u00e9",
        "\U0001f600", "\u2028", "\uffff", "<|im_end|>", "</think>", "{\"a\": 1}",         "\ufeff", "\x1b[0m"};
    std::string out;
    for (unsigned i = below(5); i > 0; --i) {
      out += below(3) == 0 ? character() : pieces[below(static_cast<unsigned>(pieces.size()))];
    }
    return out;
  }
  // Any of Unicode's, through an escape of JSON, as a pair of them beyond the first plane.
  std::string character() {
    std::uint32_t point = below(0x110000);
    point = point >= 0xD800 && point < 0xE000 ? point - 0x800 : point;
    const auto unit = [](std::uint32_t code) {
      char escape[16];
      std::snprintf(escape, sizeof(escape), "\\u%04x", code);
      return std::string(escape);
    };
    const std::string escapes =
        point < 0x10000 ? unit(point) : unit(0xD7C0 + (point >> 10)) + unit(0xDC00 + (point & 0x3FF));
    return qwen35::json::parse("\"" + escapes + "\"").as_string();
  }
  qwen35::json::Value object(unsigned depth) {
    qwen35::json::Value out = qwen35::json::Value::object();
    for (unsigned i = below(4); i > 0; --i) {
      out[text()] = value(depth);
    }
    return out;
  }
  qwen35::json::Value value(unsigned depth) {
    using qwen35::json::Value;
    switch (below(depth > 0 ? 10 : 8)) {
      case 0:
        return Value();
      case 1:
        return Value(below(2) == 0);
      case 2:
        return Value(static_cast<std::int64_t>(random_()) * (below(2) == 0 ? -1 : 1));
      case 3:
        // Of up to 309 digits, the largest that is a double.
        return Value::integer((below(2) == 0 ? "-" : "") +
                              (below(2) == 0 ? std::string(1 + below(308), '7') : "1" + std::string(below(309), '0')));
      case 4: {
        const std::uint64_t bits = random_() << 32 ^ random_();
        double number = 0.0;
        std::memcpy(&number, &bits, sizeof(number));
        return Value(std::isfinite(number) ? number : -0.0);
      }
      case 5:
        return Value(static_cast<double>(below(100)) / 8.0);
      case 8:
        return object(depth - 1);
      case 9: {
        Value out = Value::array();
        for (unsigned i = below(4); i > 0; --i) {
          out.push_back(value(depth - 1));
        }
        return out;
      }
      default:
        return Value(text());
    }
  }
  Message message() {
    using qwen35::ContentPart;
    Message out;
    out.role = static_cast<qwen35::Role>(below(4));
    if (below(2) == 0) {
      out.content = text();
    } else {
      std::vector<ContentPart> parts;
      for (unsigned i = below(4); i > 0; --i) {
        const unsigned kind = below(3);
        parts.push_back(kind == 0   ? ContentPart::text(text())
                        : kind == 1 ? ContentPart::image(below(2) == 0 ? text() : "data:image/png;base64,AAAA")
                                    : ContentPart::video(text()));
      }
      out.content = parts;
    }
    if (below(2) == 0) {
      out.reasoning_content = text();
    }
    for (unsigned i = below(3); i > 0; --i) {
      out.tool_calls.push_back(
          {"f" + text(), below(20) == 0 ? nested(qwen35::storable_depth) : object(4), below(2) == 0 ? text() : ""});
    }
    out.tool_call_id = below(2) == 0 ? text() : "";
    return out;
  }

  std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("what may enter a conversation comes back from a file") {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    const qwen35::SavedConversation out = RandomConversation(seed).make();
    for (const Message& message : out.messages) {
      REQUIRE_NOTHROW(qwen35::require_storable(message, "it"));
    }
    const std::string text = qwen35::json::dump(qwen35::conversation_to_json(out));
    const qwen35::SavedConversation in = qwen35::conversation_from_json(
        qwen35::json::parse(text, "it", qwen35::conversation_depth), "it", qwen35::SourcePolicy::everything(), 100);
    REQUIRE(in.messages == out.messages);
    REQUIRE(in.tools == out.tools);
    REQUIRE(in.system == out.system);
    REQUIRE(in.enable_thinking == out.enable_thinking);
    REQUIRE(in.preserve_thinking == out.preserve_thinking);
    REQUIRE(in.attempt == out.attempt);
    REQUIRE(in.points == out.points);
  }
}

TEST_CASE("what could not be loaded again does not enter a session") {
  const auto& [model, tokenizer] = shapes();
  Session session(model, tokenizer, {.max_new_tokens = 2});
  const auto refused = [&](const Message& message, const char* what) {
    const std::string sent = test_support::message_of<qwen35::TextError>([&] { session.send(message); });
    CHECK(test_support::contains(sent, what));
    CHECK(sent == test_support::message_of<qwen35::TextError>([&] { session.set_messages({message}); }));
    CHECK(session.messages().empty());
  };
  const auto call = [](qwen35::json::Value arguments) {
    Message out = Message::user("Hello");
    out.tool_calls = {{"f", std::move(arguments)}};
    return out;
  };
  const auto one = [](qwen35::json::Value value) {
    qwen35::json::Value out = qwen35::json::Value::object();
    out["x"] = std::move(value);
    return out;
  };
  RandomConversation random(1);
  refused(Message::user("\xff"), "messages[0].content: the byte at 0 is not UTF-8");
  refused(Message::user(std::vector{qwen35::ContentPart::image("a\xc0")}), "messages[0].content: the byte at 1");
  refused(call(one(qwen35::json::Value(std::nan("")))), "messages[0].tool_calls: a number that JSON cannot write");
  refused(call(one(qwen35::json::Value(-HUGE_VAL))), "a number that JSON cannot write");
  refused(call(one(qwen35::json::Value::integer(std::string(309, '9')))), "beyond the doubles");
  refused(call(random.nested(qwen35::storable_depth + 1)), "nested deeper than 513 levels");
  refused(call(random.nested(2000)), "nested deeper than 513 levels");
  refused(call(qwen35::json::Value()), "arguments that are no object");
  qwen35::json::Value twice = one(qwen35::json::Value(1));
  twice.members().push_back(twice.members()[0]);
  refused(call(twice), "two members of the name \"x\"");
  Message no_name = call(one(qwen35::json::Value(1)));
  no_name.tool_calls[0].name.clear();
  refused(no_name, "a call without a name");
  Message id = Message::user("Hello");
  id.tool_call_id = "\x80";
  refused(id, "messages[0].tool_call_id");
  CHECK_THROWS_AS(session.set_system("\xff"), qwen35::TextError);
  CHECK_THROWS_AS(session.set_tools({one(qwen35::json::Value(std::nan("")))}), qwen35::TextError);
  CHECK_THROWS_AS(session.set_tools({qwen35::json::Value(1)}), qwen35::TextError);
  qwen35::SessionOptions options;
  options.system = "\xff";
  CHECK_THROWS_AS(Session(model, tokenizer, {}, options), qwen35::TextError);
}

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

  Session small(model, tokenizer, {}, {.cache = {.capacity = 5}});
  CHECK(test_support::message_of<qwen35::CacheError>([&] { load_session(small, path); }) ==
        qwen35::concat(path, ": the session has ", session.cached_tokens(),
                       " tokens, the cache holds 5 (CacheOptions::capacity)"));
  CHECK(small.messages().empty());
  Session loaded(model, tokenizer);
  load_session(loaded, path);
  CHECK(loaded.messages() == session.messages());
  // Not in a callback: the reply would then belong to another conversation.
  const auto load_within = [&] {
    loaded.send(Message::user("x"), {.proceed = [&] { return load_session(loaded, path), true; }});
  };
  CHECK(test_support::contains(test_support::message_of<qwen35::InputError>(load_within), "load_session()"));
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

  // Pictures of which only their sizes are known, for a model that reads none.
  qwen35::SavedConversation pictures;
  pictures.messages = {Message::user(std::vector{qwen35::ContentPart::image("data:image/gif;base64,R0lGODlh")})};
  pictures.media = {{qwen35::PartType::image, {1, 4, 4}, {}, 2, 12345}};
  put_file(path, test_support::point_file_of(qwen35::json::dump(qwen35::conversation_to_json(pictures))));
  CHECK_THROWS_WITH_AS(load_session(loaded, path), doctest::Contains("it has pictures or videos"), qwen35::TextError);
  CHECK(loaded.messages() == before);

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

TEST_CASE("without memory for any allocation of a turn, a save or a load, the session is as before") {
  const auto& [model, tokenizer] = shapes();
  const Folder folder;
  const std::string path = folder.path + "/chat";
  qwen35::SessionOptions options;
  options.system = "Answer well.";
  options.enable_thinking = false;
  Session start(model, tokenizer, {.max_new_tokens = 3}, options);
  start.send(Message::user("There is a red circle."));
  const Message next = Message::user("What color is the circle?");
  Session whole = start.fork();
  const std::vector<qwen35::TokenId> ids = whole.send(next).ids;
  std::size_t failures = 0;
  const auto check = [&](Session& session) {
    ++failures;
    CHECK(session.messages() == start.messages());
    CHECK(session.send(next).ids == ids);
  };
  Session counted = start.fork();
  for (const std::size_t at :
       test_support::some_allocations(test_support::count_allocations([&] { counted.send(next); }), 40)) {
    CAPTURE(at);
    Session session = start.fork();
    if (test_support::fails_without_memory(at, [&] { session.send(next); })) {
      check(session);
    }
  }
  for (const std::size_t at :
       test_support::some_allocations(test_support::count_allocations([&] { save_session(whole, path); }), 15)) {
    CAPTURE(at);
    save_session(start, path);
    const bool failed = test_support::fails_without_memory(at, [&] { save_session(whole, path); });
    Session loaded(model, tokenizer, {.max_new_tokens = 3}, options);
    load_session(loaded, path);
    CHECK(loaded.messages() == (failed ? start : whole).messages());
    failures += failed ? 1 : 0;
  }
  save_session(whole, path);
  for (const std::size_t at :
       test_support::some_allocations(test_support::count_allocations([&] { load_session(counted, path); }), 15)) {
    CAPTURE(at);
    Session session = start.fork();
    if (test_support::fails_without_memory(at, [&] { load_session(session, path); })) {
      check(session);
    }
  }
  CHECK(failures > 40);
}

TEST_CASE(
    "without memory for any allocation of loading a model or a tokenizer, or of reading a text, nothing is lost") {
  const std::string folder = QWEN35_SOURCE_DIR "/examples/shapes";
  const qwen35::Tokenizer& tokenizer = shapes().tokenizer;
  const std::string text = "There is a r\u0065\u0301d circle.<|im_end|>";
  const std::vector<qwen35::TokenId> ids = tokenizer.encode(text);
  std::size_t failures = 0;
  const auto sweep = [&](std::size_t most, const auto& work) {
    for (const std::size_t at : test_support::some_allocations(test_support::count_allocations(work), most)) {
      CAPTURE(at);
      failures += test_support::fails_without_memory(at, work) ? 1u : 0u;
      CHECK(tokenizer.encode(text) == ids);
    }
  };
  sweep(30, [&] { Model::from_pretrained(folder); });
  sweep(60, [&] { qwen35::Tokenizer::from_pretrained(folder); });
  sweep(60, [&] { tokenizer.encode(text); });
  sweep(60, [&] { tokenizer({text, "a"}, {.padding = qwen35::Padding::longest, .return_offsets_mapping = true}); });
  sweep(60, [&] { tokenizer.apply_chat_template(std::vector{Message::user(text)}); });
  CHECK(failures > 150);
}
