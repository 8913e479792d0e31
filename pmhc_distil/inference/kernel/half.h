/* The encoder of half.c, for products of one kind: PART(name) is what they are called, TARGET what they are compiled
 * for. */

/* left (rows, inputs), rows `step` numbers apart, times packed right, plus bias; the result is stored in bfloat16, or
 * after GELU, or added to single-precision numbers.  Rows, inputs and outputs are multiples of 32. */
INLINE TARGET void PART(multiply)(const bf16 *left, int64_t step, int rows, const bf16 *right, const float *bias,
                                  int outputs, int inputs, enum Then then, void *to, int64_t to_step) {
    float sums[32 * 32] __attribute__((aligned(LINE)));
    const int deep = inputs / 32;
    for (int out = 0; out < outputs; out += 32) {
        const bf16 *one = right + (int64_t)(out / 16) * deep * 512, *two = one + (int64_t)deep * 512;
        const __m512 bias_one = _mm512_loadu_ps(bias + out), bias_two = _mm512_loadu_ps(bias + out + 16);
        for (int row = 0; row < rows; row += 32) {
            PART(multiply_block)(left + row * step, step, one, two, deep, sums);
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

/* Attention of `queries` tokens of each peptide, CLS first, to the groove and to the peptide itself, for one head.
 * Keys stand in the order groove (34), CLS and peptide (at most 16), in tiles of 16. */
TARGET static void PART(attend)(const bf16 *qkv, int width, int tokens, int queries, const bf16 *keys,
                                const bf16 *rest_keys, const bf16 *values, const bf16 *rest_values, bf16 *mixed) {
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
        PART(multiply_keys)(qkv, step, queries, keys, (const bf16 *)own_keys, overflow, scores[0]);
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
        PART(multiply_values)(weights[0], queries, values, (const bf16 *)own_values, sums[0]);
        for (int r = 0; r < queries; r++, mixed += width) {
            const __m512 by = _mm512_set1_ps(scale[r]);
            store_bf16(mixed, _mm512_mul_ps(_mm512_load_ps(sums[r]), by), _mm512_mul_ps(_mm512_load_ps(sums[r] + 16), by));
        }
    }
}

TARGET static void PART(score_block)(const Model *model, const Groove *groove, const Tokens *tokens, const uint8_t *residues,
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
            PART(multiply)(space->normal, width, rows, (const bf16 *)layer->qkv + (int64_t)from * width, layer->qkv_bias + from,
                     3 * width - from, width, STORE, space->qkv + from, 3 * width);
            if (last)
                PART(multiply)(space->normal, (int64_t)count * width, PEPTIDES, layer->qkv, layer->qkv_bias, width, width,
                         STORE, space->qkv, (int64_t)count * 3 * width);
        }
        const int queries = last ? 1 : count;
        PART(shape)(queries);
        for (int head = 0; head < heads; head++) {
            const int64_t place = number * heads + head;
            PART(attend)(space->qkv + head * HEAD, width, count, queries, groove->keys + place * 1024,
                   groove->rest_keys + place * 512, groove->values + place * 1024, groove->rest_values + place * 64,
                   space->mixed + head * HEAD);
        }
        PART(shape)(16);
        if (last) {
            rows = PEPTIDES;
            for (int p = 1; p < PEPTIDES; p++)
                memcpy(space->hidden + p * width, space->hidden + (int64_t)p * count * width, width * sizeof(float));
        }
        PART(multiply)(space->mixed, width, rows, layer->output, layer->output_bias, width, width, ADD, space->hidden, width);
        normalise(space->hidden, rows, width, model->epsilon, space->normal);
        PART(multiply)(space->normal, width, rows, layer->in, layer->in_bias, inner, width, GELU, space->inside, inner);
        PART(multiply)(space->inside, inner, rows, layer->out, layer->out_bias, width, inner, ADD, space->hidden, width);
    }
    normalise(space->hidden, PEPTIDES, width, model->epsilon, space->normal);
    PART(multiply)(space->normal, width, PEPTIDES, model->dense, model->dense_bias, width, width, GELU, space->mixed, width);
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

TARGET static int PART(score)(const Model *model, const Groove *groove, const Tokens *tokens, const uint8_t *residues,
                              int64_t n, float *logits) {
    const size_t rows = PEPTIDES * LONGEST, width = (size_t)model->width, inner = (size_t)model->inner;
    char *memory = aligned_alloc(LINE, rows * (width * 14 + inner * 2));
    if (!memory) return 1;
    Space space = {.hidden = (float *)memory};
    space.normal = (bf16 *)(space.hidden + rows * width);
    space.qkv = space.normal + rows * width;
    space.mixed = space.qkv + rows * 3 * width;
    space.inside = space.mixed + rows * width;
    PART(begin)();
    for (int64_t first = 0; first < n; first += PEPTIDES)
        PART(score_block)(model, groove, tokens, residues + first * (tokens->count - 1), n - first, &space, logits + 2 * first);
    PART(end)();
    free(memory);
    return 0;
}
