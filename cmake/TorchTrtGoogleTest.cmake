# Finds GoogleTest and defines torchtrt::gtest_main.
find_package(GTest REQUIRED)
add_library(torchtrt_gtest_main INTERFACE)
add_library(torchtrt::gtest_main ALIAS torchtrt_gtest_main)
target_link_libraries(torchtrt_gtest_main INTERFACE GTest::gtest GTest::gtest_main)
