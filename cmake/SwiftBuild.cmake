# Builds products of Package.swift.

set(MULTIPOINT_SWIFT_SCRATCH ${PROJECT_BINARY_DIR}/swift CACHE PATH
    "Where the Swift Package Manager keeps what it compiles. Build trees that share it (of one source tree) compile once.")

set(MULTIPOINT_SANITIZE "" CACHE STRING
    "`thread`, or `address` (which also checks C for undefined behaviour): a library for programs that are linked with the sanitizer")
set_property(CACHE MULTIPOINT_SANITIZE PROPERTY STRINGS "" address thread)

# multipoint_swift_product(PRODUCT name FILE built-file OUTPUT file [LINKER_FLAGS flag...])
#
# A target `<name>-product`, part of `all`, that builds the product and leaves a copy at OUTPUT. The Swift Package Manager knows
# what has changed, so it is asked at every build; the copy is renewed only when its file is.
function(multipoint_swift_product)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "PRODUCT;FILE;OUTPUT" "LINKER_FLAGS")
    set(scratch ${MULTIPOINT_SWIFT_SCRATCH})
    set(built ${scratch}/release/${arg_FILE})
    list(TRANSFORM arg_LINKER_FLAGS PREPEND "-Xlinker;" OUTPUT_VARIABLE linker_flags)
    multipoint_onednn_flags(onednn_flags)
    multipoint_runtime_flags(runtime_flags)

    add_custom_target(${arg_PRODUCT}-build
        COMMAND ${CMAKE_COMMAND} -E env SWIFT_DETERMINISTIC_HASHING=1
                ${MULTIPOINT_SWIFT} build --configuration release --product ${arg_PRODUCT}
                --package-path ${PROJECT_SOURCE_DIR} --scratch-path ${scratch}
                ${runtime_flags} -Xswiftc -use-ld=lld
                -Xlinker --version-script=${PROJECT_SOURCE_DIR}/Sources/Multipoint/exports.map ${linker_flags} ${onednn_flags}
        BYPRODUCTS ${built}
        COMMENT "Building ${arg_PRODUCT} with the Swift Package Manager"
        USES_TERMINAL VERBATIM)

    if(MULTIPOINT_STRIP AND CMAKE_STRIP AND NOT MULTIPOINT_SANITIZE)
        set(copy ${CMAKE_STRIP} --strip-unneeded -o ${arg_OUTPUT} ${built})
    else()
        set(copy ${CMAKE_COMMAND} -E copy ${built} ${arg_OUTPUT})
    endif()
    cmake_path(GET arg_OUTPUT PARENT_PATH folder)
    add_custom_command(
        OUTPUT ${arg_OUTPUT}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
        COMMAND ${copy}
        DEPENDS ${arg_PRODUCT}-build ${built}
        COMMENT "" VERBATIM)
    add_custom_target(${arg_PRODUCT}-product ALL DEPENDS ${arg_OUTPUT})

    # Two SwiftPM runs in one scratch path would wait for each other; one after the other is the same and says so.
    get_property(previous GLOBAL PROPERTY multipoint_last_swift_build)
    if(previous)
        add_dependencies(${arg_PRODUCT}-build ${previous})
    endif()
    set_property(GLOBAL PROPERTY multipoint_last_swift_build ${arg_PRODUCT}-build)
endfunction()

# Sets `result` to how the Swift runtime is linked: statically, for a host needs no Swift. With a sanitizer dynamically, so that a
# program can tell the sanitizer what the runtime does (Tests/sanitizers).
function(multipoint_runtime_flags result)
    set(flags -Xswiftc -static-stdlib)
    if(MULTIPOINT_SANITIZE)
        set(flags --sanitize ${MULTIPOINT_SANITIZE})
    endif()
    if(MULTIPOINT_SANITIZE STREQUAL "address")
        list(APPEND flags -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined)
    endif()
    set(${result} "${flags}" PARENT_SCOPE)
endfunction()

# Sets `result` to what leads the Swift compiler and the linker to a oneDNN elsewhere than in the system's own folders.
function(multipoint_onednn_flags result)
    set(flags "")
    if(NOT MULTIPOINT_ONEDNN_INCLUDE STREQUAL "/usr/include")
        list(APPEND flags -Xcc -I${MULTIPOINT_ONEDNN_INCLUDE})
    endif()
    cmake_path(GET MULTIPOINT_ONEDNN_LIBRARY PARENT_PATH folder)
    if(NOT folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
        # The oneDNN of another distribution may want a newer C library than the one at hand; the machine that runs the result has it.
        list(APPEND flags -Xlinker -L${folder} -Xlinker --allow-shlib-undefined)
    endif()
    set(${result} "${flags}" PARENT_SCOPE)
endfunction()
