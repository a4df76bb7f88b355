// SPDX-License-Identifier: Apache-2.0
// A program in C, whose flags are its own.
#ifdef _OPENMP
#error "a flag of qwen35's is passed on to a target that does not link it"
#endif

int main(void) { return 0; }
