// SPDX-License-Identifier: Apache-2.0
// The packages are those of the project's own targets.
#include <qwen35/kernels/kernels.hpp>

#include <Eigen/Core>

#if !defined(OWN_HIGHWAY) || !defined(OWN_EIGEN)
#error "another copy of Highway or Eigen was taken"
#endif
