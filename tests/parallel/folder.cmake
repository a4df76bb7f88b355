# SPDX-License-Identifier: Apache-2.0
# It compares times.
set_tests_properties(test_parallel_parallel_for PROPERTIES RUN_SERIAL ON)

# What the thread sanitizer finds, or does not, counts where it knows OpenMP's barriers: libomp's Archer tells it about them, and says so.
if("${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_DEBUG}" MATCHES "-fsanitize=thread")
  add_test(NAME parallel_archer COMMAND test_parallel "--test-case=nested loops visit everything")
  set_tests_properties(parallel_archer PROPERTIES LABELS parallel ENVIRONMENT ARCHER_OPTIONS=verbose=1
                       PASS_REGULAR_EXPRESSION "Archer detected OpenMP application with TSan")
endif()

# A library with loops that is loaded, used and unloaded, again and again, by a program without OpenMP. (GCC's names that are one in the whole process
# would keep it.)
if(UNIX AND NOT "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_DEBUG}" MATCHES "-fsanitize=thread")
  find_package(Threads REQUIRED)
  add_library(qwen35_unloading_plugin MODULE "${CMAKE_CURRENT_LIST_DIR}/unloading/plugin.cpp")
  target_link_libraries(qwen35_unloading_plugin PRIVATE qwen35::qwen35 qwen35_warnings)
  target_compile_options(qwen35_unloading_plugin PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  set_target_properties(qwen35_unloading_plugin PROPERTIES CXX_VISIBILITY_PRESET hidden)
  add_executable(qwen35_unloading_host "${CMAKE_CURRENT_LIST_DIR}/unloading/host.cpp")
  target_compile_features(qwen35_unloading_host PRIVATE cxx_std_20)
  target_link_libraries(qwen35_unloading_host PRIVATE qwen35_warnings Threads::Threads ${CMAKE_DL_LIBS})
  add_test(NAME parallel_unloading COMMAND qwen35_unloading_host $<TARGET_FILE:qwen35_unloading_plugin>)
  set_tests_properties(parallel_unloading PROPERTIES LABELS parallel)
endif()
