// SPDX-License-Identifier: Apache-2.0
// What looks at an object, of one that is gone: Clang warns of each.
// compiler: Clang
// flags: -Werror=dangling
// expect: 'config'
// expect: 'file'
// expect: 'member'
// expect: 'text'
// expect: 'bytes'
// expect: 'tokens'
// expect: 'row'
// expect: 'pixels'
// expect: 'messages'
// expect: 'settings'
// expect: 'problem'
// expect: 'state'
#include <qwen35/core/result.hpp>
#include <qwen35/media/image.hpp>
#include <qwen35/model.hpp>
#include <qwen35/session/session.hpp>

using namespace qwen35;
using TextLM = CausalLM<configs::Shapes>;

template <class T>
T make();

std::size_t call() {
#if defined(QWEN35_POSITIVE_CONTROL)
  const auto checkpoint = make<Checkpoint>();
  const json::Value& config = checkpoint.config();
  return config.size();
#else
  const json::Value& config = make<Checkpoint>().config();
  const std::string_view file = make<Checkpoint>().text("config.json");
  const json::Value* const member = json::parse("{}").find("a");
  const std::string& text = json::parse("\"a\"").as_string();
  const std::span<const std::byte> bytes = MappedFile("a").bytes();
  const std::span<const TokenId> tokens = make<HybridCache<configs::Shapes> >().ids();
  const auto row = make<Tensor<float> >().row(0);
  const auto pixels = make<Image>().pixels();
  const std::vector<Message>& messages = make<Session<TextLM> >().messages();
  const json::Value& settings = make<TextLM>().generation_config();
  const Failure& problem = make<Result<int> >().failure();
  const auto state = make<SequenceCache>().states();
  return config.size() + file.size() + (member != nullptr ? 1 : 0) + text.size() + bytes.size() + tokens.size() +
         row.size() + pixels.size() + messages.size() + settings.size() + problem.message.size() + state.size();
#endif
}
