// SPDX-License-Identifier: Apache-2.0
// Four uses in one file, as each costs the model's headers.
// expect: Session(const Model&&
// expect: const Tokenizer&& temporary
// expect: Batch(const M&&
// expect: new_tokens(
// expect: deleted
#include <qwen35/model.hpp>
#include <qwen35/session/session.hpp>

using namespace qwen35;
using TextLM = CausalLM<configs::Shapes>;

TextLM make();

std::size_t call(const TextLM& model, const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
#if defined(QWEN35_POSITIVE_CONTROL)
  const TextLM made = make();
  const Session session(made, tokenizer);
  const Session other(model, tokenizer);
  const Batch<TextLM> batch(made);
  const auto output = generate(model, {.input_ids = ids});
  return output.new_tokens(0).size() + session.cached_tokens() + other.cached_tokens() + batch.running();
#else
  const Session<TextLM> session(make(), tokenizer);
  const Session<TextLM> other(model, Tokenizer(tokenizer));
  const Batch<TextLM> batch(make());
  return generate(model, {.input_ids = ids}).new_tokens(0).size();
#endif
}
