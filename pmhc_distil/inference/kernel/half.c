/* The peptide half of the encoder as in single.c, for x86-64 processors with AVX-512 in bfloat16, and with AMX or without.
 *
 * Matrix products of bfloat16 numbers are summed in single precision; residuals, normalisation and softmax are in single
 * precision.  A peptide's logits do not depend on its neighbours here either, to the last bit.
 *
 * Where the compiler or the processor cannot do this, pmhc_half_supported() says so and single.c does the work.
 */

#include "kernel.h"

#if defined(__linux__) && defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AVX512 "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma"
#define FAST __attribute__((target(AVX512)))
#define TILED __attribute__((target(AVX512 ",amx-tile,amx-bf16")))
#undef INLINE
#define INLINE static inline __attribute__((always_inline))

enum {
    PEPTIDES = 32, /* in a block; a block's numbers stay in the second-level cache */
    REST = GROOVE - 32 /* residues of a groove beyond two tiles: they share a tile with the peptide */
};

typedef uint16_t bf16;

/* Matrices of shape (outputs, inputs) are packed in tiles of 16 outputs x 32 inputs: for each group of outputs, for each
 * group of inputs, sixteen rows of input pairs, each with sixteen outputs of two bfloat16 numbers. */

/* What depends on the groove, for every layer and head. */
typedef struct {
    const bf16 *keys;        /* (layers, heads, 2, 16, 16, 2): tiles of 16 residues: pairs of inputs, residues, 2 */
    const bf16 *rest_keys;   /* (layers, heads, 16, 16, 2): the last residues, then zeros */
    const bf16 *values;      /* (layers, heads, 2, 16, 16, 2): tiles of 16 inputs: pairs of residues, inputs, 2 */
    const bf16 *rest_values; /* (layers, heads, 2, 16, 2): the last pair of residues */
} Groove;

typedef struct {
    float *hidden;                       /* (rows, width) */
    bf16 *normal, *qkv, *mixed, *inside; /* (rows, width), (rows, 3 * width), (rows, width), (rows, inner) */
} Space;

/* 2 to the power of x, to a relative error of 3e-6. */
INLINE FAST __m512 exp2_16(__m512 x) {
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 part = _mm512_sub_ps(x, whole);
    __m512 y = _mm512_set1_ps(9.5827000e-3f);
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(5.5906880e-2f));
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(2.4024104e-1f));
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(6.9312411e-1f));
    y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(y, whole);
}

/* x times the normal distribution function, which is one half plus an odd polynomial (minimax) on -4..4, constant
 * beyond; to 2e-4 at most, which is less than bfloat16 rounds off. */
INLINE FAST __m512 gelu_16(__m512 x) {
    const __m512 reach = _mm512_set1_ps(4.0f);
    const __m512 at = _mm512_max_ps(_mm512_min_ps(x, reach), _mm512_sub_ps(_mm512_setzero_ps(), reach));
    const __m512 square = _mm512_mul_ps(at, at);
    static const float c[] = {-1.30119461e-09f, 1.04189619e-07f, -3.65696506e-06f, 7.48527727e-05f,
                              -1.00647351e-03f, 9.50533195e-03f, -6.58877252e-02f, 3.98673339e-01f};
    __m512 y = _mm512_set1_ps(c[0]);
    for (int i = 1; i < (int)(sizeof c / sizeof *c); i++) y = _mm512_fmadd_ps(y, square, _mm512_set1_ps(c[i]));
    return _mm512_mul_ps(x, _mm512_fmadd_ps(y, at, _mm512_set1_ps(0.5f)));
}

INLINE FAST void store_bf16(bf16 *to, __m512 low, __m512 high) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

enum Then { STORE, GELU, ADD };

/* (x - mean) / standard deviation of every row. */
FAST static void normalise(const float *hidden, int rows, int width, float epsilon, bf16 *to) {
    for (int row = 0; row < rows; row++, hidden += width, to += width) {
        __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
        for (int i = 0; i < width; i += 16) sum = _mm512_add_ps(sum, _mm512_loadu_ps(hidden + i));
        const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
        for (int i = 0; i < width; i += 16) {
            const __m512 away = _mm512_sub_ps(_mm512_loadu_ps(hidden + i), mean);
            squares = _mm512_fmadd_ps(away, away, squares);
        }
        const float variance = _mm512_reduce_add_ps(squares) / (float)width;
        const __m512 scale = _mm512_set1_ps(1.0f / __builtin_sqrtf(variance + epsilon));
        for (int i = 0; i < width; i += 32) {
            const __m512 low = _mm512_sub_ps(_mm512_loadu_ps(hidden + i), mean);
            const __m512 high = _mm512_sub_ps(_mm512_loadu_ps(hidden + i + 16), mean);
            store_bf16(to + i, _mm512_mul_ps(low, scale), _mm512_mul_ps(high, scale));
        }
    }
}

/* Transpose 16 x 16 numbers of 32 bits. */
INLINE FAST void transpose(__m512i rows[16]) {
    __m512i half[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        half[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        half[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        rows[4 * i] = _mm512_unpacklo_epi64(half[4 * i], half[4 * i + 2]);
        rows[4 * i + 1] = _mm512_unpackhi_epi64(half[4 * i], half[4 * i + 2]);
        rows[4 * i + 2] = _mm512_unpacklo_epi64(half[4 * i + 1], half[4 * i + 3]);
        rows[4 * i + 3] = _mm512_unpackhi_epi64(half[4 * i + 1], half[4 * i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        half[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
        half[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
        half[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
        half[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0x88);
        rows[i + 8] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0xdd);
        rows[i + 4] = _mm512_shuffle_i32x4(half[i + 4], half[i + 12], 0x88);
        rows[i + 12] = _mm512_shuffle_i32x4(half[i + 4], half[i + 12], 0xdd);
    }
}

/* Products with tiles, for processors with AMX.  GCC does not know that loading a tile reads memory. */
#define WRITTEN __asm__ volatile("" ::: "memory")

/* Tiles 1 and 7 hold right-hand sides; the others have as many rows as the left-hand side. */
INLINE TILED void shape_tiles(int rows) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } __attribute__((packed)) config = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        config.bytes[tile] = LINE;
        config.rows[tile] = tile == 1 || tile == 7 ? 16 : (uint8_t)rows;
    }
    _tile_loadconfig(&config);
}

/* left (32 rows, `step` numbers apart) times two columns of `deep` tiles; sums: (32, 32). */
INLINE TILED void multiply_block_tiles(const bf16 *left, int64_t step, const bf16 *one, const bf16 *two, int deep,
                                       float *sums) {
    const bf16 *bottom = left + 16 * step;
    WRITTEN;
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    for (int k = 0; k < deep; k++) {
        _tile_loadd(0, left + k * 32, step * 2);
        _tile_loadd(1, one + k * 512, LINE);
        _tile_dpbf16ps(2, 0, 1);
        _tile_loadd(7, two + k * 512, LINE);
        _tile_dpbf16ps(3, 0, 7);
        _tile_loadd(6, bottom + k * 32, step * 2);
        _tile_dpbf16ps(4, 6, 1);
        _tile_dpbf16ps(5, 6, 7);
    }
    _tile_stored(2, sums, 128);
    _tile_stored(3, sums + 16, 128);
    _tile_stored(4, sums + 512, 128);
    _tile_stored(5, sums + 528, 128);
}

/* Queries times the keys of 32 residues of the groove and of one or two tiles more; scores: (rows, 64). */
INLINE TILED void multiply_keys_tiles(const bf16 *queries, int64_t step, int rows, const bf16 *keys, const bf16 *own,
                                      int overflow, float *scores) {
    (void)rows; /* as shape_tiles was told */
    WRITTEN;
    _tile_loadd(0, queries, step * 2);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_loadd(1, keys, LINE);
    _tile_dpbf16ps(2, 0, 1);
    _tile_loadd(7, keys + 512, LINE);
    _tile_dpbf16ps(3, 0, 7);
    _tile_loadd(1, own, LINE);
    _tile_dpbf16ps(4, 0, 1);
    _tile_stored(2, scores, 256);
    _tile_stored(3, scores + 16, 256);
    _tile_stored(4, scores + 32, 256);
    if (overflow) {
        _tile_zero(5);
        _tile_loadd(7, own + 512, LINE);
        _tile_dpbf16ps(5, 0, 7);
        _tile_stored(5, scores + 48, 256);
    }
}

/* Weights (rows, 64) times the values of as many keys; sums: (rows, 32). */
INLINE TILED void multiply_values_tiles(const bf16 *weights, int rows, const bf16 *values, const bf16 *own, float *sums) {
    (void)rows;
    WRITTEN;
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(0, weights, 128);
    _tile_loadd(1, values, LINE);
    _tile_dpbf16ps(2, 0, 1);
    _tile_loadd(7, values + 512, LINE);
    _tile_dpbf16ps(3, 0, 7);
    _tile_loadd(6, weights + 32, 128);
    _tile_loadd(1, own, LINE);
    _tile_dpbf16ps(2, 6, 1);
    _tile_loadd(7, own + 512, LINE);
    _tile_dpbf16ps(3, 6, 7);
    _tile_stored(2, sums, 128);
    _tile_stored(3, sums + 16, 128);
}

INLINE TILED void begin_tiles(void) { shape_tiles(16); }

INLINE TILED void end_tiles(void) { _tile_release(); }

#define PART(name) name##_tiles
#define TARGET TILED
#include "half.h"
#undef PART
#undef TARGET

/* The same with vectors, for processors with AVX-512 in bfloat16 alone. */

INLINE FAST void shape_vectors(int rows) { (void)rows; }

INLINE FAST void begin_vectors(void) {}

INLINE FAST void end_vectors(void) {}

/* `height` rows of left, of which the last of `rows` stands for those beyond, times one or two columns of `deep` tiles;
 * added to the sums unless these are fresh. */
INLINE FAST void multiply_rows(const bf16 *left, int64_t step, int rows, const int height, const bf16 *one,
                               const bf16 *two, int deep, const int fresh, float *sums, int64_t sums_step) {
    __m512 low[8], high[8] = {0};
    const bf16 *at[8];
#pragma GCC unroll 8
    for (int r = 0; r < height; r++) {
        at[r] = left + (r < rows ? r : rows - 1) * step;
        low[r] = fresh ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * sums_step);
        if (two) high[r] = fresh ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * sums_step + 16);
    }
    for (int k = 0; k < deep; k++)
        for (int i = 0; i < 16; i++) {
            const __m512bh first = (__m512bh)_mm512_loadu_si512(one + k * 512 + i * 32);
            __m512bh second = first;
            if (two) second = (__m512bh)_mm512_loadu_si512(two + k * 512 + i * 32);
#pragma GCC unroll 8
            for (int r = 0; r < height; r++) {
                int pair;
                memcpy(&pair, at[r] + k * 32 + 2 * i, sizeof pair);
                const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
                low[r] = _mm512_dpbf16_ps(low[r], both, first);
                if (two) high[r] = _mm512_dpbf16_ps(high[r], both, second);
            }
        }
#pragma GCC unroll 8
    for (int r = 0; r < height; r++) {
        _mm512_storeu_ps(sums + r * sums_step, low[r]);
        if (two) _mm512_storeu_ps(sums + r * sums_step + 16, high[r]);
    }
}

/* The same for any number of rows up to 16; the sums have room for 16. */
INLINE FAST void multiply_some_rows(const bf16 *left, int64_t step, int rows, const bf16 *one, const bf16 *two,
                                    const int fresh, float *sums, int64_t sums_step) {
    int row = 0;
    for (; rows - row > 4; row += 8)
        multiply_rows(left + row * step, step, rows - row, 8, one, two, 1, fresh, sums + row * sums_step, sums_step);
    if (row < rows)
        multiply_rows(left + row * step, step, rows - row, 4, one, two, 1, fresh, sums + row * sums_step, sums_step);
}

INLINE FAST void multiply_block_vectors(const bf16 *left, int64_t step, const bf16 *one, const bf16 *two, int deep,
                                        float *sums) {
    for (int row = 0; row < 32; row += 8)
        multiply_rows(left + row * step, step, 8, 8, one, two, deep, 1, sums + row * 32, 32);
}

INLINE FAST void multiply_keys_vectors(const bf16 *queries, int64_t step, int rows, const bf16 *keys, const bf16 *own,
                                       int overflow, float *scores) {
    multiply_some_rows(queries, step, rows, keys, keys + 512, 1, scores, 64);
    if (overflow)
        multiply_some_rows(queries, step, rows, own, own + 512, 1, scores + 32, 64);
    else
        multiply_some_rows(queries, step, rows, own, NULL, 1, scores + 32, 64);
}

INLINE FAST void multiply_values_vectors(const bf16 *weights, int rows, const bf16 *values, const bf16 *own, float *sums) {
    multiply_some_rows(weights, 64, rows, values, values + 512, 1, sums, 32);
    multiply_some_rows(weights + 32, 64, rows, own, own + 512, 0, sums, 32);
}

#define PART(name) name##_vectors
#define TARGET FAST
#include "half.h"
#undef PART
#undef TARGET

/* Score n peptides of one length, with tiles or with vectors.  residues: token numbers (n, count - 1); logits: (n, 2).
 * Returns 0, or 1 if there is no memory. */
int pmhc_score_half(int tiled, const Model *model, const Groove *groove, const Tokens *tokens, const uint8_t *residues,
                    int64_t n, float *logits) {
    return tiled ? score_tiles(model, groove, tokens, residues, n, logits)
                 : score_vectors(model, groove, tokens, residues, n, logits);
}

/* How this processor and system can run pmhc_score_half: 2 with tiles (for which the system is asked) or vectors, 1 with
 * vectors alone, 0 not at all. */
int pmhc_half_supported(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("fma"))
        return 0;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    const unsigned tile_and_bf16 = (1u << 24) | (1u << 22);
    if ((d & tile_and_bf16) != tile_and_bf16) return 1;
    return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0 ? 2 : 1;
}

#else

int pmhc_half_supported(void) { return 0; }

int pmhc_score_half(int tiled, const void *model, const void *groove, const void *tokens, const uint8_t *residues,
                    int64_t n, float *logits) {
    (void)tiled, (void)model, (void)groove, (void)tokens, (void)residues, (void)n, (void)logits;
    return 1;
}

#endif
