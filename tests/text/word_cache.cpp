// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/word_cache.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace qwen35;

namespace {

const std::vector<TokenId> three{1, 2, 3};

}  // namespace

TEST_CASE("an entry belongs to one word of one tokenizer") {
  WordCache& cache = WordCache::of_this_thread();
  const std::string text = "wordworksword";
  const WordCache::Key word = WordCache::key_of(text, 0, 4);
  CHECK(!WordCache::holds(cache.entry(word), word, 1000000001));
  WordCache::store(cache.entry(word), word, 1000000001, three);
  const WordCache::Key again = WordCache::key_of(text, 9, 4);
  REQUIRE(again.slot == word.slot);
  REQUIRE(WordCache::holds(cache.entry(again), again, 1000000001));
  CHECK(std::vector<TokenId>(cache.entry(again).ids, cache.entry(again).ids + cache.entry(again).count) == three);
  CHECK(!WordCache::holds(cache.entry(again), again, 1000000002));
  for (const std::size_t size : {std::size_t{3}, std::size_t{5}}) {
    const WordCache::Key other = WordCache::key_of(text, 0, size);
    CHECK(!WordCache::holds(cache.entry(other), other, 1000000001));
    CHECK(!WordCache::holds(cache.entry(word), other, 1000000001));
  }
}

TEST_CASE("a word of zeros is not a shorter one") {
  const std::string zeros(8, '\0');
  WordCache::Entry entry;
  WordCache::store(entry, WordCache::key_of(zeros, 0, 3), 7, three);
  CHECK(WordCache::holds(entry, WordCache::key_of(zeros, 1, 3), 7));
  CHECK(!WordCache::holds(entry, WordCache::key_of(zeros, 0, 4), 7));
}

TEST_CASE("what follows a word does not matter, and nothing is read after the text") {
  for (std::size_t size = 1; size <= WordCache::longest_word; ++size) {
    const std::string word(size, 'w');
    const std::unique_ptr<char[]> exact(new char[size]);
    word.copy(exact.get(), size);
    const WordCache::Key alone = WordCache::key_of(std::string_view(exact.get(), size), 0, size);
    const WordCache::Key followed = WordCache::key_of(word + "xxxxxxxxxxxxxxxx", 0, size);
    CHECK(alone.slot == followed.slot);
    WordCache::Entry entry;
    WordCache::store(entry, alone, 7, three);
    CHECK(WordCache::holds(entry, followed, 7));
  }
}

TEST_CASE("too many ids are not kept") {
  WordCache::Entry entry;
  const std::string text = "words";
  const WordCache::Key key = WordCache::key_of(text, 0, 5);
  WordCache::store(entry, key, 7, std::vector<TokenId>(WordCache::most_ids + 1, 1));
  CHECK(!WordCache::holds(entry, key, 7));
  WordCache::store(entry, key, 7, std::vector<TokenId>(WordCache::most_ids, 1));
  CHECK(WordCache::holds(entry, key, 7));
  CHECK(WordCache::next_serial() != WordCache::next_serial());
}
