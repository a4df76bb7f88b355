// SPDX-License-Identifier: Apache-2.0
// Any bytes as a quantised weight: the first choose the method and its settings, the next change what its tensors are,
// the rest are the tensors' bytes. An error, or values for every row.
#include <qwen35/weights/binder.hpp>

#include <cmath>
#include <cstdint>

#include "safetensors_writer.hpp"

namespace {

using namespace weights_test;
using qwen35::concat;

constexpr const char* dtypes[] = {"I32", "F16", "BF16", "F32", "I8", "I64", "F8_E4M3", "F8_E8M0", "U32", "U8"};
constexpr std::size_t widths[] = {4, 2, 2, 4, 1, 8, 1, 1, 4, 1};
constexpr std::size_t extents[] = {1, 2, 3, 4, 8, 16, 32, 64, 96, 128, 256};
constexpr const char* sizes[] = {"-1", "0", "1", "7", "16", "32", "64", "128", "2147483647", "1.5", "null"};

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  // Bytes without end: the input's, then 1, 2, 3, ...
  std::uint8_t byte() { return at_ < size_ ? data_[at_++] : static_cast<std::uint8_t>(++at_ - size_); }
  template <class T, std::size_t N>
  T one_of(const T (&list)[N]) {
    return list[byte() % N];
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

struct Part {
  std::string name;
  std::size_t dtype;  // of the lists
  Extents shape;
};

struct Module {
  std::string config;
  std::vector<Part> parts;
};

Module fp8(Input& input, std::size_t rows, std::size_t cols) {
  const std::size_t a = input.one_of(extents), b = input.one_of(extents), kind = input.byte();
  const std::size_t scale_types[] = {3, 1, 2, 7};
  const Extents scales[] = {{(rows + a - 1) / a, (cols + b - 1) / b}, {rows, 1}, {1}, {}};
  return {concat(R"({"quant_method":"fp8","weight_block_size":[)", a, ",", b, "]}"),
          {{"weight", 6, {rows, cols}},
           {kind % 2 == 0 ? "weight_scale_inv" : "weight_scale", scale_types[kind / 2 % 4], scales[kind / 8 % 4]}}};
}

Module gptq(Input& input, std::size_t rows, std::size_t cols) {
  const std::size_t size = input.one_of(extents), kind = input.byte(), bits = kind % 2 == 0 ? 4 : 8;
  const std::size_t groups = (cols + size - 1) / size;
  Module out{concat(R"({"quant_method":"gptq","bits":)", bits, R"(,"group_size":)", input.one_of(sizes),
                    kind / 2 % 2 == 0 ? "}" : R"(,"checkpoint_format":"gptq_v2"})"),
             {{"qweight", 0, {cols * bits / 32, rows}},
              {"qzeros", 0, {groups, (rows * bits + 31) / 32}},
              {"scales", 1 + kind / 4 % 3, {groups, rows}}}};
  if (kind / 16 % 2 == 0) {
    out.parts.push_back({"g_idx", 0, {cols}});
  }
  return out;
}

Module awq(Input& input, std::size_t rows, std::size_t cols) {
  const std::size_t size = input.one_of(extents), groups = (cols + size - 1) / size;
  return {concat(R"({"quant_method":"awq","bits":4,"group_size":)", input.one_of(sizes), "}"),
          {{"qweight", 0, {cols, rows / 8}}, {"qzeros", 0, {groups, rows / 8}}, {"scales", 1, {groups, rows}}}};
}

Module compressed(Input& input, std::size_t rows, std::size_t cols) {
  const std::size_t size = input.one_of(extents), kind = input.byte(), bits = kind % 2 == 0 ? 4 : 8;
  const std::size_t groups = (cols + size - 1) / size;
  Module out{concat(R"({"quant_method":"compressed-tensors","config_groups":{"a":{"weights":{"group_size":)",
                    input.one_of(sizes), "}}}}"),
             {{"weight_scale", 1 + kind / 2 % 3, kind / 8 % 4 == 0 ? Extents{1} : Extents{rows, groups}}}};
  if (kind / 32 % 2 == 0) {
    out.parts.push_back({"weight_packed", 0, {rows, (cols * bits + 31) / 32}});
    out.parts.push_back({"weight_shape", 5, {2}});
  } else {
    out.parts.push_back({"weight", 4, {rows, cols}});
  }
  if (kind / 64 % 2 == 0) {
    out.parts.push_back({"weight_g_idx", 0, {cols}});
  }
  if (kind / 128 == 0) {
    out.parts.push_back(input.byte() % 2 == 0 ? Part{"weight_zero_point", 0, {(rows * bits + 31) / 32, groups}}
                                              : Part{"weight_zero_point", 4, {rows, groups}});
  }
  return out;
}

Module mlx(Input& input, std::size_t rows, std::size_t cols) {
  const std::size_t size = input.one_of(extents), kind = input.byte(), bits = 2 + kind % 8;
  const Extents groups = {rows, (cols + size - 1) / size};
  return {concat(R"({"group_size":)", input.one_of(sizes), R"(,"bits":4})"),
          {{"weight", 8, {rows, cols * bits / 32}},
           {"scales", 1 + kind / 8 % 3, groups},
           {"biases", 1 + kind / 32 % 3, groups}}};
}

Module nvfp4(Input& input, std::size_t rows, std::size_t cols) {
  const bool divides = input.byte() % 2 == 0;
  return {divides ? R"({"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized"})"
                  : R"({"quant_method":"modelopt","quant_algo":"NVFP4"})",
          {{divides ? "weight_packed" : "weight", 9, {rows, cols / 2}},
           {"weight_scale", 6, {rows, cols / 16}},
           {divides ? "weight_global_scale" : "weight_scale_2", 3, {1}}}};
}

// What a module of its kind does not have.
void change(Module& module, Input& input) {
  Part& part = module.parts[input.byte() % module.parts.size()];
  const std::size_t how = input.byte(), value = input.byte();
  if (how % 6 == 0) {
    part.dtype = value % std::size(dtypes);
  } else if (how % 6 == 1 && !part.shape.empty()) {
    part.shape[how / 6 % part.shape.size()] = value < 8 ? value : extents[value % std::size(extents)];
  } else if (how % 6 == 2) {
    part.shape.push_back(value % 3);
  } else if (how % 6 == 3 && !part.shape.empty()) {
    part.shape.pop_back();
  } else if (how % 6 == 4 && module.parts.size() > 1) {
    module.parts.erase(module.parts.begin() + static_cast<std::ptrdiff_t>(value % module.parts.size()));
  } else {
    const std::string name = module.parts[value % module.parts.size()].name;
    part.name = name == part.name ? name + "_scale" : name;
  }
}

Bytes bytes_of_part(const Part& part, Input& input, std::size_t rows, std::size_t cols) {
  std::size_t count = widths[part.dtype];
  for (const std::size_t extent : part.shape) {
    count *= extent;
  }
  Bytes out(count);
  // Most numbers of groups, and the weight's shape, are right.
  const bool groups = part.name.ends_with("g_idx"), shape = part.name == "weight_shape" && count >= 16;
  if ((groups || shape) && input.byte() % 8 != 0) {
    if (shape) {
      std::memcpy(out.data(), &rows, 8);
      std::memcpy(out.data() + 8, &cols, 8);
    }
    const std::size_t run = std::size_t{1} << input.byte() % 8, most = 1 + input.byte() % 4;
    for (std::size_t i = 0; groups && i < count; i += 4) {
      out[i] = static_cast<std::byte>(i / 4 / run % most);
    }
    return out;
  }
  for (std::byte& byte : out) {
    byte = static_cast<std::byte>(input.byte());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  constexpr decltype(&fp8) methods[] = {fp8, gptq, awq, compressed, mlx, nvfp4};
  const auto method = input.one_of(methods);
  const std::size_t rows = input.one_of(extents), cols = input.one_of(extents);
  Module module = method(input, rows, cols);
  for (std::size_t i = input.byte() % 4; i > 0; --i) {
    change(module, input);
  }
  const std::size_t unsaid = input.byte();  // the tensors alone tell
  const Bytes config = bytes_of(unsaid % 8 == 1 ? "{}" : R"({"quantization_config":)" + module.config + "}");
  std::vector<RawTensor> tensors;
  for (const Part& part : module.parts) {
    tensors.push_back({"m." + part.name, part.shape, dtypes[part.dtype], bytes_of_part(part, input, rows, cols)});
  }
  const Bytes file = write_safetensors(tensors, unsaid % 5);
  try {
    const qwen35::Checkpoint checkpoint =
        qwen35::Checkpoint::from_bytes({{"config.json", config}, {"m.safetensors", file}});
    qwen35::BoundStorage storage;
    qwen35::Binder binder(checkpoint, storage);
    const qwen35::Matrix matrix = binder.matrix("m.weight", {rows, cols});
    binder.finish([](std::string_view) { return false; });
    std::vector<float> row(cols);
    float sum = 0;
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      qwen35::kernels::decode_row({matrix, i, row.data()});
      for (const float value : row) {
        sum += value;  // the memory sanitizers see which were written
      }
    }
    volatile float use = sum;
    static_cast<void>(use);
    if (matrix.rows != rows || matrix.cols != cols) {
      std::abort();
    }
  } catch (const qwen35::Error&) {
  }
  return 0;
}
