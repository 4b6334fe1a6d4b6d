/* Versions, status strings and the last error. */
#include "check.h"

#include <oneapi/dnnl/dnnl_version.h>
#include <stdlib.h>

static void test_versions(void) {
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", MULTIPOINT_VERSION_MAJOR, MULTIPOINT_VERSION_MINOR,
             MULTIPOINT_VERSION_PATCH);
    CHECK(strcmp(multipoint_version(), expected) == 0);
    CHECK(multipoint_version_number() == MULTIPOINT_VERSION_NUMBER);
    CHECK(strstr(multipoint_build_info(), expected) != NULL);
    snprintf(expected, sizeof expected, "oneDNN %d.%d.%d (OpenMP), ", DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH);
    CHECK(strstr(multipoint_build_info(), expected) != NULL);
    CHECK(strstr(multipoint_build_info(), " thread") != NULL);
    CHECK(strchr(multipoint_build_info(), '\n') == NULL);
    CHECK(multipoint_build_info() == multipoint_build_info());
}

static void test_status_strings(void) {
    for (int status = MULTIPOINT_OK; status <= MULTIPOINT_LIMIT_EXCEEDED; status++) {
        const char *text = multipoint_status_string((multipoint_status)status);
        CHECK(text != NULL && text[0] != '\0' && strcmp(text, "unknown status") != 0);
        for (int other = MULTIPOINT_OK; other < status; other++) {
            CHECK(strcmp(text, multipoint_status_string((multipoint_status)other)) != 0);
        }
    }
    CHECK(strcmp(multipoint_status_string(MULTIPOINT_INVALID_ARGUMENT), "invalid argument") == 0);
    CHECK(strcmp(multipoint_status_string((multipoint_status)12), "unknown status") == 0);
    CHECK(strcmp(multipoint_status_string((multipoint_status)0x7FFFFFFF), "unknown status") == 0);
    CHECK(strcmp(multipoint_status_string((multipoint_status)(-1)), "unknown status") == 0);
}

static void test_last_error(void) {
    CHECK(strcmp(multipoint_last_error(), "") == 0);
    multipoint_packing *packing = NULL;
    const float matrix[] = {1, -1};
    CHECK_FAILS(multipoint_packing_create(NULL, 1, 2, NULL, &packing), MULTIPOINT_INVALID_ARGUMENT, "matrix");
    /* Asking twice changes nothing; calls that return no status do not clear it. */
    CHECK(strstr(multipoint_last_error(), "matrix") != NULL);
    multipoint_packing_destroy(NULL);
    (void)multipoint_version();
    CHECK(strstr(multipoint_last_error(), "matrix") != NULL);
    CHECK_OK(multipoint_packing_create(matrix, 1, 2, NULL, &packing));
    CHECK(strcmp(multipoint_last_error(), "") == 0);
    multipoint_packing_destroy(packing);
}

int main(void) {
    test_versions();
    test_status_strings();
    test_last_error();
    return check_summary("versions");
}
