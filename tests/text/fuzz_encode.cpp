// SPDX-License-Identifier: Apache-2.0
// Any text: its ids give the normalised text again, their places are in order, and pieces of a stream are its whole.
// The first byte chooses how added tokens are read.
#include <qwen35/text/tokenizer.hpp>
#include <qwen35/unicode/nfc.hpp>

#include "support/fuzz.hpp"

namespace {

const qwen35::Tokenizer& tokenizer() {
  static const qwen35::Tokenizer loaded = qwen35::Tokenizer::from_pretrained(QWEN35_SOURCE_DIR "/examples/shapes");
  return loaded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qwen35;
  if (size == 0) {
    return 0;
  }
  const std::string given(fuzz::text_of(data + 1, size - 1));
  const added_tokens added = data[0] % 2 == 0 ? added_tokens::parse : added_tokens::none;
  std::vector<TokenId> ids;
  const bool well_formed = fuzz::attempt([&] { ids = tokenizer().encode(given, added); });
  const std::string text = unicode::repair_utf8(given);
  fuzz::expect(well_formed == (text == given));
  ids = tokenizer().encode(text, added);
  if (added == added_tokens::none) {
    fuzz::expect(tokenizer().decode(ids) == unicode::nfc(text));
  }
  fuzz::expect(tokenizer().count(text, added) == ids.size());
  StreamDecoder stream(tokenizer());
  std::string streamed;
  for (const TokenId id : ids) {
    streamed += stream.push(id);
  }
  streamed += stream.finish();
  fuzz::expect(streamed == tokenizer().decode(ids));
  if (added == added_tokens::parse) {
    const BatchEncoding encoding = tokenizer()(text, {.return_offsets_mapping = true});
    fuzz::expect(encoding.input_ids[0] == ids && encoding.offset_mapping[0].size() == ids.size());
    std::size_t start = 0;
    for (const CharSpan& place : encoding.offset_mapping[0]) {
      fuzz::expect(place.start <= place.end && place.start >= start && place.end <= text.size());
      start = place.start;
    }
  }
  return 0;
}
