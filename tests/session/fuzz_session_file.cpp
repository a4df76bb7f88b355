// SPDX-License-Identifier: Apache-2.0
// Any conversation in a session's file, with a checksum that fits and points of the model: an error that leaves the
// session as it was, or one that can be saved, loaded and continued.
#include <qwen35/config/presets.hpp>
#include <qwen35/model/causal_lm.hpp>
#include <qwen35/session/session_file.hpp>

#include "../cmake/shapes_model.hpp"
#include "support/fuzz.hpp"
#include "support/json_mutator.hpp"
#include "support/point_files.hpp"

namespace {

using namespace qwen35;
using Chat = CausalLM<configs::Shapes>;

struct Shapes {
  Chat model = Chat::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  Tokenizer tokenizer = Tokenizer::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  fuzz::Folder folder{"session_file"};
  std::vector<SequencePoint> points;

  Shapes() {
    Session<Chat> session(model, tokenizer, {.max_new_tokens = 2});
    session.send(Message::user("There is a red circle."));
    const std::string path = folder.path() + "/chat";
    save_session(session, path);
    points = load_points(path, model.cache_layout(DType::f32), model.fingerprint()).points;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Shapes shapes;
  const std::string path = shapes.folder.path() + "/given";
  const std::string_view text = fuzz::text_of(data, size);
  // As many points as it names, so that it is not refused for that alone.
  std::size_t named = 0;
  if (const auto value = json::try_parse(text); value && value->find("points") != nullptr) {
    named = std::min(value->find("points")->size(), shapes.points.size());
  }
  save_points(text, std::span(shapes.points).first(named), path);
  Session<Chat> session(shapes.model, shapes.tokenizer, {.max_new_tokens = 2});
  const bool loaded = fuzz::attempt([&] { load_session(session, path); });
  if (!loaded) {
    fuzz::expect(session.messages().empty() && session.cached_tokens() == 0);
    return 0;
  }
  save_session(session, path);
  Session<Chat> again(shapes.model, shapes.tokenizer, {.max_new_tokens = 2});
  load_session(again, path);
  fuzz::expect(again.messages() == session.messages() && again.cached_tokens() == session.cached_tokens());
  std::vector<TokenId> ids;
  const bool sent = fuzz::attempt([&] { ids = session.send(Message::user("And?")).ids; });
  fuzz::expect(sent == fuzz::attempt([&] { fuzz::expect(again.send(Message::user("And?")).ids == ids); }));
  return 0;
}
