// SPDX-License-Identifier: Apache-2.0
// Any tokenizer.json and what stands beside it: a TextError, or a tokenizer whose ids are its own, and which says the
// same after it was written and read again.
#include <qwen35/text/tokenizer.hpp>
#include <qwen35/text/tokenizer_chat.hpp>

#include "support/fuzz_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  const fuzz::Files files = fuzz::files_of(fuzz::text_of(data, size));
  std::optional<Tokenizer> tokenizer;
  fuzz::attempt([&] { tokenizer = Tokenizer::from_pretrained(fuzz::folder_of(files)); });
  if (!tokenizer) {
    return 0;
  }
  const std::string text = "A red circle, 12 <|im_end|>é!\n\n  end</think>";
  const std::vector<TokenId> ids = tokenizer->encode(text);
  for (const TokenId id : ids) {
    fuzz::expect(id >= 0 && static_cast<std::size_t>(id) < tokenizer->id_end() && tokenizer->contains(id));
  }
  tokenizer->decode(ids, true);
  fuzz::attempt([&] {
    const BatchEncoding encoding = (*tokenizer)(
        {text, "a"}, {.padding = Padding::longest, .return_offsets_mapping = true, .pad_to_multiple_of = 8});
    fuzz::expect(encoding.ids().shape()[1] % 8 == 0);
  });
  fuzz::attempt([&] { tokenizer->render({Message::user("hello")}); });
  static const fuzz::Folder folder("tokenizer_file");
  if (fuzz::attempt([&] { tokenizer->save_pretrained(folder.path()); })) {
    fuzz::expect(Tokenizer::from_pretrained(folder.path()).encode(text) == ids);
  }
  return 0;
}
