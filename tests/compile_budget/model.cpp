// SPDX-License-Identifier: Apache-2.0
// The front door alone. It emits nothing.
// budget: generate lines 79000
// budget: kernels lines 124000
// budget: inline lines 191000 bytes 4096
#include <qwen35/model.hpp>
