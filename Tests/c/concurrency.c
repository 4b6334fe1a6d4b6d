/* concurrency [--seconds N] [--seed N] [FILE...]: sixteen threads that make, use and free models, sessions, layers, plans and
 * packings, each by chance, and find in everything what one thread alone has found before, bit for bit. Objects are shared as the header
 * allows: models, layers, plans and packings are used by several threads at once and freed while what was made of them is at work;
 * sessions go from thread to thread. FILEs are packed networks of one input and one output; others are made here.
 *
 * The locks of this program only keep a handle from being used after its destruction; what several threads do with one object
 * at once is left to the library, where ThreadSanitizer watches. */
#define _GNU_SOURCE
#include "check.h"
#include "expected_results.h"
#include "random_network.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
    thread_count = 16,
    made_networks = 5,
    most_networks = made_networks + 8,
    layer_cases = 40,
    packing_cases = 12,
    slot_count = 6,
    most_batch = 4,
    most_threads = 3
};

static expected_network networks[most_networks];
static expected_layer layers[layer_cases];
static expected_packing packings[packing_cases];
static size_t network_count, layer_count;
static byte_string damaged;

/* ---- Objects that threads share ---- */

typedef struct slot {
    pthread_rwlock_t lock;
    void *object; /* NULL at first */
    size_t number; /* of what is expected of it */
} slot;

static slot shared_models[slot_count], shared_layers[slot_count], shared_plans[slot_count], shared_packings[slot_count],
    idle_sessions[slot_count];

static void make_slots(slot *slots) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    /* Else readers, of whom there are always some, would keep everything as it is. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    for (int i = 0; i < slot_count; i++) {
        if (pthread_rwlock_init(&slots[i].lock, &attributes) != 0) exit(2);
    }
    pthread_rwlockattr_destroy(&attributes);
}

/* Puts an object in and returns the old one, which no thread uses any more and only the caller knows. */
static void *exchange(slot *place, void *object, size_t number, size_t *old_number) {
    pthread_rwlock_wrlock(&place->lock);
    void *old = place->object;
    if (old_number != NULL) *old_number = place->number;
    place->object = object;
    place->number = number;
    pthread_rwlock_unlock(&place->lock);
    return old;
}

/* ---- What a thread does ---- */

enum { operation_count = 8 };
static const char *const operation_names[operation_count] = {
    "models", "sessions of one thread each", "sessions handed on",  "layers",
    "plans",  "executions of shared plans",  "packings",            "refusals"};

typedef struct worker {
    pthread_t thread;
    unsigned number;
    uint64_t state;
    int counts[operation_count], failures[operation_count];
} worker;

static double end_time;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int32_t random_threads(worker *own) { return 1 + (int32_t)random_below(&own->state, most_threads); }

static slot *random_slot(worker *own, slot *slots) { return &slots[random_below(&own->state, slot_count)]; }

static int never_cancels(void *user_data, double fraction) {
    (void)user_data;
    return !(fraction >= 0 && fraction <= 1);
}

static multipoint_model *opened_model(worker *own, size_t number) {
    const expected_network *expected = &networks[number];
    multipoint_model_options options = {0};
    multipoint_model *model = NULL;
    options.struct_size = sizeof options;
    options.progress = never_cancels;
    int by_path = expected->path != NULL && random_below(&own->state, 2) == 0;
    multipoint_status status = by_path ? multipoint_model_open(expected->path, &options, &model)
                                       : multipoint_model_open_memory(expected->file.bytes, expected->file.count, &options, &model);
    return status == MULTIPOINT_OK ? model : NULL;
}

/* Puts a new model in an old one's place. What was made of the old one goes on. */
static int replace_model(worker *own) {
    size_t number = random_below(&own->state, (uint32_t)network_count);
    multipoint_model *model = opened_model(own, number);
    int as_expected = model != NULL && described_as_expected(&networks[number], model);
    multipoint_model_destroy(exchange(random_slot(own, shared_models), model, number, NULL));
    return as_expected;
}

/* A session of a shared model, or of one that is destroyed at once. NULL only if that fails. */
static multipoint_session *made_session(worker *own, size_t *number) {
    multipoint_session_options options = {0};
    multipoint_session *session = NULL;
    options.struct_size = sizeof options;
    options.maximum_batch = most_batch;
    options.threads = random_threads(own);
    slot *from = random_slot(own, shared_models);
    pthread_rwlock_rdlock(&from->lock);
    int is_made = from->object != NULL;
    if (is_made) {
        *number = from->number;
        is_made = multipoint_session_create(from->object, &options, &session) == MULTIPOINT_OK;
    }
    pthread_rwlock_unlock(&from->lock);
    if (is_made) return session;
    *number = random_below(&own->state, (uint32_t)network_count);
    multipoint_model *model = opened_model(own, *number);
    multipoint_session_create(model, &options, &session);
    multipoint_model_destroy(model);
    return session;
}

static int steps_as_expected(const multipoint_session *session) {
    multipoint_session_info info = {0};
    multipoint_step_info step = {0};
    info.struct_size = sizeof info;
    step.struct_size = sizeof step;
    if (multipoint_session_describe(session, &info) != MULTIPOINT_OK || info.step_count == 0) return 0;
    for (size_t i = 0; i < info.step_count; i++) {
        if (multipoint_session_step(session, i, &step) != MULTIPOINT_OK || strstr(step.implementation, "ref") != NULL) return 0;
    }
    return multipoint_session_step(session, info.step_count, &step) == MULTIPOINT_NOT_FOUND;
}

static int profile_as_expected(const multipoint_session *session, int64_t batch, int64_t runs) {
    multipoint_profile_info info = {0};
    info.struct_size = sizeof info;
    int as_expected = multipoint_session_profile(session, &info) == MULTIPOINT_OK && info.batch == batch && info.runs == runs;
    for (size_t i = 0; as_expected && i < info.step_count; i++) {
        multipoint_step_profile step = {0};
        step.struct_size = sizeof step;
        as_expected = multipoint_session_profile_step(session, i, &step) == MULTIPOINT_OK && step.seconds >= step.minimum_seconds;
    }
    return as_expected;
}

static int use_session(worker *own, multipoint_session *session, size_t number) {
    if (session == NULL) return 0;
    int as_expected = steps_as_expected(session);
    int is_profiled = random_below(&own->state, 3) == 0;
    if (is_profiled) as_expected &= multipoint_session_start_profile(session) == MULTIPOINT_OK;
    int64_t batch = 1 + random_below(&own->state, most_batch), runs = 1 + random_below(&own->state, 4);
    for (int64_t i = 0; i < runs; i++) {
        as_expected &= run_as_expected(&networks[number], session, batch, random_below(&own->state, expected_images));
    }
    if (is_profiled) {
        as_expected &= profile_as_expected(session, batch, runs);
        as_expected &= multipoint_session_stop_profile(session) == MULTIPOINT_OK;
    }
    return as_expected;
}

static int use_own_session(worker *own) {
    size_t number = 0;
    multipoint_session *session = made_session(own, &number);
    int as_expected = use_session(own, session, number);
    multipoint_session_destroy(session);
    return as_expected;
}

/* Takes the session that another thread has left, uses it, and leaves it or a new one for the next. */
static int hand_session_on(worker *own) {
    size_t number = 0;
    multipoint_session *session = exchange(random_slot(own, idle_sessions), NULL, 0, &number);
    if (session == NULL) session = made_session(own, &number);
    int as_expected = use_session(own, session, number);
    if (random_below(&own->state, 8) == 0) {
        multipoint_session_destroy(session);
        session = NULL;
    }
    multipoint_session_destroy(exchange(random_slot(own, idle_sessions), session, number, NULL));
    return as_expected;
}

/* The layer of a case, of a model that is destroyed before the layer is used. */
static multipoint_layer *made_layer(worker *own, const expected_layer *expected) {
    multipoint_layer *layer = NULL;
    multipoint_model *model = opened_model(own, (size_t)(expected->network - networks));
    multipoint_layer_from_model(model, expected->name, &layer);
    multipoint_model_destroy(model);
    return layer;
}

static int layer_as_expected(const expected_layer *expected, const multipoint_layer *layer) {
    multipoint_layer_info info = {0};
    multipoint_rows rows = {0};
    info.struct_size = sizeof info;
    rows.struct_size = sizeof rows;
    return multipoint_layer_describe(layer, &info) == MULTIPOINT_OK && strcmp(info.name, expected->name) == 0 &&
           multipoint_layer_rows(layer, &rows) == MULTIPOINT_OK && rows.row_count == (size_t)info.rows &&
           rows.row_length == (size_t)info.row_length && rows.values[rows.row_count * rows.row_length - 1] <= 64;
}

static int replace_layer(worker *own) {
    size_t number = random_below(&own->state, (uint32_t)layer_count);
    multipoint_layer *layer = made_layer(own, &layers[number]);
    int as_expected = layer != NULL && layer_as_expected(&layers[number], layer);
    multipoint_layer_destroy(exchange(random_slot(own, shared_layers), layer, number, NULL));
    return as_expected;
}

/* Compiles a plan of a shared layer, uses it, and shares it. */
static int replace_plan(worker *own) {
    slot *from = random_slot(own, shared_layers);
    multipoint_plan *plan = NULL;
    int as_expected = 1;
    pthread_rwlock_rdlock(&from->lock);
    size_t number = from->number;
    if (from->object != NULL) {
        multipoint_plan_options options = layers[number].options;
        options.threads = random_threads(own);
        as_expected = layer_as_expected(&layers[number], from->object) &&
                      multipoint_plan_create(from->object, &options, &plan) == MULTIPOINT_OK;
    }
    pthread_rwlock_unlock(&from->lock);
    if (plan == NULL) return as_expected;
    as_expected &= executed_as_expected(&layers[number], plan, 0);
    multipoint_plan_destroy(exchange(random_slot(own, shared_plans), plan, number, NULL));
    return as_expected;
}

static int execute_plan(worker *own) {
    slot *from = random_slot(own, shared_plans);
    int as_expected = 1;
    pthread_rwlock_rdlock(&from->lock);
    if (from->object != NULL) {
        multipoint_plan_info info = {0};
        info.struct_size = sizeof info;
        as_expected = multipoint_plan_describe(from->object, &info) == MULTIPOINT_OK && info.implementations[0] != '\0';
        for (int i = 0; i < 3; i++) {
            as_expected &= executed_as_expected(&layers[from->number], from->object, (int)random_below(&own->state, 2));
        }
    }
    pthread_rwlock_unlock(&from->lock);
    return as_expected;
}

static int pack(worker *own) {
    size_t number = random_below(&own->state, packing_cases);
    const expected_packing *expected = &packings[number];
    multipoint_packing *packing = NULL;
    int as_expected = multipoint_packing_create(expected->matrix, expected->channels, expected->row_length, &expected->options,
                                                &packing) == MULTIPOINT_OK &&
                      packed_as_expected(expected, packing);
    slot *place = random_slot(own, shared_packings);
    pthread_rwlock_rdlock(&place->lock);
    if (place->object != NULL) as_expected &= packed_as_expected(&packings[place->number], place->object);
    pthread_rwlock_unlock(&place->lock);
    multipoint_packing_destroy(exchange(place, packing, number, NULL));
    return as_expected;
}

static int cancels(void *user_data, double fraction) {
    (void)fraction;
    return ++*(int *)user_data >= 2;
}

/* Each thread reads its own message, whatever the others are refused meanwhile. */
static int be_refused(worker *own) {
    char path[64];
    int calls = 0;
    multipoint_model *model = NULL;
    multipoint_model_options options = {0};
    options.struct_size = sizeof options;
    options.progress = cancels;
    options.user_data = &calls;
    snprintf(path, sizeof path, "no-such-file-%u.multipoint", own->number);
    const byte_string *file = &networks[0].file;
    return multipoint_model_open(path, NULL, &model) == MULTIPOINT_IO_ERROR && strstr(multipoint_last_error(), path) != NULL &&
           multipoint_model_open_memory(damaged.bytes, damaged.count, NULL, &model) == MULTIPOINT_BAD_FORMAT &&
           multipoint_model_open_memory(file->bytes, file->count, &options, &model) == MULTIPOINT_CANCELLED && model == NULL &&
           multipoint_build_info()[0] != '\0';
}

static int (*const operations[operation_count])(worker *) = {
    replace_model, use_own_session, hand_session_on, replace_layer, replace_plan, execute_plan, pack, be_refused};

static void *work(void *argument) {
    worker *own = argument;
    while (now() < end_time) {
        uint32_t chosen = random_below(&own->state, operation_count);
        own->counts[chosen]++;
        own->failures[chosen] += !operations[chosen](own);
    }
    return NULL;
}

/* ---- What is expected ---- */

static void expect(uint32_t seed, char **paths, int path_count) {
    expect_network(&networks[network_count++], sample_network(), NULL);
    for (uint32_t i = 1; i < made_networks; i++) expect_network(&networks[network_count++], random_network(seed * 100 + i), NULL);
    for (int i = 0; i < path_count && network_count < most_networks; i++) {
        expect_network(&networks[network_count++], file_content(paths[i]), paths[i]);
    }
    uint64_t state = seed;
    const multipoint_dtype types[] = {MULTIPOINT_S32, MULTIPOINT_F32, MULTIPOINT_U8};
    for (int i = 0; i < layer_cases; i++) {
        const expected_network *network = &networks[random_below(&state, (uint32_t)network_count)];
        size_t index = random_below(&state, (uint32_t)network->layer_count);
        multipoint_layout layout = random_below(&state, 2) == 0 ? MULTIPOINT_NCHW : MULTIPOINT_NHWC;
        layer_count += (size_t)expect_layer(&layers[layer_count], network, index, types[i % 3], layout);
    }
    for (uint32_t i = 0; i < packing_cases; i++) expect_packing(&packings[i], seed + i);
    damaged = sample_network();
    damaged.count -= 3;
}

static void free_all(void) {
    for (int i = 0; i < slot_count; i++) {
        multipoint_model_destroy(shared_models[i].object);
        multipoint_layer_destroy(shared_layers[i].object);
        multipoint_plan_destroy(shared_plans[i].object);
        multipoint_packing_destroy(shared_packings[i].object);
        multipoint_session_destroy(idle_sessions[i].object);
    }
    for (size_t i = 0; i < network_count; i++) expected_network_free(&networks[i]);
    for (size_t i = 0; i < layer_count; i++) expected_layer_free(&layers[i]);
    for (size_t i = 0; i < packing_cases; i++) expected_packing_free(&packings[i]);
    byte_string_free(damaged);
}

int main(int argument_count, char **arguments) {
    double seconds = 5;
    uint32_t seed = 1;
    int first = 1;
    for (; first + 1 < argument_count && strncmp(arguments[first], "--", 2) == 0; first += 2) {
        if (strcmp(arguments[first], "--seconds") == 0) seconds = atof(arguments[first + 1]);
        else if (strcmp(arguments[first], "--seed") == 0) seed = (uint32_t)atoi(arguments[first + 1]);
        else return 2;
    }
    slot *all[] = {shared_models, shared_layers, shared_plans, shared_packings, idle_sessions};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) make_slots(all[i]);
    expect(seed, arguments + first, argument_count - first);

    static worker workers[thread_count];
    end_time = now() + seconds;
    for (unsigned i = 0; i < thread_count; i++) {
        workers[i].number = i;
        workers[i].state = ((uint64_t)seed << 32) + i;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) return 2;
    }
    int counts[operation_count] = {0};
    for (int i = 0; i < thread_count; i++) {
        pthread_join(workers[i].thread, NULL);
        for (int k = 0; k < operation_count; k++) {
            counts[k] += workers[i].counts[k];
            check_failed += workers[i].failures[k];
            check_passed += workers[i].counts[k] - workers[i].failures[k];
            if (workers[i].failures[k] > 0) {
                printf("thread %d: %d of %d failed: %s\n", i, workers[i].failures[k], workers[i].counts[k], operation_names[k]);
            }
        }
    }
    for (int k = 0; k < operation_count; k++) {
        printf("%7d %s\n", counts[k], operation_names[k]);
        CHECK(counts[k] > 0);
    }
    free_all();
    return check_summary("concurrency");
}
