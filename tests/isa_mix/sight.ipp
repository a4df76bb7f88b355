// SPDX-License-Identifier: Apache-2.0
// What one file of the mixed program sees; SIGHT names the function. Included by plain.cpp and avx2.cpp.
#include <isa_mix/mixed.hpp>

#include <qwen35/kernels/dispatch.hpp>
#include <qwen35/math/activations.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <atomic>
#include <string_view>

#define SIGHT_TEXT_OF(x) #x
#define SIGHT_TEXT(x) SIGHT_TEXT_OF(x)

// A class of the user's, of which the library makes functions.
struct Adder {
  std::atomic<int>* sum;
  void operator()(std::size_t i) const { sum->fetch_add(static_cast<int>(i)); }
};

Sight SIGHT() {
  Sight sight{};
  sight.abi = SIGHT_TEXT(QWEN35_ABI);
  sight.isa = std::string(qwen35::isa_name());
  try {
    qwen35::raise<qwen35::InputError>("a sentence");
  } catch (const qwen35::InputError& error) {
    sight.error_caught = std::string_view(error.what()) == "a sentence";
  }
  const float weights[3][5] = {{1, 2, 3, 4, 5}, {-1, 0, 1, 0, -1}, {2, 2, 2, 2, 2}};
  const float rows[2][5] = {{1, 1, 1, 1, 1}, {1, 0, -1, 0, 2}};
  const qwen35::Matrix matrix{reinterpret_cast<const std::byte*>(weights), qwen35::DType::f32, 3, 5};
  qwen35::kernels::matmul({matrix, 0, 3, &rows[0][0], 5, 2, sight.product, 3});
  const float one = 1.0f;
  qwen35::math::silu(&one, 1, &sight.silu);
  std::atomic<int> sum{0};
  qwen35::parallel_for(10, Adder{&sum});
  qwen35::parallel_for(10, [&](std::size_t i) { sum.fetch_add(static_cast<int>(i)); });
  sight.sum = sum.load();
  return sight;
}
