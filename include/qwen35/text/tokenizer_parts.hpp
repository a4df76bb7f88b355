// SPDX-License-Identifier: Apache-2.0
// What a tokenizer is made from, whatever file it came out of.
#pragma once

#include <qwen35/text/added_vocabulary.hpp>
#include <qwen35/text/split_pattern.hpp>

#include <string>
#include <utility>
#include <vector>

QWEN35_BEGIN_NAMESPACE

// What a tokenizer is made of. `tokens` have the file's names (bytes in the printable alphabet); a merge names two of
// them, in order of rank.
struct TokenizerParts {
  std::vector<std::pair<std::string, TokenId>> tokens;
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<AddedToken> added;
  SplitPattern pattern = SplitPattern::qwen35;
  bool nfc = true;
  bool ignore_merges = false;  // a piece that is a token needs no merges
  // What stands before messages about tokens and about merges: the file, or its key.
  std::string tokens_place = "tokenizer", merges_place = "tokenizer";
};

QWEN35_END_NAMESPACE
