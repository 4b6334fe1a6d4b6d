/* Checks for the C and C++ suites. A failed check prints where and what, and the test goes on; main returns check_summary(). */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <multipoint.h>
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

static inline int check_result(int is_true, const char *file, int line, const char *text) {
    if (is_true) {
        check_passed++;
    } else {
        check_failed++;
        printf("%s:%d: failed: %s\n", file, line, text);
    }
    return is_true;
}

/* The call failed with this status, and its message has these words. NULL words: any message, but one there must be. */
static inline int check_failure(multipoint_status found, multipoint_status expected, const char *words, const char *file,
                                int line, const char *text) {
    const char *message = multipoint_last_error();
    int as_expected = found == expected && message[0] != '\0' && (words == NULL || strstr(message, words) != NULL);
    if (!check_result(as_expected, file, line, text)) {
        printf("    expected: %s, with \"%s\"\n", multipoint_status_string(expected), words == NULL ? "" : words);
        printf("    found:    %s, \"%s\"\n", multipoint_status_string(found), message);
    }
    return as_expected;
}

static inline int check_success(multipoint_status found, const char *file, int line, const char *text) {
    int as_expected = found == MULTIPOINT_OK && multipoint_last_error()[0] == '\0';
    if (!check_result(as_expected, file, line, text)) {
        printf("    found: %s, \"%s\"\n", multipoint_status_string(found), multipoint_last_error());
    }
    return as_expected;
}

static inline int check_floats(const float *found, const float *expected, size_t count, const char *file, int line,
                               const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(found[i] - expected[i]) <= 1e-6f * fabsf(expected[i]))) {
            check_result(0, file, line, text);
            printf("    element %zu: expected %.9g, found %.9g\n", i, (double)expected[i], (double)found[i]);
            return 0;
        }
    }
    return check_result(1, file, line, text);
}

static inline int check_bytes(const unsigned char *found, const unsigned char *expected, size_t count, const char *file,
                              int line, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (found[i] != expected[i]) {
            check_result(0, file, line, text);
            printf("    byte %zu: expected %u, found %u\n", i, expected[i], found[i]);
            return 0;
        }
    }
    return check_result(1, file, line, text);
}

static inline int check_summary(const char *suite) {
    printf("%s: %d passed, %d failed\n", suite, check_passed, check_failed);
    return check_failed != 0 || check_passed == 0;
}

#define CHECK(condition) check_result((condition) ? 1 : 0, __FILE__, __LINE__, #condition)
#define CHECK_OK(call) check_success((call), __FILE__, __LINE__, #call)
#define CHECK_FAILS(call, status, words) check_failure((call), (status), (words), __FILE__, __LINE__, #call)
/* Within a millionth: for results that are exact in theory, on kernels that may round once more. */
#define CHECK_FLOATS(found, expected, count) check_floats((found), (expected), (count), __FILE__, __LINE__, #found)
#define CHECK_BYTES(found, expected, count) check_bytes((found), (expected), (count), __FILE__, __LINE__, #found)

#endif
