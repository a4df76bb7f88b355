// SPDX-License-Identifier: Apache-2.0
// expect: "qwen35 is written in C++20: compile with -std=c++20
// lines: 12
// flags: -std=c++17
#include <qwen35/model.hpp>
