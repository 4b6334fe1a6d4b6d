/* What the command uses of Debian's libopenblas-dev: a product of BLAS, Cholesky's factorisation and what solves with it of LAPACK,
 * and OpenBLAS's own number of threads. Debian's package has no header for LAPACK; these are the Fortran routines' C declarations (LAPACK users' guide). */
#ifndef MULTIPOINT_COPENBLAS_SHIM_H
#define MULTIPOINT_COPENBLAS_SHIM_H

enum { multipoint_row_major = 101, multipoint_no_transpose = 111, multipoint_transpose = 112 };

extern void cblas_sgemm(
    int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
    float beta, float *c, int ldc);

/* Column-major; the last argument is the length of `uplo`, which Fortran compilers pass. */
extern void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info, unsigned long uplo_length);

extern void spotrs_(
    const char *uplo, const int *n, const int *columns, const float *a, const int *lda, float *b, const int *ldb, int *info,
    unsigned long uplo_length);

extern void openblas_set_num_threads(int);

#endif
