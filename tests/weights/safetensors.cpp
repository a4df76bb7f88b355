// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/safetensors.hpp>

#include "safetensors_writer.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using namespace weights_test;

namespace {

// The message for a file with that header and `data` bytes of data.
std::string problem(std::string_view header, std::size_t data = 8) {
  return message_of<CheckpointError>([&] { read_safetensors(raw_safetensors(header, Bytes(data)), "file"); });
}
std::string problem_of(const Bytes& file) {
  return message_of<CheckpointError>([&] { read_safetensors(file, "file"); });
}
// A header with the entry "a" of 8 bytes, made wrong by the caller.
std::string entry(const std::string& fields) {
  return "{\"a\":{" + fields + "}}";
}

constexpr const char* good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
const std::string header_is_bad = "file: bad safetensors header: ";
const std::string damaged = "file: damaged safetensors file:\n  ";

}  // namespace

TEST_CASE("tensors of a sound file") {
  std::mt19937 random(1);
  const std::vector<TestTensor> tensors = {
      random_tensor("one", {3, 2}, random), random_tensor("two.weight", {5}, random, "BF16"),
      random_tensor("scalar", {}, random), random_tensor("nothing", {4, 0, 3}, random),
      random_tensor("five", {1, 2, 1, 3, 2}, random, "F16")};
  const Bytes file = write_safetensors(tensors, 3);
  const std::vector<TensorInfo> found = read_safetensors(file, "file");
  REQUIRE(found.size() == tensors.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].name == tensors[i].name);
    CHECK(found[i].dtype == tensors[i].dtype);
    CHECK(found[i].shape == tensors[i].shape);
    CHECK(found[i].file == "file");
    const Bytes expected = encode(tensors[i].values, tensors[i].dtype);
    CHECK(Bytes(found[i].bytes.begin(), found[i].bytes.end()) == expected);
  }
}

TEST_CASE("metadata, order and formats that are only tolerated") {
  CHECK(problem(good) == "");
  CHECK(problem("{}", 0) == "");
  CHECK(problem("  {}  \n", 0) == "");
  CHECK(
      problem(
          R"({"__metadata__":{"format":"pt","deep":"{\"a\":[1,2]}"},"a":{"shape":[8],"data_offsets":[0,8],"dtype":"F8_E4M3"}})") ==
      "");
  CHECK(
      problem(
          R"({"__metadata__":{"odd":{"a":[1,{"b":null}],"c":-1.5e9}},"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})") ==
      "");
  // Entries need not stand in the order of their bytes.
  CHECK(
      problem(
          R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})") ==
      "");
  // Empty tensors may stand anywhere between others, also where another starts.
  CHECK(
      problem(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},
                    "f":{"dtype":"F32","shape":[3,0],"data_offsets":[8,8]}})") == "");
  CHECK(problem(R"({"a":{"dtype":"F4","shape":[16],"data_offsets":[0,8]}})") == "");
  for (const char* dtype : {"BOOL", "U8", "I8", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}) {
    CHECK(problem(R"({"a":{"dtype":")" + std::string(dtype) + R"(","shape":[8],"data_offsets":[0,8]}})") == "");
  }
  for (const char* dtype : {"I64", "U64", "F64", "C64"}) {
    CHECK(problem(R"({"a":{"dtype":")" + std::string(dtype) + R"(","shape":[],"data_offsets":[0,8]}})") == "");
  }
}

TEST_CASE("the length of the header") {
  CHECK(problem_of({}) == "file: 0 bytes, too short for a safetensors file: its download is incomplete");
  CHECK(problem_of(Bytes(7)) == "file: 7 bytes, too short for a safetensors file: its download is incomplete");
  CHECK(problem_of(Bytes(8)) == header_is_bad + "not valid JSON at byte 0: The document is empty.");
  CHECK(problem_of(raw_safetensors(good, Bytes(8), 1000)) ==
        "file: 70 bytes, its header alone has 1000: the file is cut, its download is incomplete");
  CHECK(problem_of(raw_safetensors(good, Bytes(8), UINT64_MAX)) ==
        "file: no safetensors file: its header would have 18446744073709551615 bytes, the format allows 100000000");
  CHECK(contains(problem_of(raw_safetensors(good, Bytes(8), std::uint64_t{1} << 63)),
                 "its header would have 9223372036854775808 bytes"));
  CHECK(contains(problem_of(raw_safetensors(good, Bytes(8), 53)), header_is_bad + "not valid JSON at byte 53"));  // cut
  CHECK(contains(problem_of(raw_safetensors(good, Bytes(8), 56)),
                 header_is_bad + "not valid JSON at byte 5"));  // two bytes too many
}

TEST_CASE("a header that is no JSON object of objects") {
  CHECK(contains(problem("not JSON"), header_is_bad + "not valid JSON at byte "));
  CHECK(contains(problem(R"({"a":)"), header_is_bad + "not valid JSON at byte "));
  CHECK(contains(problem("{\"a\xff\":1}"), header_is_bad + "not valid JSON at byte "));
  CHECK(problem("[]") == header_is_bad + "the header is an array, expected an object");
  CHECK(problem("3") == header_is_bad + "the header is a number, expected an object");
  CHECK(problem("null") == header_is_bad + "the header is null, expected an object");
  CHECK(problem("\"a\"") == header_is_bad + "the header is a string, expected an object");
  CHECK(problem(R"({"a":1})") == header_is_bad + "entry \"a\": unexpected a number");
  CHECK(problem(R"({"a":[]})") == header_is_bad + "entry \"a\": unexpected an array");
  CHECK(problem(R"({"__metadata__":"none"})") == header_is_bad + "entry \"__metadata__\": unexpected a string");
  CHECK(contains(problem(std::string(100000, '[')), "the header is an array"));
  CHECK(contains(problem(R"({"__metadata__":{"a":)" + std::string(100000, '[')), header_is_bad + "not valid JSON"));
}

TEST_CASE("an entry that is not what the format says") {
  const auto bad = [](const std::string& fields) { return problem(entry(fields)); };
  const std::string all = header_is_bad + "tensor \"a\": expected dtype, shape and data_offsets";
  CHECK(bad("") == all);
  CHECK(bad(R"("shape":[2],"data_offsets":[0,8])") == all);
  CHECK(bad(R"("dtype":"F32","data_offsets":[0,8])") == all);
  CHECK(bad(R"("dtype":"F32","shape":[2])") == all);
  CHECK(bad(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"scale":1)") ==
        header_is_bad + "tensor \"a\": unknown entry \"scale\"");
  CHECK(bad(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])") ==
        header_is_bad + "tensor \"a\": entry \"dtype\" stands twice");
  CHECK(bad(R"("dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8])") ==
        header_is_bad + "tensor \"a\": entry \"shape\" stands twice");
  CHECK(bad(R"("dtype":3,"shape":[2],"data_offsets":[0,8])") == header_is_bad + "entry \"a\": unexpected a number");
  CHECK(bad(R"("dtype":["F32"],"shape":[2],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected an array");
  CHECK(bad(R"("dtype":"F32","shape":2,"data_offsets":[0,8])") == header_is_bad + "entry \"a\": unexpected a number");
  CHECK(bad(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected a negative number");
  CHECK(bad(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected a fraction or a number that is too large");
  CHECK(bad(R"("dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected a fraction or a number that is too large");
  CHECK(bad(R"("dtype":"F32","shape":["2"],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected a string");
  CHECK(bad(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected an array");
  CHECK(bad(R"("dtype":"F32","shape":[{}],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected an object");
  CHECK(bad(R"("dtype":"F32","shape":[true],"data_offsets":[0,8])") ==
        header_is_bad + "entry \"a\": unexpected a boolean");
  CHECK(bad(R"("dtype":"F32","shape":null,"data_offsets":[0,8])") == header_is_bad + "entry \"a\": unexpected null");
  CHECK(bad(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8])") ==
        header_is_bad + "tensor \"a\": more than 8 axes");
  CHECK(bad(R"("dtype":"F32","shape":[2],"data_offsets":[0])") ==
        header_is_bad + "tensor \"a\": data_offsets must be two numbers");
  CHECK(bad(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])") ==
        header_is_bad + "tensor \"a\": data_offsets must be two numbers");
  CHECK(bad(R"("dtype":"F32","shape":[2],"data_offsets":[-1,7])") ==
        header_is_bad + "entry \"a\": unexpected a negative number");
  CHECK(
      problem(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})") ==
      header_is_bad + "tensor \"a\" stands twice in the header");
}

TEST_CASE("bytes that are not where the header says") {
  const auto bad = [](const std::string& fields) { return problem(entry(fields)); };
  CHECK(bad(R"("dtype":"F99","shape":[2],"data_offsets":[0,8])") == damaged + "a: unknown dtype \"F99\"");
  CHECK(bad(R"("dtype":"F32","shape":[1],"data_offsets":[12,16])") == damaged + "a: bytes 12 to 16 of 8 do not exist");
  CHECK(bad(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])") == damaged + "a: bytes 8 to 0 of 8 do not exist");
  CHECK(bad(R"("dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615])") ==
        damaged + "a: bytes 18446744073709551608 to 18446744073709551615 of 8 do not exist");
  CHECK(bad(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])") ==
        damaged + "a: shape [3] of F32 takes 12 bytes, the file gives it 8");
  CHECK(bad(R"("dtype":"BF16","shape":[2],"data_offsets":[0,8])") ==
        damaged + "a: shape [2] of BF16 takes 4 bytes, the file gives it 8");
  CHECK(bad(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])") ==
        damaged + "a: shape [4294967296, 4294967296] of F32 is too large, or no whole number of bytes");
  CHECK(bad(R"("dtype":"F32","shape":[18446744073709551615,3],"data_offsets":[0,8])") ==
        damaged + "a: shape [18446744073709551615, 3] of F32 is too large, or no whole number of bytes");
  CHECK(bad(R"("dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,8])") ==
        damaged + "a: shape [2305843009213693952] of F32 is too large, or no whole number of bytes");
  CHECK(bad(R"("dtype":"F4","shape":[3],"data_offsets":[0,8])") ==
        damaged + "a: shape [3] of F4 is too large, or no whole number of bytes");
  CHECK(bad(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])") ==
        damaged + "the file: has 4 bytes after the last tensor");
  CHECK(bad(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])") ==
        damaged + "a: starts at byte 4, after a hole that starts at 0");
  CHECK(problem(good, 9) == damaged + "the file: has 1 bytes after the last tensor");
  const std::string_view pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
  CHECK_THROWS_WITH_AS(read_safetensors(std::as_bytes(std::span(pointer)), "m.safetensors"),
                       doctest::Contains("m.safetensors: a pointer of Git LFS"), CheckpointError);
}

TEST_CASE("a file that was cut is said to be, whatever is missing") {
  std::mt19937 random(1);
  std::vector<TestTensor> tensors;
  for (int i = 0; i < 200; ++i) {
    tensors.push_back(random_tensor(concat("layer.", i), {4}, random));
  }
  const Bytes file = write_safetensors(tensors);
  for (const std::size_t size : {file.size() - 1, file.size() - 100 * 16, file.size() - 200 * 16}) {
    CHECK(problem_of(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))) ==
          concat("file: ", size, " bytes, its header describes ", file.size(),
                 ": the file is cut, its download is incomplete"));
  }
}

TEST_CASE("everything that is wrong stands in one error") {
  const std::string said = problem(
      R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[3],"data_offsets":[8,20]},
    "c":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},"d":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]},
    "e":{"dtype":"F32","shape":[2],"data_offsets":[90,98]},"f":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
      40);
  CHECK(contains(said, "b: bytes 8 to 20 overlap the tensor before, which ends at 12"));
  CHECK(contains(said, "c: bytes 16 to 24 overlap the tensor before, which ends at 20"));
  CHECK(contains(said, "d: unknown dtype \"Q4\""));
  CHECK(contains(said, "e: bytes 90 to 98 of 40 do not exist"));
  CHECK(contains(said, "f: shape [2] of F32 takes 8 bytes, the file gives it 4"));
  CHECK(std::count(said.begin(), said.end(), '\n') == 5);
  // One tensor inside another.
  CHECK(
      problem(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}})") ==
      damaged + "b: bytes 2 to 4 overlap the tensor before, which ends at 8");
}

TEST_CASE("a long list is cut") {
  std::string header = "{";
  for (int i = 0; i < 200; ++i) {
    header +=
        concat(i == 0 ? "\"" : ",\"", std::string(1000, 'n'), i, R"(":{"dtype":"X","shape":[2],"data_offsets":[0,8]})");
  }
  const std::string said = problem(header + "}");
  CHECK(contains(said, "\n  and 150 more"));
  CHECK(said.size() < 30000);
}

TEST_CASE("broken bytes never do worse than an error") {
  std::mt19937 random(7);
  const std::vector<TestTensor> tensors = {random_tensor("a", {3, 2}, random), random_tensor("b", {5}, random, "BF16"),
                                           random_tensor("c", {1, 7}, random)};
  const Bytes sound = write_safetensors(tensors, 5);
  std::size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes file = sound;
    const std::size_t changes = 1 + random() % 4;
    for (std::size_t i = 0; i < changes; ++i) {
      constexpr char alphabet[] = "0123456789{}[],:\"-.eE\\ aFB\x00\xff";
      std::byte& target = file[random() % file.size()];
      target = random() % 2 == 0 ? static_cast<std::byte>(random())
                                 : static_cast<std::byte>(alphabet[random() % (sizeof(alphabet) - 1)]);
    }
    if (random() % 4 == 0) {
      file.resize(random() % (file.size() + 1));
    } else if (random() % 4 == 0) {
      const std::size_t at = random() % file.size();
      file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), file.begin(),
                  file.begin() + static_cast<std::ptrdiff_t>(random() % 40));
    }
    try {
      for (const TensorInfo& tensor : read_safetensors(file, "file")) {
        REQUIRE(tensor.bytes.size() <= file.size());
        if (!tensor.bytes.empty()) {  // inside the file
          REQUIRE(tensor.bytes.data() >= file.data());
          REQUIRE(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
        }
      }
      ++accepted;
    } catch (const CheckpointError&) {
    }
  }
  CHECK(accepted > 100);  // changes of the data alone
  CHECK(accepted < 19000);
}

TEST_CASE("a header of many tensors") {
  std::string header = "{";
  constexpr std::size_t count = 20000;
  for (std::size_t i = 0; i < count; ++i) {
    header +=
        concat(i == 0 ? "\"" : ",\"", "model.language_model.layers.0.mlp.experts.", i,
               ".gate_proj.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[", 4 * i, ",", 4 * i + 4, "]}");
  }
  const Bytes file = raw_safetensors(header + "}", Bytes(4 * count));
  CHECK(read_safetensors(file, "file").size() == count);
}
