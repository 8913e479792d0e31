/* The peptide half of the encoder as in single.c, for x86-64 processors with AMX and AVX-512 in bfloat16.
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

#define FAST __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16,fma")))
#undef INLINE
#define INLINE static inline __attribute__((always_inline)) FAST

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

/* Tiles 1 and 7 hold right-hand sides; the others have as many rows as the left-hand side. */
INLINE void shape_tiles(int rows) {
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

/* 2 to the power of x, to a relative error of 3e-6. */
INLINE __m512 exp2_16(__m512 x) {
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
INLINE __m512 gelu_16(__m512 x) {
    const __m512 reach = _mm512_set1_ps(4.0f);
    const __m512 at = _mm512_max_ps(_mm512_min_ps(x, reach), _mm512_sub_ps(_mm512_setzero_ps(), reach));
    const __m512 square = _mm512_mul_ps(at, at);
    static const float c[] = {-1.30119461e-09f, 1.04189619e-07f, -3.65696506e-06f, 7.48527727e-05f,
                              -1.00647351e-03f, 9.50533195e-03f, -6.58877252e-02f, 3.98673339e-01f};
    __m512 y = _mm512_set1_ps(c[0]);
    for (int i = 1; i < (int)(sizeof c / sizeof *c); i++) y = _mm512_fmadd_ps(y, square, _mm512_set1_ps(c[i]));
    return _mm512_mul_ps(x, _mm512_fmadd_ps(y, at, _mm512_set1_ps(0.5f)));
}

INLINE void store_bf16(bf16 *to, __m512 low, __m512 high) {
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

enum Then { STORE, GELU, ADD };

/* left (rows, inputs), rows `step` numbers apart, times packed right, plus bias; the result is stored in bfloat16, or
 * after GELU, or added to single-precision numbers.  Rows, inputs and outputs are multiples of 32. */
INLINE void multiply(const bf16 *left, int64_t step, int rows, const bf16 *right, const float *bias, int outputs,
                     int inputs, enum Then then, void *to, int64_t to_step) {
    float sums[32 * 32] __attribute__((aligned(LINE)));
    const int deep = inputs / 32;
    for (int out = 0; out < outputs; out += 32) {
        const bf16 *one = right + (int64_t)(out / 16) * deep * 512, *two = one + (int64_t)deep * 512;
        const __m512 bias_one = _mm512_loadu_ps(bias + out), bias_two = _mm512_loadu_ps(bias + out + 16);
        for (int row = 0; row < rows; row += 32) {
            const bf16 *top = left + row * step, *bottom = top + 16 * step;
            _tile_zero(2);
            _tile_zero(3);
            _tile_zero(4);
            _tile_zero(5);
            for (int k = 0; k < deep; k++) {
                _tile_loadd(0, top + k * 32, step * 2);
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
            for (int r = 0; r < 32; r++) {
                __m512 low = _mm512_add_ps(_mm512_load_ps(sums + r * 32), bias_one);
                __m512 high = _mm512_add_ps(_mm512_load_ps(sums + r * 32 + 16), bias_two);
                const int64_t place = (row + r) * to_step + out;
                if (then == ADD) {
                    float *sum = (float *)to + place;
                    _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), low));
                    _mm512_storeu_ps(sum + 16, _mm512_add_ps(_mm512_loadu_ps(sum + 16), high));
                } else {
                    if (then == GELU) low = gelu_16(low), high = gelu_16(high);
                    store_bf16((bf16 *)to + place, low, high);
                }
            }
        }
    }
}

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
INLINE void transpose(__m512i rows[16]) {
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

/* Attention of `queries` tokens of each peptide, CLS first, to the groove and to the peptide itself, for one head.
 * Keys stand in the order groove (34), CLS and peptide (at most 16), in tiles of 16. */
FAST static void attend(const bf16 *qkv, int width, int tokens, int queries, const bf16 *keys, const bf16 *rest_keys,
                        const bf16 *values, const bf16 *rest_values, bf16 *mixed) {
    __m512i own_keys[2][16], own_values[2][16] __attribute__((aligned(LINE)));
    float scores[16][64] __attribute__((aligned(LINE)));
    bf16 weights[16][64] __attribute__((aligned(LINE)));
    float sums[16][32] __attribute__((aligned(LINE)));
    float scale[16];
    const int step = 3 * width;
    const int overflow = tokens > 16 - REST;
    const __mmask16 third = (__mmask16)((1u << (overflow ? 16 : tokens + REST)) - 1);
    const __mmask16 fourth = (__mmask16)((1u << (overflow ? tokens + REST - 16 : 0)) - 1);
    const __m512i low_pairs = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38,
                                               6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high_pairs = _mm512_add_epi16(low_pairs, _mm512_set1_epi16(16));
    const __m512i zero = _mm512_setzero_si512();
    memset(own_values, 0, sizeof own_values);
    own_values[0][0] = _mm512_loadu_si512(rest_values);
    own_values[1][0] = _mm512_loadu_si512(rest_values + 32);
    for (int peptide = 0; peptide < PEPTIDES; peptide++, qkv += (int64_t)tokens * step) {
        __m512i across[16];
#pragma GCC unroll 16
        for (int t = 0; t < 16; t++) across[t] = t < tokens ? _mm512_loadu_si512(qkv + t * step + width) : zero;
        transpose(across);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            const __m512i rest = _mm512_loadu_si512(rest_keys + i * 32);
            own_keys[0][i] = _mm512_mask_expand_epi32(rest, (__mmask16)(0xffff << REST), across[i]);
        }
        if (overflow)
            for (int i = 0; i < 16; i++) own_keys[1][i] = _mm512_alignr_epi32(zero, across[i], 16 - REST);
        for (int t = 0; t < tokens; t += 2) {
            const __m512i even = _mm512_loadu_si512(qkv + t * step + 2 * width);
            const __m512i odd = t + 1 < tokens ? _mm512_loadu_si512(qkv + (t + 1) * step + 2 * width) : zero;
            own_values[0][1 + t / 2] = _mm512_permutex2var_epi16(even, low_pairs, odd);
            own_values[1][1 + t / 2] = _mm512_permutex2var_epi16(even, high_pairs, odd);
        }
        _tile_loadd(0, qkv, step * 2);
        _tile_zero(2);
        _tile_zero(3);
        _tile_zero(4);
        _tile_loadd(1, keys, LINE);
        _tile_dpbf16ps(2, 0, 1);
        _tile_loadd(7, keys + 512, LINE);
        _tile_dpbf16ps(3, 0, 7);
        _tile_loadd(1, own_keys[0], LINE);
        _tile_dpbf16ps(4, 0, 1);
        _tile_stored(2, scores[0], 256);
        _tile_stored(3, scores[0] + 16, 256);
        _tile_stored(4, scores[0] + 32, 256);
        if (overflow) {
            _tile_zero(5);
            _tile_loadd(7, own_keys[1], LINE);
            _tile_dpbf16ps(5, 0, 7);
            _tile_stored(5, scores[0] + 48, 256);
        }
        for (int r = 0; r < queries; r++) {
            const __m512 least = _mm512_set1_ps(-3e38f);
            __m512 a = _mm512_load_ps(scores[r]), b = _mm512_load_ps(scores[r] + 16);
            __m512 c = _mm512_mask_load_ps(least, third, scores[r] + 32), d = least;
            if (overflow) d = _mm512_mask_load_ps(least, fourth, scores[r] + 48);
            __m512 most = _mm512_max_ps(_mm512_max_ps(a, b), c);
            if (overflow) most = _mm512_max_ps(most, d);
            const __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(most));
            a = exp2_16(_mm512_sub_ps(a, top));
            b = exp2_16(_mm512_sub_ps(b, top));
            c = _mm512_maskz_mov_ps(third, exp2_16(_mm512_sub_ps(c, top)));
            d = overflow ? _mm512_maskz_mov_ps(fourth, exp2_16(_mm512_sub_ps(d, top))) : _mm512_setzero_ps();
            store_bf16(weights[r], a, b);
            store_bf16(weights[r] + 32, c, d);
            scale[r] = 1.0f / _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
        }
        _tile_zero(2);
        _tile_zero(3);
        _tile_loadd(0, weights[0], 128);
        _tile_loadd(1, values, LINE);
        _tile_dpbf16ps(2, 0, 1);
        _tile_loadd(7, values + 512, LINE);
        _tile_dpbf16ps(3, 0, 7);
        _tile_loadd(6, weights[0] + 32, 128);
        _tile_loadd(1, own_values[0], LINE);
        _tile_dpbf16ps(2, 6, 1);
        _tile_loadd(7, own_values[1], LINE);
        _tile_dpbf16ps(3, 6, 7);
        _tile_stored(2, sums[0], 128);
        _tile_stored(3, sums[0] + 16, 128);
        for (int r = 0; r < queries; r++, mixed += width) {
            const __m512 by = _mm512_set1_ps(scale[r]);
            store_bf16(mixed, _mm512_mul_ps(_mm512_load_ps(sums[r]), by), _mm512_mul_ps(_mm512_load_ps(sums[r] + 16), by));
        }
    }
}

FAST static void score_block(const Model *model, const Groove *groove, const Tokens *tokens, const uint8_t *residues,
                             int64_t n, Space *space, float *logits) {
    const int width = (int)model->width, inner = (int)model->inner, heads = width / HEAD, count = (int)tokens->count;
    int rows = PEPTIDES * count;
    for (int p = 0; p < PEPTIDES; p++) {
        const uint8_t *own = residues + (p < n ? p : 0) * (count - 1);
        for (int t = 0; t < count; t++) {
            const int64_t token = t ? own[t - 1] : tokens->start;
            const float *embedding = model->tokens + token * width, *position = tokens->positions + t * width;
            float *hidden = space->hidden + (int64_t)(p * count + t) * width;
            for (int i = 0; i < width; i += 16)
                _mm512_storeu_ps(hidden + i, _mm512_add_ps(_mm512_loadu_ps(embedding + i), _mm512_loadu_ps(position + i)));
            memcpy(space->qkv + (int64_t)(p * count + t) * 3 * width,
                   (const bf16 *)tokens->first + (t * model->vocabulary + token) * 3 * width, 3 * width * sizeof(bf16));
        }
    }
    for (int number = 0; number < model->layers; number++) {
        const Layer *layer = model->stack + number;
        const int last = number + 1 == model->layers;
        if (number) {
            normalise(space->hidden, rows, width, model->epsilon, space->normal);
            /* The heads read CLS alone: the last layer needs keys and values of all tokens, but one query. */
            const int from = last ? width : 0;
            multiply(space->normal, width, rows, (const bf16 *)layer->qkv + (int64_t)from * width, layer->qkv_bias + from,
                     3 * width - from, width, STORE, space->qkv + from, 3 * width);
            if (last)
                multiply(space->normal, (int64_t)count * width, PEPTIDES, layer->qkv, layer->qkv_bias, width, width,
                         STORE, space->qkv, (int64_t)count * 3 * width);
        }
        const int queries = last ? 1 : count;
        shape_tiles(queries);
        for (int head = 0; head < heads; head++) {
            const int64_t place = number * heads + head;
            attend(space->qkv + head * HEAD, width, count, queries, groove->keys + place * 1024,
                   groove->rest_keys + place * 512, groove->values + place * 1024, groove->rest_values + place * 64,
                   space->mixed + head * HEAD);
        }
        shape_tiles(16);
        if (last) {
            rows = PEPTIDES;
            for (int p = 1; p < PEPTIDES; p++)
                memcpy(space->hidden + p * width, space->hidden + (int64_t)p * count * width, width * sizeof(float));
        }
        multiply(space->mixed, width, rows, layer->output, layer->output_bias, width, width, ADD, space->hidden, width);
        normalise(space->hidden, rows, width, model->epsilon, space->normal);
        multiply(space->normal, width, rows, layer->in, layer->in_bias, inner, width, GELU, space->inside, inner);
        multiply(space->inside, inner, rows, layer->out, layer->out_bias, width, inner, ADD, space->hidden, width);
    }
    normalise(space->hidden, PEPTIDES, width, model->epsilon, space->normal);
    multiply(space->normal, width, PEPTIDES, model->dense, model->dense_bias, width, width, GELU, space->mixed, width);
    for (int p = 0; p < PEPTIDES && p < n; p++)
        for (int output = 0; output < 2; output++) {
            __m512 sum = _mm512_setzero_ps();
            for (int i = 0; i < width; i += 16) {
                const __m256i half = _mm256_loadu_si256((const __m256i *)(space->mixed + p * width + i));
                const __m512 value = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
                sum = _mm512_fmadd_ps(value, _mm512_loadu_ps(model->heads + output * width + i), sum);
            }
            logits[2 * p + output] = _mm512_reduce_add_ps(sum) + model->heads_bias[output];
        }
}

/* Score n peptides of one length.  residues: token numbers (n, count - 1); logits: (n, 2).  Returns 0, or 1 if there is
 * no memory. */
FAST int pmhc_score_half(const Model *model, const Groove *groove, const Tokens *tokens, const uint8_t *residues, int64_t n,
                    float *logits) {
    const size_t rows = PEPTIDES * LONGEST, width = (size_t)model->width, inner = (size_t)model->inner;
    char *memory = aligned_alloc(LINE, rows * (width * 14 + inner * 2));
    if (!memory) return 1;
    Space space = {.hidden = (float *)memory};
    space.normal = (bf16 *)(space.hidden + rows * width);
    space.qkv = space.normal + rows * width;
    space.mixed = space.qkv + rows * 3 * width;
    space.inside = space.mixed + rows * width;
    shape_tiles(16);
    for (int64_t first = 0; first < n; first += PEPTIDES)
        score_block(model, groove, tokens, residues + first * (tokens->count - 1), n - first, &space, logits + 2 * first);
    _tile_release();
    free(memory);
    return 0;
}

/* Whether this processor and system can run pmhc_score_half; asks the system for the tiles. */
int pmhc_half_supported(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("fma"))
        return 0;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    const unsigned tile_and_bf16 = (1u << 24) | (1u << 22);
    if ((d & tile_and_bf16) != tile_and_bf16) return 0;
    return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0;
}

#else

int pmhc_half_supported(void) { return 0; }

int pmhc_score_half(const void *model, const void *groove, const void *tokens, const uint8_t *residues, int64_t n,
               float *logits) {
    (void)model, (void)groove, (void)tokens, (void)residues, (void)n, (void)logits;
    return 1;
}

#endif
