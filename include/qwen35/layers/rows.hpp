// SPDX-License-Identifier: Apache-2.0
// Products of activations with stored matrices, spread over the threads: the rows that are read, in the forms in which
// products read them, and the one place that chooses a product's path.
#pragma once

#include <qwen35/core/arena.hpp>
#include <qwen35/core/matrix.hpp>
#include <qwen35/kernels/kernels.hpp>
#include <qwen35/kernels/matmul_blocks.hpp>
#include <qwen35/layers/activation.hpp>
#include <qwen35/parallel/parallel_for.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#if QWEN35_BODIES
#include <qwen35/formats/formats.hpp>

#include <cstring>
#endif

QWEN35_BEGIN_NAMESPACE

// Room for the forms of `count` rows of at most `width` values. Rows that follow each other may share it.
template <class A>
struct RowsScratch {
  float* packed = nullptr;                       // a block of the values of all rows
  kernels::QuantizedBlock* quantized = nullptr;  // all rows in 8 bits

  constexpr RowsScratch(A& arena, std::size_t count, std::size_t width) : RowsScratch(arena, count, width, true) {}

  // For rows that are read in parts: `packs` false.
  constexpr RowsScratch(A& arena, std::size_t count, std::size_t width, bool packs)
      : quantized(arena.template take<kernels::QuantizedBlock>(count * kernels::quantized_blocks(width))) {
    if (packs && count > kernels::few_tokens) {
      packed = arena.template take<float>(kernels::packed_size(count, std::min(width, kernels::matmul_block_limit)));
    }
  }
};

// Rows of f32 that stand in memory one after the other, `[count, width]`; their other forms are made by all threads
// together, once, when products ask for them.
class Rows {
 public:
  // Rows in their first form alone.
  Rows(const float* values, std::size_t count, std::size_t width) : values_(values), count_(count), width_(width) {}
  Rows(const float* values, std::size_t count, std::size_t width, const RowsScratch<Arena>& scratch)
      : values_(values), count_(count), width_(width), packed_(scratch.packed), quantized_(scratch.quantized) {}

  std::size_t count() const { return count_; }
  std::size_t width() const { return width_; }
  // Not of gathered rows that were not copied.
  const float* row(std::size_t index) const { return values_ + index * width_; }

  // Row i of the result is row index[i]. `to` [index.size(), width] holds the copies; null: their 8-bit form alone is
  // read, from where it is. The result refers to these rows and to `index`.
  Rows gather(std::span<const std::uint32_t> index, float* to) const;

  // Many rows go through block by block of their values, so that what every thread reads, the packed block, stays
  // small. (512 rows of 4304 values: whole rows packed once are 5 % slower than rows packed anew by each task, blocks
  // 9 % faster.)
  bool read_in_blocks() const { return packed_ != nullptr && count_ > kernels::few_tokens && width_ > 0; }
  const float* pack_block(std::size_t k, std::size_t length, Format format) const;

  // Makes the 8-bit form, for what follows. Raises InputError if there is no room for it.
  void quantize() const;
  // Row i in 8 bits is row index()[first + i] of quantized_row(first), or row i when there is no index.
  const kernels::QuantizedBlock* quantized_row(std::size_t first) const;
  const std::uint32_t* quantized_index(std::size_t first) const { return index_ == nullptr ? nullptr : index_ + first; }

 private:
  const float* values_;
  std::size_t count_, width_;
  float* packed_ = nullptr;
  kernels::QuantizedBlock* quantized_ = nullptr;
  mutable bool is_quantized_ = false;
  const Rows* source_ = nullptr;  // of gathered rows
  const std::uint32_t* index_ = nullptr;
};

// y[i, n] = sum_k x[i, k] * weight[n, k] + bias[n], and with a gate y = activation(x gate^T) * that.
struct Projection {
  Matrix weight;                // [out, in]
  float* y = nullptr;           // [rows, out]
  std::size_t y_stride = 0;     // floats between rows
  const float* bias = nullptr;  // [out] or null
  Matrix gate{};                // [out, in] or empty
  float* gate_y = nullptr;      // [rows, out]: scratch of the gate, with the stride of y
  Activation activation = Activation::silu;
};

// The projection of rows [first, first + count) of x.
struct Product {
  const Rows* x = nullptr;
  std::size_t first = 0, count = 0;
  Projection projection;
  std::size_t tasks_end = 0;  // for project()
};

namespace detail {

// Matrix rows of one task: enough tasks for the threads to share evenly, none so small that handing it out costs more
// than its work (256 rows of 2048 bf16 values are 1 MiB, about 60 us of memory time) or than packing tokens for it. Of
// short rows there are as many more.
std::size_t rows_per_task(std::size_t rows, std::size_t cols);

// Calls fn(product, begin, end) for ranges of matrix rows of each, in one parallel region.
template <class Fn>
inline void each_range(std::span<Product> products, const Fn& fn) {
  std::size_t rows = 0, cols = 0, multiply_adds = 0, tasks = 0;
  for (const Product& product : products) {
    const Matrix& weight = product.projection.weight;
    rows += weight.rows;
    cols = std::max(cols, weight.cols);
    multiply_adds += weight.rows * weight.cols * product.count * (product.projection.gate.empty() ? 1 : 2);
  }
  const std::size_t step = rows_per_task(rows, cols);
  for (Product& product : products) {
    tasks += (product.projection.weight.rows + step - 1) / step;
    product.tasks_end = tasks;
  }
  parallel_tasks(multiply_adds, tasks, [&](std::size_t task) {
    const Product& product = *std::upper_bound(products.begin(), products.end(), task,
                                               [](std::size_t t, const Product& p) { return t < p.tasks_end; });
    const std::size_t count = product.projection.weight.rows;
    const std::size_t begin = (task + (count + step - 1) / step - product.tasks_end) * step;
    fn(product, begin, std::min(begin + step, count));
  });
}

void apply_gate(const Product& product, std::size_t begin, std::size_t end);

// Rows [begin, end) of one of a product's matrices; rows of `next` are likely to be multiplied then.
void multiply(const Product& product, const Matrix& w, std::size_t begin, std::size_t end, float* y, const float* bias,
              const Matrix& next);

bool reads_quantized(const Projection& projection);

void check(const Matrix& matrix);
void check(std::span<const Product> products);

}  // namespace detail

// Each product for itself, all in one parallel region: experts, of which each has its own rows. Products with matrices
// of blocks read the rows in 8 bits. Raises InputError for a format that the program was compiled without, for rows
// that are not whole blocks of theirs, and where there is no room for the 8-bit form.
void project(std::span<Product> products);

// Up to 8 projections of the same rows.
void project(const Rows& rows, std::span<const Projection> projections);

void project(const Rows& rows, std::initializer_list<Projection> projections);

#if QWEN35_BODIES

QWEN35_BODY Rows Rows::gather(std::span<const std::uint32_t> index, float* to) const {
  Rows gathered(to, index.size(), width_);
  gathered.source_ = this;
  gathered.index_ = index.data();
  if (to == nullptr) {
    return gathered;
  }
  parallel_ranges(index.size(), 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      std::memcpy(to + i * width_, row(index[i]), width_ * sizeof(float));
    }
  });
  return gathered;
}

QWEN35_BODY const float* Rows::pack_block(std::size_t k, std::size_t length, Format format) const {
  parallel_ranges(count_, kernels::packed_granule, [&](std::size_t begin, std::size_t end) {
    kernels::pack_tokens({values_ + k, width_, begin, end, length, packed_, format});
  });
  return packed_;
}

QWEN35_BODY void Rows::quantize() const {
  if (source_ != nullptr) {
    source_->quantize();
    return;
  }
  require<InputError>(quantized_ != nullptr || count_ == 0,
                      "products with rows of blocks: no room for the rows in 8 bits");
  if (is_quantized_) {
    return;
  }
  is_quantized_ = true;
  const std::size_t blocks = count_ * kernels::quantized_blocks(width_);
  const auto make = [this](std::size_t begin, std::size_t end) {
    kernels::quantize_rows({values_, width_, begin, end, quantized_});
  };
  if (blocks < 64) {  // less work than waking the threads
    make(0, blocks);
  } else {
    parallel_ranges(blocks, 8, make);
  }
}

QWEN35_BODY const kernels::QuantizedBlock* Rows::quantized_row(std::size_t first) const {
  return source_ != nullptr ? source_->quantized_ : quantized_ + first * kernels::quantized_blocks(width_);
}

namespace detail {

QWEN35_BODY std::size_t rows_per_task(std::size_t rows, std::size_t cols) {
  constexpr std::size_t granule = kernels::matmul_row_granule;
  const std::size_t threads = static_cast<std::size_t>(num_threads());
  const std::size_t most = cols < 2048 ? 256 * 2048 / std::max<std::size_t>(cols, 1) : 256;
  const std::size_t wanted = std::clamp<std::size_t>(rows / (threads * 16), granule, most);
  return (wanted + granule - 1) / granule * granule;
}

QWEN35_BODY void apply_gate(const Product& product, std::size_t begin, std::size_t end) {
  const Projection& projection = product.projection;
  for (std::size_t i = 0; i < product.count; ++i) {
    float* const y = projection.y + i * projection.y_stride + begin;
    activate_gate(projection.activation, projection.gate_y + i * projection.y_stride + begin, y, end - begin, y);
  }
}

QWEN35_BODY bool reads_quantized(const Projection& projection) {
  return kernels::has_integer_products(projection.weight.format) ||
         (!projection.gate.empty() && kernels::has_integer_products(projection.gate.format));
}

QWEN35_BODY void multiply(const Product& product, const Matrix& w, std::size_t begin, std::size_t end, float* y,
                          const float* bias, const Matrix& next) {
  const Rows& x = *product.x;
  const std::size_t y_stride = product.projection.y_stride;
  if (kernels::has_integer_products(w.format)) {
    kernels::integer_matmul({w, begin, end, x.quantized_row(product.first), x.quantized_index(product.first),
                             product.count, y, y_stride, bias, next.empty() ? nullptr : next.row(begin)});
  } else {
    kernels::matmul({w, begin, end, x.row(product.first), x.width(), product.count, y, y_stride, bias});
  }
}

QWEN35_BODY void check(const Matrix& matrix) {
  require_available(matrix.format, "a matrix of a product");
  require_whole_blocks(matrix.format, matrix.cols, "a matrix of a product");
}

QWEN35_BODY void check(std::span<const Product> products) {
  for (const Product& product : products) {
    check(product.projection.weight);
    if (!product.projection.gate.empty()) {
      check(product.projection.gate);
    }
  }
}

}  // namespace detail

QWEN35_BODY void project(std::span<Product> products) {
  detail::check(products);
  for (const Product& product : products) {
    if (detail::reads_quantized(product.projection)) {
      product.x->quantize();
    }
  }
  detail::each_range(products, [](const Product& product, std::size_t begin, std::size_t end) {
    const Projection& to = product.projection;
    detail::multiply(product, to.weight, begin, end, to.y, to.bias, to.gate);
    if (!to.gate.empty()) {
      detail::multiply(product, to.gate, begin, end, to.gate_y, nullptr, {});
      detail::apply_gate(product, begin, end);
    }
  });
}

QWEN35_BODY void project(const Rows& rows, std::span<const Projection> projections) {
  std::array<Product, 8> room;
  require<InputError>(projections.size() <= room.size(), "project: ", projections.size(), " projections, at most ",
                      room.size());
  // Those that go through block by block stand behind the others, if one packed block serves them all.
  const Format form = projections.empty() ? Format::f32 : kernels::packed_for(projections.front().weight);
  const auto in_blocks = [&rows, form](const Projection& p) {
    return rows.read_in_blocks() && !detail::reads_quantized(p) && kernels::packed_for(p.weight) == form &&
           (p.gate.empty() || kernels::packed_for(p.gate) == form);
  };
  std::size_t whole = 0, last = projections.size();
  for (const Projection& projection : projections) {
    room[in_blocks(projection) ? --last : whole++] = {&rows, 0, rows.count(), projection};
  }
  if (whole > 0) {
    project(std::span<Product>(room.data(), whole));
  }
  const std::span<Product> products(room.data() + whole, projections.size() - whole);
  if (products.empty()) {
    return;
  }
  detail::check(products);
  const std::size_t width = rows.width(), block = kernels::matmul_block(width);
  for (std::size_t k = 0; k < width; k += block) {
    const float* const packed = rows.pack_block(k, std::min(block, width - k), form);
    detail::each_range(products, [&](const Product& product, std::size_t begin, std::size_t end) {
      const Projection& to = product.projection;
      kernels::matmul_packed({to.weight, begin, end, k, packed, rows.count(), to.y, to.y_stride, to.bias});
      if (!to.gate.empty()) {
        kernels::matmul_packed({to.gate, begin, end, k, packed, rows.count(), to.gate_y, to.y_stride});
        if (k + block >= width) {
          detail::apply_gate(product, begin, end);
        }
      }
    });
  }
}

QWEN35_BODY void project(const Rows& rows, std::initializer_list<Projection> projections) {
  project(rows, std::span<const Projection>(projections.begin(), projections.size()));
}

#endif  // QWEN35_BODIES

QWEN35_END_NAMESPACE
