// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/binder.hpp>

#include "safetensors_writer.hpp"

#include <doctest/doctest.h>

using namespace qwen35;
using namespace weights_test;

namespace {

const Bytes config = bytes_of("{}");

// A checkpoint in memory, whose data starts `padding` bytes later than it might.
struct Fixture {
  Bytes file;
  Checkpoint checkpoint;
  BoundStorage storage;
  Binder binder;

  explicit Fixture(const std::vector<TestTensor>& tensors, std::size_t padding = 0)
      : file(write_safetensors(tensors, padding)),
        checkpoint(Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}})),
        binder(checkpoint, storage) {}

  std::string said() {
    return message_of<CheckpointError>(
        [&] { binder.finish([](const std::string& name) { return name == "ignored"; }); });
  }
};

std::vector<float> floats(const float* data, std::size_t count) {
  return {data, data + count};
}

}  // namespace

TEST_CASE("matrices are views of the file") {
  std::mt19937 random(3);
  const std::vector<TestTensor> tensors = {
      random_tensor("f32", {3, 4}, random), random_tensor("bf16", {3, 4}, random, "BF16"),
      random_tensor("f16", {2, 3, 4}, random, "F16"), random_tensor("conv", {3, 2, 1, 2}, random)};
  std::size_t views = 0, copies = 0;
  for (std::size_t padding = 0; padding < 4; ++padding) {
    Fixture fixture(tensors, padding);
    const Matrix f32 = fixture.binder.matrix("f32", {3, 4});
    const Matrix bf16 = fixture.binder.matrix("bf16", {3, 4});
    const Matrix f16 = fixture.binder.stacked("f16", {2, 3, 4});
    const Matrix conv = fixture.binder.matrix("conv", {3, 2, 1, 2});
    CHECK(fixture.said() == "");
    CHECK((f32.format == DType::f32 && f32.rows == 3 && f32.cols == 4));
    CHECK((bf16.format == DType::bf16 && bf16.rows == 3 && bf16.cols == 4));
    CHECK((f16.format == DType::f16 && f16.rows == 6 && f16.cols == 4));
    CHECK((conv.format == DType::f32 && conv.rows == 3 && conv.cols == 4));
    const Matrix* const all[] = {&f32, &bf16, &f16, &conv};
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(reinterpret_cast<std::uintptr_t>(all[i]->data) % row_bytes(all[i]->format, 1) == 0);
      CHECK(Bytes(all[i]->data, all[i]->data + all[i]->bytes()) == encode(tensors[i].values, tensors[i].dtype));
      const bool inside =
          all[i]->data >= fixture.file.data() && all[i]->data < fixture.file.data() + fixture.file.size();
      views += inside ? 1 : 0;
      copies += inside ? 0 : 1;
    }
    CHECK(fixture.storage.copies.size() == copies);
    copies = 0;
  }
  CHECK(views == 6);  // of four places one is right for all four tensors, another for the two of two bytes a value
}

TEST_CASE("vectors become f32") {
  std::mt19937 random(4);
  const std::vector<TestTensor> tensors = {random_tensor("f32", {5}, random),
                                           random_tensor("f16", {5}, random, "F16"),
                                           random_tensor("bf16", {5}, random, "BF16"),
                                           {"conv", {2, 1, 3}, {1, 2, 3, 4, 5, 6}, "F16"}};
  Fixture fixture(tensors, 1);
  const float* const f32 = fixture.binder.vector("f32", {5});
  const float* const f16 = fixture.binder.vector("f16", {5});
  const float* const bf16 = fixture.binder.vector("bf16", {5}, Meaning::one_plus);
  const float* const conv = fixture.binder.vector("conv", {2, 1, 3});
  CHECK(fixture.said() == "");
  CHECK(floats(f32, 5) == tensors[0].values);
  CHECK(floats(f16, 5) == tensors[1].values);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(bf16[i] == 1.0f + tensors[2].values[i]);
  }
  CHECK(floats(conv, 6) == std::vector<float>{1, 4, 2, 5, 3, 6});
  const BoundStorage moved = std::move(fixture.storage);
  CHECK(f32 == moved.vectors[0].values.data());
}

TEST_CASE("everything that does not fit stands in one error") {
  std::mt19937 random(5);
  Fixture fixture({random_tensor("m", {3, 4}, random), random_tensor("flat", {12}, random),
                   random_tensor("v", {5, 1}, random), random_tensor("stack", {6, 4}, random),
                   random_tensor("conv", {2, 3}, random), random_tensor("left", {1}, random),
                   random_tensor("ignored", {1}, random), random_tensor("fine", {1}, random)});
  CHECK(fixture.binder.matrix("m", {4, 3}).empty());
  CHECK(fixture.binder.matrix("flat", {3, 4}).empty());
  CHECK(fixture.binder.vector("v", {5}) == nullptr);
  CHECK(fixture.binder.stacked("stack", {2, 3, 4}).empty());
  CHECK(fixture.binder.vector("conv", {2, 1, 3}) == nullptr);
  CHECK(fixture.binder.matrix("absent", {7, 8}).empty());
  CHECK(fixture.binder.vector("fine", {1}) != nullptr);
  CHECK(fixture.binder.vector("fine", {1}) == nullptr);
  CHECK(fixture.said() ==
        "checkpoint: does not hold this model, 8 problems:\n"
        "  m: shape [3, 4], expected [4, 3]\n"
        "  flat: shape [12], expected [3, 4]\n"
        "  v: shape [5, 1], expected [5]\n"
        "  stack: shape [6, 4], expected [2, 3, 4]\n"
        "  conv: shape [2, 3], expected [2, 1, 3]\n"
        "  absent: missing, expected shape [7, 8]\n"
        "  fine: taken twice\n"
        "  left: not part of the model");
}

TEST_CASE("formats that are no matrix formats here") {
  const Bytes file = raw_safetensors(
      R"({"a":{"dtype":"F8_E5M2","shape":[2,4],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}})",
      Bytes(16));
  const Checkpoint checkpoint = Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}});
  BoundStorage storage;
  Binder binder(checkpoint, storage);
  CHECK(binder.matrix("a", {2, 4}).empty());
  CHECK(binder.vector("b", {2}) == nullptr);
  CHECK(message_of<CheckpointError>([&] { binder.finish([](std::string_view) { return false; }); }) ==
        "checkpoint: does not hold this model, 3 problems:\n"
        "  a: dtype F8_E5M2, expected one of F32, F16, BF16, F8_E4M3\n"
        "  b: shape [1], expected [2]\n"
        "  b: dtype I64, expected one of F32, F16, BF16, F8_E4M3");
}

TEST_CASE("a long list is cut") {
  Fixture fixture({{"a", {1}, {0.0f}, "F32"}});
  for (int i = 0; i < 120; ++i) {
    fixture.binder.vector(concat("v", i), {3});
  }
  const std::string said = fixture.said();
  CHECK(contains(said, "121 problems:"));
  CHECK(contains(said, "\n  v49: missing, expected shape [3]\n  and 71 more"));
  CHECK_FALSE(contains(said, "v50"));
}

TEST_CASE("every tensor in the format that was asked for, rounded to the nearest even value") {
  std::mt19937 random(6);
  std::vector<TestTensor> tensors = {random_tensor("f32", {3, 300}, random),
                                     random_tensor("f16", {2, 5}, random, "F16"),
                                     random_tensor("bf16", {4}, random, "BF16")};
  tensors[0].values[0] = 1.00390625f;  // halfway between two bf16 values: to the even one, 1
  tensors[0].values[1] = 1.01171875f;  // the same: up, to 1.015625
  tensors[0].values[2] = 1e30f;        // too large for f16
  const Bytes file = write_safetensors(tensors, 1);
  const auto open = [&](Format format) {
    return Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}}, {.dtype = format});
  };
  for (const Format format : {Format::f32, Format::f16, Format::bf16}) {
    const std::string dtype = dtype_name(format);
    const Checkpoint checkpoint = open(format);
    BoundStorage storage;
    Binder binder(checkpoint, storage);
    const Matrix all[] = {binder.matrix("f32", {3, 300}), binder.matrix("f16", {2, 5})};
    const float* const vector = binder.vector("bf16", {4}, Meaning::one_plus);
    binder.finish([](std::string_view) { return false; });
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(all[i].format == format);
      CHECK(Bytes(all[i].data, all[i].data + all[i].bytes()) == encode(tensors[i].values, dtype));
    }
    CHECK(storage.stored(vector)->format == format);
    CHECK(storage.stored(vector + 1) == nullptr);
    for (std::size_t i = 0; i < 4; ++i) {
      const float stored = format == Format::f16 ? f16_to_f32(f32_to_f16(tensors[2].values[i])) : tensors[2].values[i];
      CHECK(vector[i] == 1.0f + stored);
    }
    CHECK_FALSE(binder.uses_checkpoint());  // the data is not aligned, so nothing is a view
  }
  // Too narrow for vectors: they stay as they are.
  const Checkpoint checkpoint = open(Format::f8_e4m3);
  BoundStorage storage;
  Binder binder(checkpoint, storage);
  CHECK(binder.matrix("f32", {3, 300}).format == Format::f8_e4m3);
  CHECK(storage.stored(binder.vector("bf16", {4}))->format == Format::bf16);
}
