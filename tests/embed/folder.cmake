# SPDX-License-Identifier: Apache-2.0
# Files with odd names, made in the build folder, embedded in the test of qwen35_embed.
set(embed_dir "${CMAKE_CURRENT_BINARY_DIR}/embedded files")
file(CONFIGURE OUTPUT "${embed_dir}/plain.txt" CONTENT "plain\n" @ONLY)
file(CONFIGURE OUTPUT "${embed_dir}/odd $name (1)'s é, @50%.json" CONTENT "odd" @ONLY)
file(CONFIGURE OUTPUT "${embed_dir}/0empty" CONTENT "" @ONLY)
file(CONFIGURE OUTPUT "${embed_dir}/class" CONTENT "keyword" @ONLY)
qwen35_embed(test_embed_embed NAME odd FILES
  "${embed_dir}/plain.txt" "${embed_dir}/odd $name (1)'s é, @50%.json" "${embed_dir}/0empty" "${embed_dir}/class")
qwen35_embed(test_embed_embed NAME again FILES "${embed_dir}/plain.txt")
