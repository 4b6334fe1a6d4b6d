/* fixed_values [VERSION]: what a program compiled against version 0.1 has built in. A change here breaks such programs. */
#include <multipoint.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SAME(expression, value) _Static_assert((expression) == (value), #expression " is " #value)

SAME(MULTIPOINT_OK, 0);
SAME(MULTIPOINT_INVALID_ARGUMENT, 1);
SAME(MULTIPOINT_IO_ERROR, 2);
SAME(MULTIPOINT_BAD_FORMAT, 3);
SAME(MULTIPOINT_UNSUPPORTED, 4);
SAME(MULTIPOINT_NOT_FOUND, 5);
SAME(MULTIPOINT_OUT_OF_MEMORY, 6);
SAME(MULTIPOINT_CANCELLED, 7);
SAME(MULTIPOINT_FORKED, 8);
SAME(MULTIPOINT_UNSUPPORTED_MACHINE, 9);
SAME(MULTIPOINT_INTERNAL_ERROR, 10);
SAME(MULTIPOINT_DTYPE_NONE, 0);
SAME(MULTIPOINT_F32, 1);
SAME(MULTIPOINT_U8, 2);
SAME(MULTIPOINT_S8, 3);
SAME(MULTIPOINT_S32, 4);
SAME(MULTIPOINT_LOG_INFO, 1);
SAME(MULTIPOINT_LOG_WARNING, 2);
SAME(MULTIPOINT_CONV, 1);
SAME(MULTIPOINT_GEMM, 2);
SAME(MULTIPOINT_NCHW, 0);
SAME(MULTIPOINT_NHWC, 1);
SAME(MULTIPOINT_IDENTITY, 0);
SAME(MULTIPOINT_RELU, 1);
SAME(MULTIPOINT_LEAKY_RELU, 2);
SAME(MULTIPOINT_CLIP, 3);
SAME(MULTIPOINT_SIGMOID, 4);
SAME(MULTIPOINT_STEP_LAYER, 1);
SAME(MULTIPOINT_STEP_SUM, 2);
SAME(MULTIPOINT_STEP_CONVERSION, 3);
SAME(MULTIPOINT_STEP_OPERATION, 4);
SAME(MULTIPOINT_CODEBOOK_DEFAULT, 0);
SAME(MULTIPOINT_CODEBOOK_ODD, 1);
SAME(MULTIPOINT_CODEBOOK_UNIFORM, 2);
SAME(MULTIPOINT_CODEBOOK_SUBSET, 3);
SAME(MULTIPOINT_MAX_RANK, 8);

/* Structs without struct_size never grow. */
SAME(sizeof(multipoint_tensor), 40);
SAME(offsetof(multipoint_tensor, byte_count), 8);
SAME(offsetof(multipoint_tensor, dtype), 16);
SAME(offsetof(multipoint_tensor, rank), 20);
SAME(offsetof(multipoint_tensor, dimensions), 24);
SAME(offsetof(multipoint_tensor, strides), 32);
SAME(sizeof(multipoint_level), 32);
SAME(offsetof(multipoint_level, codebook_size), 8);
SAME(offsetof(multipoint_level, codes), 16);
SAME(offsetof(multipoint_level, codes_byte_count), 24);

/* The others keep what they had: the last field of 0.1 stays where it was. */
SAME(offsetof(multipoint_model_options, user_data), 24);
SAME(offsetof(multipoint_value_info, zero_point), 92);
SAME(offsetof(multipoint_layer_info, execution), 216);
SAME(offsetof(multipoint_session_options, threads), 16);
SAME(offsetof(multipoint_session_info, weight_bytes), 40);
SAME(offsetof(multipoint_profile_info, step_count), 32);
SAME(offsetof(multipoint_step_profile, bytes), 64);
SAME(offsetof(multipoint_step_info, implementation), 24);
SAME(offsetof(multipoint_weights, ladder), 64);
SAME(offsetof(multipoint_layer_descriptor, output_zero_point), 164);
SAME(offsetof(multipoint_rows, channels), 40);
SAME(offsetof(multipoint_plan_options, threads), 88);
SAME(offsetof(multipoint_plan_info, implementations), 96);
SAME(offsetof(multipoint_packing_options, second_moment), 40);

int main(int argument_count, char **arguments) {
    char header[32];
    snprintf(header, sizeof header, "%d.%d.%d", MULTIPOINT_VERSION_MAJOR, MULTIPOINT_VERSION_MINOR, MULTIPOINT_VERSION_PATCH);
    const char *package = argument_count > 1 ? arguments[1] : header;
    printf("header %s, package %s, library %s\n", header, package, multipoint_version());
    return strcmp(header, multipoint_version()) != 0 || strcmp(header, package) != 0 ||
           multipoint_version_number() != MULTIPOINT_VERSION_NUMBER;
}
