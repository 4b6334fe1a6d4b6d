# `cpack -G DEB`: three packages, split as Debian splits libraries, so that what runs a network does not bring what makes one.
#   libmultipoint0     the library; depends on oneDNN and the C library
#   libmultipoint-dev  headers, the linker's name, CMake package, pkg-config file; depends on exactly this libmultipoint0
#   multipoint         the command; depends on OpenBLAS too, and not on the library
# Dependencies on other packages are what dpkg-shlibdeps finds for the libraries that are linked, on the distribution where cpack
# runs. Configure with -DCMAKE_INSTALL_PREFIX=/usr: the library then goes where that distribution keeps libraries of its architecture.

set(MULTIPOINT_MAINTAINER "The Multipoint authors <nobody@multipoint.invalid>" CACHE STRING
    "Whom the Debian packages name as their maintainer: who builds them for others gives a name and an address")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME multipoint)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT ${MULTIPOINT_MAINTAINER})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES OFF) # MULTIPOINT_STRIP has done it
set(CPACK_COMPONENTS_ALL library development)
if(MULTIPOINT_COMMAND)
    list(APPEND CPACK_COMPONENTS_ALL command)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

# The first line is the synopsis. None of CPack's own before it.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
string(CONCAT about
    "\nEach output channel's weight vector is stored as a short sum of scaled low-bit\n"
    "vectors; oneDNN multiplies them as int8 rows.")
set(library_package libmultipoint${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${library_package})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "runtime of convolutional networks with packed weights${about}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libmultipoint-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${library_package} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "headers of the runtime of networks with packed weights${about}")
set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME multipoint)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION science)
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "packs and measures convolutional networks${about}")

# For packages of programs that are linked with the library, and for the loader to know it.
file(WRITE ${PROJECT_BINARY_DIR}/debian/shlibs
    "libmultipoint ${PROJECT_VERSION_MAJOR} ${library_package} (>= ${PROJECT_VERSION})\n")
file(WRITE ${PROJECT_BINARY_DIR}/debian/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/debian/shlibs ${PROJECT_BINARY_DIR}/debian/triggers)

# Every package's copyright and changelog, which only packages have.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${PROJECT_BINARY_DIR}/debian/changelog
    "multipoint (${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
    "  * Version ${PROJECT_VERSION}.\n\n"
    " -- ${MULTIPOINT_MAINTAINER}  ${date}\n")
find_program(MULTIPOINT_GZIP gzip)
if(MULTIPOINT_GZIP)
    execute_process(
        COMMAND ${MULTIPOINT_GZIP} --force --best --no-name ${PROJECT_BINARY_DIR}/debian/changelog COMMAND_ERROR_IS_FATAL ANY)
endif()
foreach(component ${CPACK_COMPONENTS_ALL})
    string(TOUPPER ${component} upper)
    set(folder share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
    install(
        FILES ${PROJECT_SOURCE_DIR}/cmake/debian-copyright DESTINATION ${folder} RENAME copyright
        COMPONENT ${component} EXCLUDE_FROM_ALL)
    install(
        FILES ${PROJECT_BINARY_DIR}/debian/changelog.gz DESTINATION ${folder} RENAME changelog.Debian.gz
        COMPONENT ${component} EXCLUDE_FROM_ALL OPTIONAL)
endforeach()
include(CPack)
