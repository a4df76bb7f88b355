// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/tokenizer_file.hpp>

#include "shapes_tokenizer.hpp"
#include "support/message_of.hpp"
#include "weights/safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace qwen35;
using weights_test::TempFolder;

namespace {

bool same(const AddedToken& a, const AddedToken& b) {
  return a.id == b.id && a.content == b.content && a.special == b.special && a.normalized == b.normalized &&
         a.single_word == b.single_word && a.lstrip == b.lstrip && a.rstrip == b.rstrip;
}

void check_same(const TokenizerParts& a, const TokenizerParts& b) {
  CHECK(a.tokens == b.tokens);
  CHECK(a.merges == b.merges);
  CHECK(std::equal(a.added.begin(), a.added.end(), b.added.begin(), b.added.end(), same));
  CHECK(a.pattern == b.pattern);
  CHECK(a.nfc == b.nfc);
  CHECK(a.ignore_merges == b.ignore_merges);
}

TokenizerParts sorted(TokenizerParts parts) {
  std::sort(parts.tokens.begin(), parts.tokens.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return parts;
}

}  // namespace

TEST_CASE("a tokenizer is written as it was read") {
  const TokenizerParts read = read_tokenizer_file(shapes::tokenizer_json(), "file");
  check_same(Tokenizer(read).parts(), sorted(read));
  check_same(read_tokenizer_file(json::dump(tokenizer_json(read)), "written"), read);
  TokenizerParts other = sorted(read);
  other.pattern = SplitPattern::qwen2;
  other.nfc = false;
  other.ignore_merges = true;
  other.added.push_back({450, "<spaced>", false, true, true, true, true});
  other.added.push_back({451, "e\xCC\x81t", false, true});       // looked for as NFC, written as it is
  other.added.push_back({100, other.tokens[100].first, false});  // in the vocabulary too
  std::sort(other.added.begin(), other.added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  check_same(Tokenizer(other).parts(), other);
  check_same(read_tokenizer_file(json::dump(tokenizer_json(other)), "written"), other);
}

TEST_CASE("through a folder: the same ids and names") {
  const TempFolder folder;
  Tokenizer changed = shapes::tokenizer();
  changed.set_special_token("sep_token", "<|vision_end|>");
  changed.set_padding_side(PaddingSide::right);
  changed.set_truncation_side(TruncationSide::left);
  changed.save_pretrained(folder.path());
  const Tokenizer again = Tokenizer::from_pretrained(folder.path());
  const auto named = [](const Tokenizer& tokenizer) {  // standard names first, whenever they were given
    const auto map = tokenizer.special_tokens_map();
    return std::map<std::string, std::string>(map.begin(), map.end());
  };
  CHECK(named(again) == named(changed));
  CHECK(named(again).size() == 7);
  CHECK(again.model_max_length() == changed.model_max_length());
  CHECK(again.padding_side() == PaddingSide::right);
  CHECK(again.truncation_side() == TruncationSide::left);
  CHECK(again.special_token("sep_token") == "<|vision_end|>");
  CHECK(again.special_token("image_token") == "<|image_pad|>");
  CHECK(again.bos_token_id() == -1);
  CHECK(again.get_vocab() == changed.get_vocab());
  CHECK(again.get_added_vocab() == changed.get_added_vocab());
  std::mt19937 random(4);
  const std::string pieces[] = {"circle ",  "There's", "<|im_end|>", "\n", "  ",
                                "\xC3\xA9", "123",     "<think>",    " a", "!"};
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (int k = 0; k < 12; ++k) {
      text += pieces[random() % std::size(pieces)];
    }
    CHECK(again.encode(text) == changed.encode(text));
  }
  changed.save_pretrained(folder.file("made/for/it"));
  CHECK(Tokenizer::from_pretrained(folder.file("made/for/it")).vocab_size() == changed.vocab_size());
  CHECK_THROWS_AS(changed.save_pretrained(folder.file("tokenizer.json")), TextError);
}
