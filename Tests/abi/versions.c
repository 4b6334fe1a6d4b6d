/* versions [VERSION]: the header's, the package's and the library's version are one. */
#include <multipoint.h>

#include <stdio.h>
#include <string.h>

int main(int argument_count, char **arguments) {
    char header[32];
    snprintf(header, sizeof header, "%d.%d.%d", MULTIPOINT_VERSION_MAJOR, MULTIPOINT_VERSION_MINOR, MULTIPOINT_VERSION_PATCH);
    const char *package = argument_count > 1 ? arguments[1] : header;
    printf("header %s, package %s, library %s\n", header, package, multipoint_version());
    return strcmp(header, multipoint_version()) != 0 || strcmp(header, package) != 0 ||
           multipoint_version_number() != MULTIPOINT_VERSION_NUMBER;
}
