/* The encoder in single precision, in portable C, for narrow and wide vectors.
 *
 * Same arithmetic as Encoder.prefix, Encoder.forward_blocks and BindingHead in pmhc_distil/models/encoder.py.  Every
 * peptide goes through the same operations in the same order wherever it stands, so that its logits do not depend on
 * its neighbours, to the last bit.
 *
 * A plain shared library without Python in it: native.py loads it with ctypes.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

enum { PANEL = 32 }; /* outputs that stand together in a matrix */
enum Then { STORE, GELU, ADD };

typedef struct {
    float *hidden, *normal, *qkv, *mixed, *inside; /* (rows, width), of qkv (rows, 3 * width), of inside (rows, inner) */
} Space;

static char *make_space(const Model *model, int rows, Space *space) {
    const size_t width = (size_t)model->width, count = (size_t)rows;
    char *memory = calloc(count, (width * 6 + (size_t)model->inner) * sizeof(float));
    space->hidden = (float *)memory;
    space->normal = space->hidden + count * width;
    space->qkv = space->normal + count * width;
    space->mixed = space->qkv + count * 3 * width;
    space->inside = space->mixed + count * width;
    return memory;
}

#define BYTES 16
#define ROWS 6
#define PEPTIDES 12
#define NAME(x) x##_16
#include "single.h"

#if defined(__linux__) && defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define BYTES 32
#define ROWS 6
#define PEPTIDES 12
#define NAME(x) x##_32
#include "single.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,fma")
#define BYTES 64
#define ROWS 8
#define PEPTIDES 16
#define NAME(x) x##_64
#include "single.h"
#pragma GCC pop_options

#define WIDTHS(call) \
    switch (bytes) { \
        case 64: return call(64); \
        case 32: return call(32); \
        default: return call(16); \
    }

/* Bytes of the widest vectors that the processor and this file know. */
int pmhc_widest(void) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq"))
        return 64;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 32 : 16;
}

#else

#define WIDTHS(call) return call(16)

int pmhc_widest(void) { return 16; }

#endif

/* Keys and values of a groove, (layers, heads, GROOVE, HEAD) each, computed in vectors of so many bytes, at most
 * pmhc_widest().  positions: (GROOVE, width).  Returns 0, or 1 if there is no memory. */
int pmhc_prefix(int bytes, const Model *model, const float *positions, const uint8_t *residues, float *keys,
                float *values) {
    (void)bytes;
#define CALL(width) prefix_##width(model, positions, residues, keys, values)
    WIDTHS(CALL);
#undef CALL
}

/* Score n peptides of one length.  keys, values: of the groove, from pmhc_prefix; residues: token numbers (n, count - 1);
 * logits: (n, 2).  Returns 0, or 1 if there is no memory. */
int pmhc_score_single(int bytes, const Model *model, const float *keys, const float *values, const Tokens *tokens,
                      const uint8_t *residues, int64_t n, float *logits) {
    (void)bytes;
#define CALL(width) score_##width(model, keys, values, tokens, residues, n, logits)
    WIDTHS(CALL);
#undef CALL
}
