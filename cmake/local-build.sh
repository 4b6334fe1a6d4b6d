# Sourced by Examples/quickstart and Tests/run: a build in this folder, which both share so that nothing is built twice.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/.build-quickstart
prefix=$build/install
logs=$build/logs
mkdir -p "$logs"

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# logged NAME COMMAND...: output goes to a file, and to the screen (its end) only if the command fails.
logged() {
    local log=$logs/$1.log started=$SECONDS
    shift
    if "$@" >"$log" 2>&1; then
        return 0
    else
        local status=$?
        tail -n 60 "$log" >&2
        fail "failed after $((SECONDS - started)) s, with status $status: $*
All of its output: $log"
    fi
}

require_swift() {
    local folder
    for folder in "$HOME/.local/share/swiftly/bin" /opt/swift/usr/bin /usr/local/swift/usr/bin; do
        if ! command -v swift >/dev/null && [[ -x $folder/swift ]]; then PATH=$folder:$PATH; fi
    done
    local found=none version
    if command -v swift >/dev/null; then
        version=$(swift --version 2>/dev/null) || true
        if [[ $version =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]]; then
            found=${BASH_REMATCH[1]}.${BASH_REMATCH[2]}
            if ((BASH_REMATCH[1] > 6 || (BASH_REMATCH[1] == 6 && BASH_REMATCH[2] >= 1))); then
                say "swift         $found, $(command -v swift)"
                return
            fi
        fi
    fi
    fail "Multipoint is built with a Swift toolchain, version 6.1 or newer (found: $found). It is needed for building only.

    curl -O https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz
    tar zxf swiftly-$(uname -m).tar.gz && ./swiftly init
    . ~/.local/share/swiftly/env.sh

or see https://www.swift.org/install/linux/. Then run this again."
}

# require_packages PACKAGE...: installs those of Debian's or Ubuntu's packages that are missing.
require_packages() {
    if ! command -v apt-get >/dev/null; then
        say "packages      not Debian or Ubuntu: expecting that what these provide is there: $*"
        return
    fi
    local package missing=()
    for package in "$@"; do
        if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then missing+=("$package"); fi
    done
    if ((${#missing[@]} == 0)); then
        say "packages      present"
        return
    fi
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "Missing packages; as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "packages      installing ${missing[*]}"
    logged apt-update "${as_root[@]}" apt-get update
    logged apt-install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# Library, command, header and CMake package, into $prefix.
build_and_install() {
    local started=$SECONDS
    say "build         with CMake and the Swift Package Manager (log: ${logs#"$root"/}/build.log) ..."
    logged configure cmake -S "$root" -B "$build" -DCMAKE_INSTALL_PREFIX="$prefix"
    logged build cmake --build "$build"
    logged install cmake --install "$build"
    say "              done in $((SECONDS - started)) s; installed in ${prefix#"$root"/}"
}

# build_project FOLDER NAME [OPTION...]: a CMake project that finds the installed library.
build_project() {
    logged "$2-configure" cmake -S "$root/$1" -B "$build/$2" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release "${@:3}"
    logged "$2-build" cmake --build "$build/$2"
}
