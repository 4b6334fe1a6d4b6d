# What `cmake --install` puts where. The components are what becomes packages of their own: `library` is all that a program needs to
# run, `development` what its compiler needs besides, `command` the `multipoint` command.
include(CMakePackageConfigHelpers)

# Not executable: nobody runs it.
install(FILES ${library} ${soname_link} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(FILES ${linker_link} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(
    FILES ${PROJECT_SOURCE_DIR}/include/multipoint.h ${PROJECT_SOURCE_DIR}/include/multipoint.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
if(MULTIPOINT_COMMAND)
    install(PROGRAMS ${PROJECT_BINARY_DIR}/bin/multipoint DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT license)

# find_package(multipoint)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/multipoint)
configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/multipointConfig.cmake.in ${PROJECT_BINARY_DIR}/multipointConfig.cmake
    INSTALL_DESTINATION ${package}
    PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR
    NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor version may break what was.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/multipointConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
    FILES ${PROJECT_BINARY_DIR}/multipointConfig.cmake ${PROJECT_BINARY_DIR}/multipointConfigVersion.cmake
    DESTINATION ${package} COMPONENT development)

# pkg-config multipoint. The prefix is relative to the file, so that an installation can be moved.
cmake_path(IS_RELATIVE CMAKE_INSTALL_LIBDIR relative)
if(relative)
    set(pkgconfig ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
    cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
        BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${pkgconfig} OUTPUT_VARIABLE up)
    set(pc_prefix "\${pcfiledir}/${up}")
    string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
else()
    set(pkgconfig ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(pc_libdir ${CMAKE_INSTALL_LIBDIR})
endif()
cmake_path(IS_RELATIVE CMAKE_INSTALL_INCLUDEDIR relative)
if(relative)
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
else()
    set(pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/multipoint.pc.in ${PROJECT_BINARY_DIR}/multipoint.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/multipoint.pc DESTINATION ${pkgconfig} COMPONENT development)
