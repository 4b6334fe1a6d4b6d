# Sourced by the checks: programs in folders of their own, which know of this repository only what they are told.
set -euo pipefail

folder=$1
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"

fail() { printf '%s\n' "$*" >&2; exit 1; }

# The packed network that the programs open, in the current folder. `multipoint` is the command to make it with.
pack_digits() {
    local digits=$ROOT/Examples/digits
    "$1" quantize "$digits/digits.onnx" --calibration "$digits/calibration_images.npy" --scale 0.0625 --bits 4 \
        --output digits.multipoint >/dev/null
}

# write_project HOW...: a project of one program, Examples/cpp/digit.cpp; HOW are the lines that bring in multipoint.
write_project() {
    mkdir -p project
    cp "$ROOT/Examples/cpp/digit.cpp" project/main.cpp
    {
        printf '%s\n' 'cmake_minimum_required(VERSION 3.22)' 'project(outside LANGUAGES C CXX)' "$@"
        printf '%s\n' 'add_executable(outside main.cpp)' 'target_link_libraries(outside PRIVATE multipoint::multipoint)' \
            'target_compile_features(outside PRIVATE cxx_std_17)' 'install(TARGETS outside)'
    } >project/CMakeLists.txt
}

# build_project OPTION...: configures and builds `project` in `build`.
build_project() {
    cmake -S project -B build "$@"
    cmake --build build
}

# expect_digit PROGRAM...: it recognizes the digit.
expect_digit() {
    local said
    said=$("$@") || fail "$*: exit status $?"
    [[ $said == "a 4" ]] || fail "$*: \"a 4\" expected, found \"$said\""
}
