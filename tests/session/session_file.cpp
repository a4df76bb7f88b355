// SPDX-License-Identifier: Apache-2.0
#include <qwen35/session/session_file.hpp>

#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

namespace {

using Model = qwen35::CausalLM<qwen35::configs::Shapes>;
using Session = qwen35::Session<Model>;
using qwen35::Message;

struct Folder {
  std::string path =
      (std::filesystem::temp_directory_path() / ("qwen35_session_" + std::to_string(std::rand()))).string();
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("a loaded session goes on without reading its prompt again") {
  const Model model = Model::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  const qwen35::Tokenizer tokenizer = qwen35::Tokenizer::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
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

  // Files that are damaged leave the session alone.
  const std::vector<Message> before = loaded.messages();
  const std::string text = read(path);
  const std::string turn = read(path + ".turn");
  write(path, text.substr(0, text.size() / 2));
  CHECK_THROWS_AS(load_session(loaded, path), qwen35::TextError);
  write(path, "{}");
  CHECK_THROWS_AS(load_session(loaded, path), qwen35::TextError);
  write(path, "[1]");
  CHECK_THROWS_AS(load_session(loaded, path), qwen35::TextError);
  write(path, text);
  write(path + ".turn", turn.substr(0, turn.size() - 9));
  CHECK_THROWS_AS(load_session(loaded, path), qwen35::CacheError);
  CHECK_THROWS_AS(load_session(loaded, folder.path + "/none"), qwen35::TextError);
  CHECK_THROWS_AS(save_session(loaded, folder.path + "/no/such"), qwen35::CacheError);
  CHECK(loaded.messages() == before);
  CHECK(loaded.regenerate().ids == b.ids);

  // An empty one.
  const Session empty(model, tokenizer);
  save_session(empty, path);
  load_session(loaded, path);
  CHECK(loaded.messages().empty());
  CHECK(loaded.send(next).usage.cached_tokens == 0);
}
