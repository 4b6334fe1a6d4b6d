/* soak FILE [RUNS [CYCLES]]: a packed network of one input and one output runs 200,000 times in one process, on one thread; then its model
 * is loaded, run and freed 2,000 times, every other time on a thread of its own and with two OpenMP threads. Every result is the
 * first one, bit for bit, and the resident memory stays where it is. Prints how long a run took: a busy machine says little there, so
 * that nothing is asserted of it. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "expected_results.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { warm_up = 1000, kilobyte = 1024, most_growth = 1024, most_cycle_growth = 1024 };

static expected_network network;

static long resident_kilobytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) exit(2);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / kilobyte);
}

static uint32_t nanoseconds_since(const struct timespec *start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((now.tv_sec - start->tv_sec) * 1000000000 + now.tv_nsec - start->tv_nsec);
}

static int ascending(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void print_times(uint32_t *times, size_t count) {
    qsort(times, count, sizeof *times, ascending);
    double median = times[count / 2];
    const struct { const char *name; size_t index; } places[] = {
        {"p50", count / 2}, {"p99", count / 100 * 99}, {"p99.9", count / 1000 * 999}, {"maximum", count - 1}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        double time = times[places[i].index];
        printf("%-8s %9.1f us %8.2f times the median\n", places[i].name, time / 1000, time / median);
    }
}

static multipoint_session *made_session(const multipoint_model *model, int32_t threads) {
    multipoint_session_options options = {0};
    multipoint_session *session = NULL;
    options.struct_size = sizeof options;
    options.threads = threads;
    CHECK_OK(multipoint_session_create(model, &options, &session));
    return session;
}

/* ---- Runs ---- */

static void test_runs(size_t count) {
    /* Written to at once: what is only touched later would look like growth. */
    uint32_t *times = malloc(count * sizeof *times);
    multipoint_model *model = NULL;
    if (times == NULL) exit(2);
    memset(times, 0xFF, count * sizeof *times);
    if (!CHECK_OK(multipoint_model_open_memory(network.file.bytes, network.file.count, NULL, &model))) exit(2);
    multipoint_session *session = made_session(model, 1);
    long settled = 0, largest = 0;
    size_t wrong = 0;
    for (size_t i = 0; i < count + warm_up; i++) {
        struct timespec start;
        clock_gettime(CLOCK_MONOTONIC, &start);
        wrong += !run_as_expected(&network, session, 1, i);
        if (i >= warm_up) times[i - warm_up] = nanoseconds_since(&start);
        if (i == warm_up) settled = resident_kilobytes();
        if (i >= warm_up && i % 1000 == 0 && resident_kilobytes() > largest) largest = resident_kilobytes();
    }
    CHECK(wrong == 0);
    printf("%zu runs: %ld kB resident after %d, %ld at most, %ld at the end\n", count, settled, warm_up, largest, resident_kilobytes());
    CHECK(largest - settled <= most_growth);
    print_times(times, count);
    free(times);
    multipoint_session_destroy(session);
    multipoint_model_destroy(model);
}

/* ---- Cycles ---- */

typedef struct cycle {
    int32_t threads;
    int as_expected;
} cycle;

static void *run_cycle(void *argument) {
    cycle *own = argument;
    multipoint_model *model = NULL;
    multipoint_session *session = NULL;
    multipoint_session_options options = {0};
    options.struct_size = sizeof options;
    options.threads = own->threads;
    own->as_expected = multipoint_model_open_memory(network.file.bytes, network.file.count, NULL, &model) == MULTIPOINT_OK &&
                       multipoint_session_create(model, &options, &session) == MULTIPOINT_OK &&
                       run_as_expected(&network, session, 1, 0) && run_as_expected(&network, session, 1, 1);
    multipoint_model_destroy(model);
    multipoint_session_destroy(session);
    return NULL;
}

static void test_cycles(int count) {
    long settled = 0, largest = 0;
    int wrong = 0, begins = count / 10;
    for (int i = 0; i < count; i++) {
        cycle own = {1 + i % 2, 0};
        pthread_t thread;
        if (i % 2 == 0) run_cycle(&own);
        else if (pthread_create(&thread, NULL, run_cycle, &own) != 0 || pthread_join(thread, NULL) != 0) exit(2);
        wrong += !own.as_expected;
        if (i == begins) settled = resident_kilobytes();
        if (i >= begins && resident_kilobytes() > largest) largest = resident_kilobytes();
    }
    CHECK(wrong == 0);
    printf("%d cycles: %ld kB resident after %d, %ld at most, %ld at the end\n", count, settled, begins, largest, resident_kilobytes());
    CHECK(largest - settled <= most_cycle_growth);
}

int main(int argument_count, char **arguments) {
    if (argument_count < 2) return 2;
    expect_network(&network, file_content(arguments[1]), NULL);
    test_runs(argument_count > 2 ? (size_t)atol(arguments[2]) : 200000);
    test_cycles(argument_count > 3 ? atoi(arguments[3]) : 2000);
    expected_network_free(&network);
    return check_summary("soak");
}
