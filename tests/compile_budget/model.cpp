// SPDX-License-Identifier: Apache-2.0
// The front door alone. It emits nothing.
// budget: generate lines 88000
// budget: kernels lines 127000
// budget: inline lines 193000 bytes 4096
#include <qwen35/model.hpp>
