// SPDX-License-Identifier: Apache-2.0
#include <qwen35/weights/binder.hpp>
#include <qwen35/weights/fp4_weight.hpp>
#include <qwen35/weights/pack_source.hpp>

#include "safetensors_writer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace qwen35;
using namespace weights_test;

namespace {

constexpr std::size_t rows = 6, cols = 128;

float value_of(std::uint32_t code) {
  constexpr float sizes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  return code > 7 ? -sizes[code - 8] : sizes[code];
}

// Every code in each group; scales of every size.
struct Fp4Layer {
  bool divides;
  std::size_t width = cols;
  float factor = 0.0012345f;

  std::uint32_t code(std::size_t i, std::size_t k) const { return static_cast<std::uint32_t>(i * 5 + k * 7) % 16; }
  std::uint8_t scale(std::size_t i, std::size_t group) const {
    return static_cast<std::uint8_t>((i * 31 + group * 17) % 127);
  }
  float value(std::size_t i, std::size_t k) const {
    const float of_group = f8_e4m3_to_f32(scale(i, k / 16));
    return (divides ? of_group / factor : of_group * factor) * value_of(code(i, k));
  }

  std::vector<RawTensor> tensors() const {
    Bytes codes(rows * width / 2), scales(rows * width / 16);
    for (std::size_t i = 0; i < rows * width; ++i) {
      codes[i / 2] |= static_cast<std::byte>(code(i / width, i % width) << i % 2 * 4);
      scales[i / 16] = static_cast<std::byte>(scale(i / width, i % width / 16));
    }
    return {{divides ? "m.up.weight_packed" : "m.up.weight", {rows, width / 2}, "U8", std::move(codes)},
            {"m.up.weight_scale", {rows, width / 16}, "F8_E4M3", std::move(scales)},
            TestTensor{divides ? "m.up.weight_global_scale" : "m.up.weight_scale_2", {1}, {factor}},
            TestTensor{divides ? "m.up.input_global_scale" : "m.up.input_scale", {1}, {1.0f}}};
  }
};

struct Fixture {
  Bytes settings = bytes_of("{}"), file;
  Checkpoint checkpoint;
  BoundStorage storage;
  Binder binder;

  explicit Fixture(std::span<const RawTensor> tensors, Binding binding = Binding::whole)
      : file(write_safetensors(tensors, 1)),
        checkpoint(Checkpoint::from_bytes({{"config.json", settings}, {"m.safetensors", file}})),
        binder(checkpoint, storage, binding) {}

  std::string said() {
    return message_of<CheckpointError>([&] { binder.finish([](std::string_view) { return false; }); });
  }
};

std::size_t wrong_values(const Matrix& matrix, const Fp4Layer& layer) {
  std::vector<float> row(matrix.cols);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    kernels::decode_row({matrix, i, row.data()});
    for (std::size_t k = 0; k < matrix.cols; ++k) {
      wrong += row[k] == layer.value(i, k) ? 0u : 1u;
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("NVFP4 of compressed-tensors and of ModelOpt, to the bit") {
  for (const bool divides : {false, true}) {
    for (const float factor : {0.0012345f, 1.0f, 2688.7f, 0x1.234568p-110f}) {
      for (const std::size_t width : {std::size_t{128}, std::size_t{64}, std::size_t{48}}) {
        const Fp4Layer layer{divides, width, factor};
        CAPTURE(divides);
        CAPTURE(factor);
        CAPTURE(width);
        Fixture fixture(layer.tensors());
        CHECK(fixture.binder.has("m.up.weight"));
        const Matrix matrix = fixture.binder.matrix("m.up.weight", {rows, width});
        CHECK(fixture.said() == "");
        REQUIRE_FALSE(matrix.empty());
        CHECK(name(matrix.format) == name(width == 48 || factor < 0x1p-100f ? Format::f32 : Format::nvfp4_64));
        CHECK(wrong_values(matrix, layer) == 0);
        CHECK_FALSE(fixture.binder.uses_checkpoint());
        // As a source of packing.
        const std::vector<PackSource> sources = pack_sources(fixture.checkpoint);
        REQUIRE(sources.size() == 1);
        CHECK(sources[0].weight.shape == Extents{rows, width});
        BoundStorage storage;
        CHECK(wrong_values(pack_matrix(fixture.checkpoint, sources[0], storage), layer) == 0);
      }
    }
  }
}

TEST_CASE("broken folders in NVFP4: each thing that does not fit is an error with the tensor's name") {
  for (const bool divides : {false, true}) {
    const Fp4Layer layer{divides};
    const std::vector<RawTensor> sound = layer.tensors();
    const auto said = [](const std::vector<RawTensor>& tensors, Binding binding = Binding::whole) {
      Fixture fixture(tensors, binding);
      CHECK(fixture.binder.matrix("m.up.weight", {rows, cols}).empty());
      return fixture.said();
    };
    const auto changed = [&](std::size_t part, const std::string& dtype, const Extents& shape) {
      std::vector<RawTensor> tensors = sound;
      std::size_t size = dtype == "F32" || dtype == "I32" ? 4 : 1;
      for (const std::size_t extent : shape) {
        size *= extent;
      }
      tensors[part].dtype = dtype;
      tensors[part].shape = shape;
      tensors[part].bytes.resize(size);
      const std::string text = said(tensors);
      CHECK(said(tensors, Binding::look) == text);
      return text;
    };
    CHECK(said(sound, Binding::look) == "");
    for (std::size_t part = 1; part < 3; ++part) {
      std::vector<RawTensor> tensors = sound;
      tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(part));
      CHECK(contains(said(tensors), sound[part].name + ": missing, expected beside the module's other tensors"));
    }
    CHECK(contains(changed(0, "U8", {rows, 63}),
                   sound[0].name + ": shape [6, 63], expected [6, 64] of a weight [6, 128]"));
    CHECK(contains(changed(0, "U8", {64, rows}), sound[0].name + ": shape [64, 6]"));
    CHECK(contains(changed(0, "U8", {}), sound[0].name + ": shape []"));
    CHECK(contains(changed(1, "F8_E4M3", {rows, 4}), "m.up.weight_scale: shape [6, 4], expected [6, 8]"));
    CHECK(contains(changed(1, "F8_E4M3", {rows}), "m.up.weight_scale: shape [6]"));
    CHECK(contains(changed(1, "F32", {rows, 8}), "m.up.weight_scale: dtype F32, expected F8_E4M3"));
    CHECK(contains(changed(1, "F8_E8M0", {rows, 8}), "m.up.weight_scale: dtype F8_E8M0"));
    CHECK(contains(changed(2, "F32", {2}), sound[2].name + ": shape [2], expected one factor"));
    CHECK(contains(changed(2, "F32", {1, 1}), sound[2].name + ": shape [1, 1]"));
    CHECK(contains(changed(2, "I32", {1}), sound[2].name + ": dtype I32, expected F32"));
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 0.0f, -1.0f}) {
      CHECK(contains(said(Fp4Layer{divides, cols, bad}.tensors()), sound[2].name + ": the factor is "));
    }
    std::vector<RawTensor> tensors = sound;
    tensors[1].bytes[2 * 8 + 5] = std::byte{0xff};
    CHECK(contains(said(tensors), "m.up.weight_scale: the factor at [2, 5] is nan, expected a finite number"));
    Fixture odd(sound);
    CHECK(odd.binder.matrix("m.up.weight", {rows, 120}).empty());
    CHECK(contains(odd.said(), "m.up.weight: rows of 120 columns, expected a multiple of 16"));
    tensors = sound;
    tensors.push_back(TestTensor{divides ? "m.up.weight" : "m.up.weight_packed", {1}, {1.0f}});
    CHECK(contains(said(tensors), "m.up.weight: this module has several weights"));
  }
}
