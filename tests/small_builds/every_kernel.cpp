// SPDX-License-Identifier: Apache-2.0
// The tests of every kernel in one file, so that its headers are compiled once: for a machine that is emulated.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "../kernels/kernel_test.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

// Each in a namespace of its own: their helpers have the same names.
namespace of_activations {
#include "../kernels/activations.cpp"
}
namespace of_attention {
#include "../kernels/attention.cpp"
}
namespace of_causal_conv1d {
#include "../kernels/causal_conv1d.cpp"
}
namespace of_dispatch {
#include "../kernels/dispatch.cpp"
}
namespace of_fit_scales {
#include "../kernels/fit_scales.cpp"
}
namespace of_gated_delta_rule {
#include "../kernels/gated_delta_rule.cpp"
}
namespace of_matmul {
#include "../kernels/matmul.cpp"
}
namespace of_resize {
#include "../kernels/resize.cpp"
}
namespace of_row_conversion {
#include "../kernels/row_conversion.cpp"
}
