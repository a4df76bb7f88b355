// SPDX-License-Identifier: Apache-2.0
#include "kernel_test.hpp"

using namespace qwen35;
using namespace kernel_test;

TEST_CASE("the causal convolution agrees with its definition, for any split of the tokens") {
  for_each_isa([] {
    for (const std::size_t kernel : {1u, 2u, 4u, 7u}) {
      for (const std::size_t channels : {1u, 5u, 16u, 33u, 70u, 1030u}) {
        CAPTURE(kernel);
        CAPTURE(channels);
        const std::size_t tokens = 11, before = kernel - 1, stride = channels + 3, out_stride = channels + 1;
        const std::vector<float> history = random_values(before * channels, 1, 3.0f);
        const std::vector<float> x = random_values(tokens * stride, 2, 3.0f);
        const std::vector<float> weight = random_values(kernel * channels, 3, 2.0f);
        std::vector<float> out(tokens * out_stride, 55.0f);
        kernels::causal_conv1d_silu(
            {history.data(), x.data(), stride, weight.data(), kernel, channels, tokens, out.data(), out_stride});
        const auto column = [&](std::size_t t, std::size_t c) {
          return static_cast<double>(t < before ? history[t * channels + c] : x[(t - before) * stride + c]);
        };
        double worst = 0;
        for (std::size_t t = 0; t < tokens; ++t) {
          for (std::size_t c = 0; c < channels; ++c) {
            double sum = 0, size = 1e-30;
            for (std::size_t j = 0; j < kernel; ++j) {
              const double term = static_cast<double>(weight[j * channels + c]) * column(t + j, c);
              sum += term;
              size += std::abs(term);
            }
            const double off =
                std::abs(static_cast<double>(out[t * out_stride + c]) - sum / (1.0 + std::exp(-sum))) / size;
            worst = off <= worst ? worst : off;
          }
          CHECK(out[t * out_stride + channels] == 55.0f);
        }
        CHECK(worst < 1e-6);

        std::vector<float> columns(history);  // one token at a time, history carried on
        std::vector<float> single(out.size(), 55.0f);
        for (std::size_t t = 0; t < tokens; ++t) {
          kernels::causal_conv1d_silu({columns.data(), x.data() + t * stride, stride, weight.data(), kernel, channels,
                                       1, single.data() + t * out_stride, out_stride});
          columns.insert(columns.end(), x.data() + t * stride, x.data() + t * stride + channels);
          columns.erase(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(channels));
        }
        CHECK(same_bits(single, out));
      }
    }
  });
}

TEST_CASE("silu at its ends") {
  for_each_isa([] {
    const std::vector<float> x = {0.0f, -100.0f, 100.0f, -1e30f, 1e30f, 20.0f, -20.0f, NAN, 1e-20f};
    const std::vector<float> weight(x.size(), 1.0f);
    std::vector<float> out(x.size());
    kernels::causal_conv1d_silu({nullptr, x.data(), x.size(), weight.data(), 1, x.size(), 1, out.data(), x.size()});
    CHECK(out[0] == 0.0f);
    CHECK(std::abs(out[1]) < 1e-30f);
    CHECK(out[2] == 100.0f);
    CHECK(std::abs(out[3]) < 1e-6f);
    CHECK(out[4] == 1e30f);
    CHECK(out[5] == doctest::Approx(20.0f));
    CHECK(out[6] == doctest::Approx(-20.0 / (1.0 + std::exp(20.0))).epsilon(1e-6));
    CHECK(std::isnan(out[7]));
    CHECK(out[8] == doctest::Approx(5e-21));
  });
}
