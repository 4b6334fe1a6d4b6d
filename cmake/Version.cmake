# The version has one home, include/multipoint.h.

# Sets `result` to MAJOR.MINOR.PATCH as `header` defines them.
function(multipoint_read_version header result)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
    foreach(part MAJOR MINOR PATCH)
        file(STRINGS ${header} line REGEX "^#define MULTIPOINT_VERSION_${part} [0-9]+$")
        string(REGEX REPLACE "^.* " "" number "${line}")
        if(number STREQUAL "")
            message(FATAL_ERROR "${header}: no line `#define MULTIPOINT_VERSION_${part} NUMBER`")
        endif()
        list(APPEND numbers ${number})
    endforeach()
    list(JOIN numbers "." version)
    set(${result} ${version} PARENT_SCOPE)
endfunction()
