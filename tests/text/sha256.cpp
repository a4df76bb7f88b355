// SPDX-License-Identifier: Apache-2.0
#include <qwen35/text/sha256.hpp>

#include <doctest/doctest.h>

#include <string>

// The expected digests are those of sha256sum.
TEST_CASE("digests of known texts and of every padding length") {
  using qwen35::sha256_hex;
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  std::string chained;
  for (std::size_t length = 0; length < 200; ++length) {
    chained += sha256_hex(std::string(length, '\xff'));
  }
  CHECK(sha256_hex(chained) == "342c819d4677fc607a47210296cb4b6ad4076d6bca3cfdf6b0fc8d5f51deeef5");
}
