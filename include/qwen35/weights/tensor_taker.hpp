// SPDX-License-Identifier: Apache-2.0
// What reads a parameter out of several tensors takes them from: the binder, or a test.
#pragma once

#include <qwen35/weights/tensor_info.hpp>

#include <string>

QWEN35_BEGIN_NAMESPACE

class TensorTaker {
 public:
  // The tensor of that name, or null.
  virtual const TensorInfo* find(const std::string& name) const = 0;
  // The same; it then counts as a part of the model.
  virtual const TensorInfo* take_any(const std::string& name) = 0;
  // Notes a tensor that is missing or does not fit.
  virtual void complain(const std::string& name, const std::string& what) = 0;

 protected:
  ~TensorTaker() = default;
};

QWEN35_END_NAMESPACE
