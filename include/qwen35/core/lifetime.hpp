// SPDX-License-Identifier: Apache-2.0
// The mark of parameters that a result looks at.
#pragma once

// Behind a parameter, or behind a member function for the object itself: what is returned or made looks at it and must
// not live longer. Clang warns of temporaries (-Wdangling) as far as its version follows them; GCC does not know it.
// Where a use of a temporary is never right, it does not compile anywhere: that overload is deleted.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::lifetimebound)
#define QWEN35_LIFETIMEBOUND [[clang::lifetimebound]]
#endif
#endif
#if !defined(QWEN35_LIFETIMEBOUND)
#define QWEN35_LIFETIMEBOUND
#endif
