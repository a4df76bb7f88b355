// SPDX-License-Identifier: Apache-2.0
#include <qwen35/media/base64.hpp>

#include <media/media_test.hpp>

using namespace qwen35;
using namespace media_test;

namespace {

std::string text_of(std::string_view base64) {
  std::string out;
  for (const std::byte byte : decode_base64(base64)) {
    out += static_cast<char>(byte);
  }
  return out;
}

}  // namespace

TEST_CASE("the examples of RFC 4648, with and without padding") {
  CHECK(text_of("").empty());
  CHECK(text_of("Zg==") == "f");
  CHECK(text_of("Zm8=") == "fo");
  CHECK(text_of("Zm9v") == "foo");
  CHECK(text_of("Zm9vYg==") == "foob");
  CHECK(text_of("Zm9vYmE=") == "fooba");
  CHECK(text_of("Zm9vYmFy") == "foobar");
  CHECK(text_of("Zm9vYg") == "foob");
  CHECK(text_of("Zm9vYmE") == "fooba");
  CHECK(text_of(" Zm9v\r\nYm\tFy ") == "foobar");
  CHECK(text_of("+/-_") == "\xfb\xff\xbf");
}

TEST_CASE("what is no base64 says where") {
  CHECK(contains(message_of<MediaError>([] { decode_base64("Zm9v!mFy"); }), "character 4"));
  CHECK(contains(message_of<MediaError>([] { decode_base64("Zg==Zg=="); }), "character 4"));
  CHECK(contains(message_of<MediaError>([] { decode_base64("Z"); }), "cut off"));
  CHECK(contains(message_of<MediaError>([] { decode_base64("Zm9vY"); }), "cut off"));
  CHECK(contains(message_of<MediaError>([] { decode_base64("Zg="); }), "cut off"));
  CHECK(contains(message_of<MediaError>([] { decode_base64("Zm8=="); }), "cut off"));
  CHECK(contains(message_of<MediaError>([] { decode_base64("===="); }), "cut off"));
  CHECK(contains(message_of<MediaError>([] { decode_base64("Zm9v\xc3\xa4"); }), "character 4"));
}

TEST_CASE("data: URLs") {
  CHECK(is_data_url("data:image/png;base64,AAAA"));
  CHECK_FALSE(is_data_url("folder/data.png"));
  CHECK(decode_data_url("data:image/png;base64,AAAA").size() == 3);
  CHECK(decode_data_url("data:;base64,AAAA").size() == 3);
  CHECK(decode_data_url("data:image/png;charset=x;base64,").empty());
  CHECK(contains(message_of<MediaError>([] { decode_data_url("data:image/png,AAAA"); }), "no \";base64,\""));
  CHECK(contains(message_of<MediaError>([] { decode_data_url("data:image/png;base64"); }), "no \";base64,\""));
  CHECK(contains(message_of<MediaError>([] { decode_data_url("http://x"); }), "expected \"data:"));
}
