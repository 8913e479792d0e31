/* The encoder in single precision, in portable C, for vectors of the width that single.c chooses:
 *
 * BYTES: of a vector; ROWS: rows that are multiplied together, so that their sums stay in the registers; PEPTIDES: in a
 * block, such that a block has a multiple of ROWS tokens; NAME(x): names that differ from those of other widths.
 */

#define vec NAME(vec)
#define ints NAME(ints)
#define choose NAME(choose)
#define exp2_of NAME(exp2_of)
#define gelu NAME(gelu)
#define multiply NAME(multiply)
#define total NAME(total)
#define normalise NAME(normalise)
#define attend NAME(attend)
#define embed NAME(embed)
#define finish NAME(finish)

typedef float vec __attribute__((vector_size(BYTES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(BYTES), aligned(4), may_alias));
#define LANES (BYTES / 4)

/* Where `mask` is set (all bits) the first, else the second. */
INLINE vec choose(ints mask, vec first, vec second) { return (vec)((mask & (ints)first) | (~mask & (ints)second)); }

/* 2 to the power of x <= 0, to a relative error of 2e-7. */
INLINE vec exp2_of(vec x) {
    const vec least = (vec){0} - 126.0f;
    x = choose(x < least, least, x);
    const ints whole = __builtin_convertvector(x - 0.5f, ints);
    const vec part = x - __builtin_convertvector(whole, vec);
    vec y = 1.5353362e-4f * part + 1.3398874e-3f;
    y = y * part + 9.6184373e-3f;
    y = y * part + 5.5503324e-2f;
    y = y * part + 2.4022648e-1f;
    y = y * part + 6.9314720e-1f;
    y = y * part + 1.0f;
    return y * (vec)((whole + 127) << 23);
}

/* x times the normal distribution function, by formula 7.1.26 of Abramowitz and Stegun (1964), to 1.5e-7 of x. */
INLINE vec gelu(vec x) {
    const vec size = (vec)((ints)x & 0x7fffffff) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * size);
    vec tail = 1.061405429f * t - 1.453152027f;
    tail = tail * t + 1.421413741f;
    tail = tail * t - 0.284496736f;
    tail = tail * t + 0.254829592f;
    tail *= 0.5f * t * exp2_of(size * size * -1.44269504f);
    return x * choose(x < 0.0f, tail, 1.0f - tail);
}

/* left (rows, inputs), `step` numbers apart, times right (inputs, outputs), plus bias; stored, or after GELU, or added.
 * Rows are a multiple of ROWS, outputs of 32.  Not inlined: gcc makes faster code of it by itself. */
static __attribute__((noinline)) void multiply(const float *left, int64_t step, int rows, const float *right,
                                               const float *bias, int outputs, int inputs, enum Then then, float *to,
                                               int64_t to_step) {
    for (int out = 0; out < outputs; out += 2 * LANES) {
        const float *panel = right + (int64_t)(out / PANEL) * PANEL * inputs + out % PANEL;
        for (int row = 0; row < rows; row += ROWS) {
            const float *own = left + row * step;
            vec sums[ROWS][2];
            for (int r = 0; r < ROWS; r++) {
                sums[r][0] = *(const vec *)(bias + out);
                sums[r][1] = *(const vec *)(bias + out + LANES);
            }
            for (int k = 0; k < inputs; k++) {
                const vec one = *(const vec *)(panel + k * PANEL);
                const vec two = *(const vec *)(panel + k * PANEL + LANES);
                for (int r = 0; r < ROWS; r++) {
                    sums[r][0] += own[r * step + k] * one;
                    sums[r][1] += own[r * step + k] * two;
                }
            }
            for (int r = 0; r < ROWS; r++) {
                float *place = to + (row + r) * to_step + out;
                if (then == ADD) {
                    sums[r][0] += *(vec *)place;
                    sums[r][1] += *(vec *)(place + LANES);
                }
                *(vec *)place = then == GELU ? gelu(sums[r][0]) : sums[r][0];
                *(vec *)(place + LANES) = then == GELU ? gelu(sums[r][1]) : sums[r][1];
            }
        }
    }
}

INLINE float total(vec parts) {
    float sum = 0.0f;
    for (int i = 0; i < LANES; i++) sum += parts[i];
    return sum;
}

/* (x - mean) / standard deviation of every row. */
INLINE void normalise(const float *hidden, int rows, int width, float epsilon, float *to) {
    for (int row = 0; row < rows; row++, hidden += width, to += width) {
        vec sum = {0}, squares = {0};
        for (int i = 0; i < width; i += LANES) sum += *(const vec *)(hidden + i);
        const float mean = total(sum) / (float)width;
        for (int i = 0; i < width; i += LANES) {
            const vec away = *(const vec *)(hidden + i) - mean;
            squares += away * away;
        }
        const float scale = 1.0f / sqrtf(total(squares) / (float)width + epsilon);
        for (int i = 0; i < width; i += LANES) *(vec *)(to + i) = (*(const vec *)(hidden + i) - mean) * scale;
    }
}

/* Attention, for one head, of the first `queries` of each sequence's tokens to `before` keys, which are in place
 * already, and to the sequence itself.  across (HEAD, KEYS): keys; values (KEYS, HEAD). */
INLINE void attend(const float *qkv, int width, int sequences, int tokens, int queries, int before,
                   float across[HEAD][KEYS], float values[KEYS][HEAD], float *mixed) {
    const int step = 3 * width, count = before + tokens;
    for (int number = 0; number < sequences; number++, qkv += (int64_t)tokens * step) {
        for (int t = 0; t < tokens; t++) {
            const float *own = qkv + t * step;
            for (int i = 0; i < HEAD; i++) across[i][before + t] = own[width + i];
            memcpy(values[before + t], own + 2 * width, HEAD * sizeof(float));
        }
        for (int r = 0; r < queries; r++, mixed += width) {
            const float *query = qkv + r * step;
            vec sums[KEYS / LANES] = {0};
            for (int i = 0; i < HEAD; i++)
                for (int part = 0; part < KEYS / LANES; part++)
                    sums[part] += query[i] * *(const vec *)(across[i] + part * LANES);
            float *weights = (float *)sums, most = weights[0], all = 0.0f;
            for (int k = 1; k < count; k++) most = weights[k] > most ? weights[k] : most;
            for (int part = 0; part < KEYS / LANES; part++) sums[part] = exp2_of(sums[part] - most);
            for (int k = 0; k < count; k++) all += weights[k];
            vec mean[HEAD / LANES] = {0};
            for (int k = 0; k < count; k++)
                for (int part = 0; part < HEAD / LANES; part++)
                    mean[part] += weights[k] * *(const vec *)(values[k] + part * LANES);
            for (int part = 0; part < HEAD / LANES; part++) *(vec *)(mixed + part * LANES) = mean[part] / all;
        }
    }
}

INLINE void embed(const Model *model, const float *position, int64_t token, float *hidden) {
    const float *embedding = model->tokens + token * model->width;
    for (int64_t i = 0; i < model->width; i++) hidden[i] = embedding[i] + position[i];
}

INLINE void finish(const Model *model, const Layer *layer, int rows, Space *space) {
    const int width = (int)model->width, inner = (int)model->inner;
    multiply(space->mixed, width, rows, layer->output, layer->output_bias, width, width, ADD, space->hidden, width);
    normalise(space->hidden, rows, width, model->epsilon, space->normal);
    multiply(space->normal, width, rows, layer->in, layer->in_bias, inner, width, GELU, space->inside, inner);
    multiply(space->inside, inner, rows, layer->out, layer->out_bias, width, inner, ADD, space->hidden, width);
}

/* See pmhc_prefix. */
static int NAME(prefix)(const Model *model, const float *positions, const uint8_t *residues, float *keys,
                        float *values) {
    const int width = (int)model->width, rows = (GROOVE + ROWS - 1) / ROWS * ROWS;
    float own_keys[HEAD][KEYS] = {{0}}, own_values[KEYS][HEAD];
    Space space;
    char *memory = make_space(model, rows, &space);
    if (!memory) return 1;
    for (int t = 0; t < GROOVE; t++) embed(model, positions + (int64_t)t * width, residues[t], space.hidden + t * width);
    for (int64_t number = 0; number < model->layers; number++) {
        const Layer *layer = model->stack + number;
        normalise(space.hidden, rows, width, model->epsilon, space.normal);
        multiply(space.normal, width, rows, layer->qkv, layer->qkv_bias, 3 * width, width, STORE, space.qkv,
                 3 * width);
        for (int head = 0; head < width / HEAD; head++) {
            for (int t = 0; t < GROOVE; t++, keys += HEAD, values += HEAD) {
                const float *own = space.qkv + t * 3 * width + head * HEAD;
                memcpy(keys, own + width, HEAD * sizeof(float));
                memcpy(values, own + 2 * width, HEAD * sizeof(float));
            }
            attend(space.qkv + head * HEAD, width, 1, GROOVE, GROOVE, 0, own_keys, own_values, space.mixed + head * HEAD);
        }
        if (number + 1 < model->layers) finish(model, layer, rows, &space);
    }
    free(memory);
    return 0;
}

/* See pmhc_score_single. */
static int NAME(score)(const Model *model, const float *keys, const float *values, const Tokens *tokens,
                             const uint8_t *residues, int64_t n, float *logits) {
    const int width = (int)model->width, heads = width / HEAD, count = (int)tokens->count;
    float own_keys[HEAD][KEYS] = {{0}}, own_values[KEYS][HEAD];
    Space space;
    char *memory = make_space(model, PEPTIDES * count, &space);
    if (!memory) return 1;
    for (int64_t done = 0; done < n; done += PEPTIDES) {
        const int some = n - done < PEPTIDES ? (int)(n - done) : PEPTIDES;
        int rows = PEPTIDES * count;
        for (int p = 0; p < PEPTIDES; p++)
            for (int t = 0; t < count; t++) {
                const int64_t place = (done + (p < some ? p : 0)) * (count - 1) + t - 1;
                const int64_t token = t ? residues[place] : tokens->start, row = p * count + t;
                embed(model, tokens->positions + (int64_t)t * width, token, space.hidden + row * width);
                memcpy(space.qkv + row * 3 * width,
                       (const float *)tokens->first + (t * model->vocabulary + token) * 3 * width,
                       (size_t)(3 * width) * sizeof(float));
            }
        for (int number = 0; number < model->layers; number++) {
            const Layer *layer = model->stack + number;
            const int last = number + 1 == model->layers, queries = last ? 1 : count;
            /* The heads read CLS alone: the last layer needs keys and values of all tokens, but one query. */
            const int from = last ? width : 0;
            if (number) { /* those of the first layer are in a table */
                normalise(space.hidden, rows, width, model->epsilon, space.normal);
                multiply(space.normal, width, rows, (const float *)layer->qkv + from * width, layer->qkv_bias + from,
                         3 * width - from, width, STORE, space.qkv + from, 3 * width);
                if (last)
                    multiply(space.normal, (int64_t)count * width, PEPTIDES, layer->qkv, layer->qkv_bias, width,
                             width, STORE, space.qkv, (int64_t)count * 3 * width);
            }
            for (int head = 0; head < heads; head++) {
                const int64_t place = ((int64_t)number * heads + head) * GROOVE * HEAD;
                for (int t = 0; t < GROOVE; t++)
                    for (int i = 0; i < HEAD; i++) own_keys[i][t] = keys[place + t * HEAD + i];
                memcpy(own_values, values + place, GROOVE * HEAD * sizeof(float));
                attend(space.qkv + head * HEAD, width, PEPTIDES, count, queries, GROOVE, own_keys, own_values,
                       space.mixed + head * HEAD);
            }
            if (last) {
                rows = PEPTIDES;
                for (int p = 1; p < PEPTIDES; p++)
                    memcpy(space.hidden + p * width, space.hidden + (int64_t)p * count * width, (size_t)width * sizeof(float));
            }
            finish(model, layer, rows, &space);
        }
        normalise(space.hidden, PEPTIDES, width, model->epsilon, space.normal);
        multiply(space.normal, width, PEPTIDES, model->dense, model->dense_bias, width, width, GELU, space.mixed,
                 width);
        for (int p = 0; p < some; p++)
            for (int output = 0; output < 2; output++) {
                vec sum = {0};
                for (int i = 0; i < width; i += LANES)
                    sum += *(const vec *)(space.mixed + p * width + i) * *(const vec *)(model->heads + output * width + i);
                logits[2 * (done + p) + output] = total(sum) + model->heads_bias[output];
            }
    }
    free(memory);
    return 0;
}

#undef vec
#undef ints
#undef choose
#undef exp2_of
#undef gelu
#undef multiply
#undef total
#undef normalise
#undef attend
#undef embed
#undef finish
#undef LANES
#undef BYTES
#undef ROWS
#undef PEPTIDES
#undef NAME
