// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/gguf.hpp>

#include "gguf_writer.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <limits>

using namespace qwen35;
using namespace weights_test;

namespace {

std::string problem_of(const Bytes& file) {
  return message_of<CheckpointError>([&] { read_gguf(file, "m.gguf"); });
}

// A small sound file: two values, two tensors.
GgufParts sound() {
  GgufParts out;
  out.text("general.architecture", "qwen35").u32("general.alignment", 32);
  out.tensor("a", {4, 2}, 0, Bytes(32)).tensor("b", {64}, 2, Bytes(36));
  return out;
}

// What read_gguf() says of the sound file after `change`.
std::string changed(const std::function<void(GgufParts&)>& change) {
  GgufParts parts = sound();
  change(parts);
  return problem_of(parts.file());
}

const std::string damaged = "m.gguf: damaged GGUF file: ";
const std::string unusable = "m.gguf: the tensors of this GGUF file cannot be used:\n  ";

}  // namespace

TEST_CASE("tensors and metadata of a sound file, of both versions") {
  std::mt19937 random(1);
  for (const std::uint32_t version : {2u, 3u}) {
    GgufParts parts{.version = version};
    const std::vector<TestTensor> tensors = {random_tensor("one", {3, 2}, random),
                                             random_tensor("two", {5}, random, "BF16"),
                                             random_tensor("four", {2, 1, 3, 2}, random, "F16")};
    for (const TestTensor& tensor : tensors) {
      parts.tensor(tensor);
    }
    parts.tensor("blocks", {64, 2}, 8, Bytes(136, std::byte{7}));
    parts.text("t", "text").u32("n", 4'000'000'000).f32("eps", 1e-6f);
    parts.set("names", GgufType::array, gguf_texts({"a", "", "bc"}));
    const Bytes bytes = parts.file();
    const GgufFile file = read_gguf(bytes, "m.gguf");
    REQUIRE(file.tensors.size() == 4);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      CHECK(file.tensors[i].name == tensors[i].name);
      CHECK(file.tensors[i].dtype == tensors[i].dtype);
      CHECK(file.tensors[i].shape == tensors[i].shape);
      CHECK(file.tensors[i].file == "m.gguf");
      CHECK(Bytes(file.tensors[i].bytes.begin(), file.tensors[i].bytes.end()) ==
            encode(tensors[i].values, tensors[i].dtype));
    }
    CHECK(file.tensor("blocks")->shape == Extents{2, 64});
    CHECK(file.tensor("blocks")->dtype == "Q8_0");
    CHECK(file.tensor("blocks")->bytes.size() == 136);
    CHECK(file.tensor("none") == nullptr);
    CHECK(file.find("none") == nullptr);
    CHECK(file.find("t")->json() == json::Value("text"));
    CHECK(file.find("n")->json() == json::Value(4'000'000'000));
    CHECK(file.find("eps")->json().as_number() == 1e-6);  // the shortest decimal, not 9.99999997e-07
    CHECK(file.find("names")->json().items() == std::vector<json::Value>{"a", "", "bc"});
    CHECK(file.find("names")->json(2).size() == 2);
  }
}

TEST_CASE("values of every type") {
  const auto value = [](GgufType type, const Bytes& bytes) {
    const Bytes file = GgufParts().set("k", type, bytes).file();
    return read_gguf(file, "m.gguf").find("k")->json();
  };
  const auto little = [](auto number) { return GgufBytes().number(number).bytes; };
  CHECK(value(GgufType::u8, little(std::uint8_t{200})) == json::Value(200));
  CHECK(value(GgufType::i8, little(std::int8_t{-3})) == json::Value(-3));
  CHECK(value(GgufType::u16, little(std::uint16_t{65535})) == json::Value(65535));
  CHECK(value(GgufType::i16, little(std::int16_t{-2})) == json::Value(-2));
  CHECK(value(GgufType::u32, little(std::uint32_t{0xFFFFFFFF})) == json::Value(4294967295));
  CHECK(value(GgufType::i32, little(std::int32_t{-7})) == json::Value(-7));
  CHECK(value(GgufType::u64, little(std::numeric_limits<std::uint64_t>::max())).digits() == "18446744073709551615");
  CHECK(value(GgufType::i64, little(std::numeric_limits<std::int64_t>::min())).digits() == "-9223372036854775808");
  CHECK(value(GgufType::f32, gguf_f32(0.1f)).as_number() == 0.1);
  CHECK(value(GgufType::f64, little(std::bit_cast<std::uint64_t>(0.1))).as_number() == 0.1);
  CHECK(value(GgufType::boolean, little(std::uint8_t{1})) == json::Value(true));
  CHECK(value(GgufType::array, gguf_array(GgufType::boolean, 2, {std::byte{1}, std::byte{0}})).items() ==
        std::vector<json::Value>{true, false});
  CHECK(value(GgufType::array, gguf_array(GgufType::i32, 0, {})).size() == 0);
}

TEST_CASE("files of other kinds and versions") {
  CHECK(problem_of(sound().file()) == "");
  CHECK(problem_of(GgufParts().file()) == "");
  CHECK(problem_of({}) == "m.gguf: 0 bytes, too short for a GGUF file");
  CHECK(problem_of(bytes_of("GGU")) == "m.gguf: 3 bytes, too short for a GGUF file");
  CHECK(changed([](GgufParts& p) { p.magic = "GGUG"; }) == "m.gguf: not a GGUF file: it does not begin with \"GGUF\"");
  CHECK(changed([](GgufParts& p) { p.magic = "FUGG"; }).starts_with("m.gguf: not a GGUF file"));
  CHECK(changed([](GgufParts& p) { p.magic = "tjgg"; }) ==
        "m.gguf: a GGML file, the format before GGUF, expected GGUF: convert the original checkpoint again");
  CHECK(changed([](GgufParts& p) { p.version = 0; }) ==
        "m.gguf: GGUF version 0, expected 2 or 3: convert the original checkpoint again");
  CHECK(changed([](GgufParts& p) { p.version = 1; }).ends_with("convert the original checkpoint again"));
  CHECK(changed([](GgufParts& p) { p.version = 4; }) ==
        "m.gguf: GGUF version 4, newer than this program, which knows 2 and 3");
  CHECK(changed([](GgufParts& p) { p.version = 0x03000000; }) ==
        "m.gguf: a big-endian GGUF file, expected a little-endian one: convert the original checkpoint without "
        "--bigendian");
}

TEST_CASE("a file that ends anywhere") {
  const Bytes whole = sound().file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(problem_of(cut).starts_with("m.gguf: "));
  }
}

TEST_CASE("counts and lengths that the file cannot have") {
  constexpr auto huge = std::numeric_limits<std::int64_t>::max() - 100;
  CHECK(changed([](GgufParts& p) { p.more_values = 1; }).starts_with(damaged));
  CHECK(changed([](GgufParts& p) { p.more_values = -1; }).starts_with(damaged));
  CHECK(
      changed([](GgufParts& p) { p.more_values = huge; }).starts_with(damaged + "9223372036854775709 metadata values"));
  CHECK(
      changed([](GgufParts& p) { p.more_values = -3; }).starts_with(damaged + "18446744073709551615 metadata values"));
  CHECK(changed([](GgufParts& p) { p.more_tensors = 1; }).starts_with(damaged));
  CHECK(changed([](GgufParts& p) { p.more_tensors = huge; }).starts_with(damaged + "9223372036854775709 tensors"));
  CHECK(changed([](GgufParts& p) { p.more_tensors = -3; }).starts_with(damaged + "18446744073709551615 tensors"));
  const auto length = [](std::uint64_t stated) { return GgufBytes().number(stated).bytes; };
  for (const std::uint64_t bad :
       {std::uint64_t{1000}, std::uint64_t{1} << 32, std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max(),
        std::numeric_limits<std::uint64_t>::max() - 7}) {
    CAPTURE(bad);
    CHECK(changed([&](GgufParts& p) { p.set("k", GgufType::string, length(bad)); }).starts_with(damaged));
    for (const GgufType type :
         {GgufType::u8, GgufType::u16, GgufType::f32, GgufType::boolean, GgufType::u64, GgufType::string}) {
      CHECK(changed([&](GgufParts& p) {
              p.set("k", GgufType::array, gguf_array(type, static_cast<std::size_t>(bad), {}));
            }).starts_with(damaged));
    }
    // A text within an array, a key, the name of a tensor.
    CHECK(changed([&](GgufParts& p) {
            p.set("k", GgufType::array, gguf_array(GgufType::string, 1, length(bad)));
          }).starts_with(damaged));
  }
  CHECK(changed([](GgufParts& p) {
          p.text(std::string(65536, 'k'), "v");
        }).find("the key of a metadata value of 65536 bytes, the longest has 65535") != std::string::npos);
  CHECK(changed([](GgufParts& p) {
          p.entries[0].name = std::string(1024, 'n');
        }).find("the name of a tensor of 1024 bytes, the longest has 1023") != std::string::npos);
}

TEST_CASE("metadata that is wrong") {
  CHECK(changed([](GgufParts& p) { p.text("", "v"); }) == damaged + "a metadata value without a key");
  CHECK(changed([](GgufParts& p) { p.metadata.push_back(p.metadata[0]); }) ==
        damaged + "\"general.architecture\" stands twice in the metadata");
  for (const std::uint32_t type : {13u, 14u, 255u, 0xFFFFFFFFu}) {
    CHECK(changed([&](GgufParts& p) { p.set("k", type, Bytes(8)); }) ==
          damaged + concat("\"k\": unknown type ", type, " of a value"));
    CHECK(changed([&](GgufParts& p) {
            p.set("k", GgufType::array, GgufBytes().number(type).number(std::uint64_t{1}).add(Bytes(8)).bytes);
          }) == damaged + concat("\"k\": unknown type ", type, " of a value"));
  }
  CHECK(changed([](GgufParts& p) { p.set("k", GgufType::array, gguf_array(GgufType::array, 1, Bytes(16))); }) ==
        damaged + "\"k\": an array of arrays");
  CHECK(changed([](GgufParts& p) { p.set("k", GgufType::boolean, {std::byte{2}}); }) ==
        damaged + "\"k\": the truth value 2, expected 0 or 1");
  CHECK(changed([](GgufParts& p) {
          p.set("k", GgufType::array, gguf_array(GgufType::boolean, 2, {std::byte{0}, std::byte{255}}));
        }) == damaged + "\"k\": the truth value 255, expected 0 or 1");
  for (const std::uint32_t alignment : {0u, 3u, 24u, 31u, 0xFFFFFFFFu, 1u << 25}) {
    CHECK(changed([&](GgufParts& p) { p.u32("general.alignment", alignment); }) ==
          damaged + concat("\"general.alignment\": ", alignment, ", expected a power of 2 up to 16777216"));
  }
  CHECK(changed([](GgufParts& p) { p.text("general.alignment", "32"); }) ==
        damaged + "\"general.alignment\": expected a u32, found string");
  CHECK(changed([](GgufParts& p) { p.set("general.alignment", GgufType::u64, Bytes(8)); }) ==
        damaged + "\"general.alignment\": expected a u32, found u64");
  CHECK(changed([](GgufParts& p) {
          p.set("general.alignment", GgufType::array, gguf_array(GgufType::u32, 1, Bytes(4)));
        }) == damaged + "\"general.alignment\": expected a u32, found an array");
}

TEST_CASE("a directory that is wrong") {
  CHECK(changed([](GgufParts& p) { p.entries[1].name = ""; }) == damaged + "a tensor without a name");
  CHECK(changed([](GgufParts& p) { p.entries[1].name = "a"; }) == damaged + "tensor \"a\" stands twice");
  CHECK(changed([](GgufParts& p) { p.entries[0].extents = {}; }) == damaged + "tensor \"a\": 0 axes, expected 1 to 4");
  CHECK(changed([](GgufParts& p) {
          p.entries[0].extents = {1, 1, 1, 1, 8};
        }) == damaged + "tensor \"a\": 5 axes, expected 1 to 4");
  CHECK(changed([](GgufParts& p) { p.entries[0].extents = {0, 2}; }) == damaged + "tensor \"a\": an axis of length 0");
  CHECK(changed([](GgufParts& p) { p.entries[0].extents = {4, 0}; }) == damaged + "tensor \"a\": an axis of length 0");
  constexpr std::uint64_t huge = std::uint64_t{1} << 62;
  for (const std::vector<std::uint64_t>& extents : {std::vector<std::uint64_t>{huge, 2},
                                                    {huge},
                                                    {1u << 31, 1u << 31, 4},
                                                    {1u << 16, 1u << 16, 1u << 16, 1u << 16},
                                                    {4, ~std::uint64_t{0}},
                                                    {~std::uint64_t{0}}}) {
    const std::string said = changed([&](GgufParts& p) { p.entries[0].extents = extents; });
    CHECK(said.starts_with(unusable + "a: shape ["));
    CHECK(said.ends_with(" of F32 is too large"));
  }
  const std::uint64_t begin = sound().file().size() - 68;  // of the data
  for (const std::uint64_t offset : {std::uint64_t{96}, std::uint64_t{1} << 40, ~std::uint64_t{31}}) {
    CHECK(changed([&](GgufParts& p) { p.entries[1].offset = offset; }) ==
          concat("m.gguf: ", sound().file().size(), " bytes, its directory describes ",
                 offset > UINT64_MAX - begin - 36 ? UINT64_MAX : begin + offset + 36,
                 ": the file is cut, its download is incomplete, or it is damaged"));
  }
  for (const std::uint64_t offset : {1u, 16u, 33u}) {
    CHECK(changed([&](GgufParts& p) { p.entries[1].offset = offset; }) ==
          unusable + concat("b: begins at byte ", offset, ", no multiple of the alignment 32"));
  }
  CHECK(changed([](GgufParts& p) { p.entries[1].offset = 0; }) ==
        unusable + "b: bytes 0 to 36 overlap the tensor before, which ends at 32");
  CHECK(changed([](GgufParts& p) {
          p.entries[0].extents = {4, 3};
        }) == unusable + "b: bytes 32 to 68 overlap the tensor before, which ends at 48");
  CHECK(changed([](GgufParts& p) { p.entries[1].extents = {65}; }) ==
        unusable + "b: rows of 65 values are no whole blocks of Q4_0, which has 32");
  CHECK(changed([](GgufParts& p) { p.data.resize(67); }) ==
        concat("m.gguf: ", begin + 67, " bytes, its directory describes ", begin + 68,
               ": the file is cut, its download is incomplete, or it is damaged"));
  const auto typed = [&](std::uint32_t type) { return changed([&](GgufParts& p) { p.entries[1].type = type; }); };
  const std::string advice = " is none of this library: make the file anew, as BF16, Q8_0, Q4_K_M or the like";
  for (const auto& [type, name] : std::vector<std::pair<std::uint32_t, std::string>>{{4, "type 4"},
                                                                                     {5, "type 5"},
                                                                                     {9, "Q8_1"},
                                                                                     {15, "Q8_K"},
                                                                                     {24, "I8"},
                                                                                     {26, "I32"},
                                                                                     {28, "F64"},
                                                                                     {31, "Q4_0_4_4"},
                                                                                     {34, "TQ1_0"},
                                                                                     {36, "type 36"},
                                                                                     {40, "NVFP4"},
                                                                                     {42, "Q2_0"},
                                                                                     {43, "type 43"},
                                                                                     {0xFFFFFFFF, "type 4294967295"}}) {
    CHECK(typed(type) == unusable + "b: the type " + name + advice);
  }
  const std::string several = changed([](GgufParts& p) {
    p.entries[1].type = 40;
    for (const char* const name : {"c", "d", "e", "f"}) {
      p.entries.push_back(p.entries[1]);
      p.entries.back().name = name;
    }
    p.entries.back().type = 34;
    p.entries[0].offset = 1 << 20;
  });
  CHECK(several == unusable + "b, c, d and 1 more: the type NVFP4" + advice + "\n  f: the type TQ1_0" + advice +
                       "\n  1 of 6 tensors: would be behind the end of the file, which is cut or damaged");
  // Blocks of 256 values.
  for (const std::uint32_t type : {10u, 11u, 12u, 13u, 14u, 16u, 17u, 18u, 19u, 21u, 22u, 23u, 29u}) {
    CHECK(typed(type).find("rows of 64 values are no whole blocks of ") != std::string::npos);
  }
  // Every problem of a file in one message.
  const std::string both = changed([](GgufParts& p) {
    p.entries[0].type = 40;
    p.entries[1].offset = 1;
  });
  CHECK(both.find("\n  a: ") != std::string::npos);
  CHECK(both.find("\n  b: ") != std::string::npos);
}

TEST_CASE("tensors of any order, gaps between them, and other alignments are read") {
  CHECK(changed([](GgufParts& p) { std::swap(p.entries[0], p.entries[1]); }) == "");
  CHECK(changed([](GgufParts& p) {
          p.data.resize(256 + 36);
          p.entries[1].offset = 256;
        }) == "");
  for (const std::uint32_t alignment : {1u, 8u, 64u, 4096u}) {
    GgufParts parts{.alignment = alignment};
    parts.u32("general.alignment", alignment);
    parts.tensor("a", {3}, 0, Bytes(12, std::byte{1})).tensor("b", {5}, 0, Bytes(20, std::byte{2}));
    const Bytes bytes = parts.file();
    const GgufFile file = read_gguf(bytes, "m.gguf");
    CHECK(Bytes(file.tensors[1].bytes.begin(), file.tensors[1].bytes.end()) == Bytes(20, std::byte{2}));
  }
}
