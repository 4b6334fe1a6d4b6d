# What the build takes from the machine, looked for here so that something missing is named before the compiler stumbles.

find_program(MULTIPOINT_SWIFT swift
    HINTS $ENV{HOME}/.local/share/swiftly/bin /opt/swift/usr/bin
    DOC "The Swift toolchain's driver")
if(NOT MULTIPOINT_SWIFT)
    message(FATAL_ERROR
        "No `swift` found. Multipoint is built with a Swift 6.1 or newer toolchain; get one at https://www.swift.org/install/linux/, "
        "or give its place with -DMULTIPOINT_SWIFT=/path/to/usr/bin/swift.")
endif()

find_path(MULTIPOINT_ONEDNN_INCLUDE oneapi/dnnl/dnnl.h DOC "oneDNN's headers")
find_library(MULTIPOINT_ONEDNN_LIBRARY dnnl DOC "oneDNN")
if(NOT MULTIPOINT_ONEDNN_INCLUDE OR NOT MULTIPOINT_ONEDNN_LIBRARY)
    message(FATAL_ERROR "oneDNN (oneapi/dnnl/dnnl.h and libdnnl.so) not found. On Debian and Ubuntu: apt-get install libdnnl-dev")
endif()
