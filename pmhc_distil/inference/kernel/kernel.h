/* The layout of the numbers that native.py hands to the two kernels. */

#ifndef PMHC_KERNEL_H
#define PMHC_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum {
    HEAD = 32,    /* width of an attention head */
    GROOVE = 34,  /* residues of a groove */
    LONGEST = 16, /* tokens of a peptide: CLS and 15 residues */
    KEYS = 64,    /* room for the keys that a token attends to: groove, CLS and peptide are 50 at most */
    LINE = 64     /* bytes that are moved together */
};

#define INLINE static inline __attribute__((always_inline))

/* The normalisations before a product are multiplied into its weights, the scale of the attention into the queries:
 * scores are logarithms to the base of 2.  Numbers are float, matrices (inputs, outputs) in panels of 32 outputs;
 * or bfloat16, packed in tiles as half.c describes. */
typedef struct {
    const void *qkv, *output, *in, *out;
    const float *qkv_bias, *output_bias, *in_bias, *out_bias;
} Layer;

typedef struct {
    int64_t width, inner, layers, vocabulary; /* width and inner are multiples of 32 */
    const float *tokens;                      /* (vocabulary, width) */
    const Layer *stack;                       /* (layers,) */
    const void *dense;                        /* (width, width) */
    const float *dense_bias;                  /* (width,) */
    const float *heads;                       /* (2, width) */
    const float *heads_bias;                  /* (2,) */
    float epsilon;                            /* of the normalisations */
} Model;

/* What depends on the length of the peptides. */
typedef struct {
    int64_t count;          /* of tokens, with CLS */
    int64_t start;          /* token number of CLS */
    const float *positions; /* (count, width) */
    const void *first;      /* (count, vocabulary, 3 * width): queries, keys and values of the first layer, float or bfloat16 */
} Tokens;

#endif
