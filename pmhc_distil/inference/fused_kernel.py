"""The encoder as two Triton kernels, which keep what lies between the layers on the chip.  Imported for a GPU alone.

A program of the first takes a tile of tokens, those of some peptides of one length and one groove, through all layers
up to the last attention.  A program of the second takes the CLS states of a tile of peptides through what follows.
:mod:`pmhc_distil.inference.fused_weights` packs the weights: layer norms without scale, shift and mean; attention
without the biases of keys and values, and with queries that are scaled for powers of two.
"""

import triton
import triton.language as tl

WIDTH = tl.constexpr(128)
HEADS = tl.constexpr(4)
HEAD_WIDTH = tl.constexpr(32)
GROOVE = tl.constexpr(34)
GROOVE_ROOM = tl.constexpr(64)
TABLE = tl.constexpr(64)
"""Rows of the embeddings of one length: first those of tokens, from the middle on those of positions."""
INNER_STEP = tl.constexpr(64)
FEW = tl.constexpr(16)
"""Room for the peptides of a tile."""
FAR = tl.constexpr(1024.0)
"""Taken from the scores of tokens of other peptides: two to the power of minus that is zero."""
CLS = tl.constexpr(2)


@triton.jit
def _gelu(x):
    """Multiply x by the normal distribution function: a polynomial, with an error of the product of at most 5e-4."""
    near = tl.minimum(tl.maximum(x, -3.65), 3.65)
    square = near * near
    slope = square * -4.9999075e-07 + 2.7264738e-05
    slope = slope * square - 0.00062268594
    slope = slope * square + 0.0078806344
    slope = slope * square - 0.06267182
    slope = slope * square + 0.39654501
    return x * (near * slope + 0.5)


@triton.jit
def _normed(x, epsilon):
    """Scale rows, whose mean is zero, to a variance of one."""
    return (x * tl.rsqrt(tl.sum(x * x, 1) / WIDTH + epsilon)[:, None]).to(tl.float16)


@triton.jit
def _matrix(start, rows: tl.constexpr, columns: tl.constexpr):
    """Load a matrix that lies row by row."""
    return tl.load(start + tl.arange(0, rows)[:, None] * columns + tl.arange(0, columns)[None, :])


@triton.jit
def _vector(start, count: tl.constexpr):
    return tl.load(start + tl.arange(0, count))[None, :]


@triton.jit
def _feedforward(x, weights, biases, epsilon, INNER: tl.constexpr, STAGES: tl.constexpr):
    """Add the feed-forward block.

    `weights`: inner / step matrices (width, step), then one (inner, width); `biases`: inner, then width.
    """
    normed = _normed(x, epsilon)
    x += _vector(biases + INNER, WIDTH)
    for start in tl.range(0, INNER, INNER_STEP, num_stages=STAGES):
        into = _matrix(weights + start * WIDTH, WIDTH, INNER_STEP)
        out = _matrix(weights + (INNER + start) * WIDTH, INNER_STEP, WIDTH)
        hidden = _gelu(tl.dot(normed, into) + _vector(biases + start, INNER_STEP))
        x = tl.dot(hidden.to(tl.float16), out, x)
    return x


@triton.jit
def _key_value(normed, weights):
    """Give keys and values (tokens, head width), whose columns take turns in the weights."""
    both = tl.dot(normed, _matrix(weights, WIDTH, 2 * HEAD_WIDTH))
    key, value = tl.split(both.reshape(both.shape[0], HEAD_WIDTH, 2))
    return key.to(tl.float16), value.to(tl.bfloat16)


@triton.jit
def _attend(query, key, value, apart, groove_keys, groove_values):
    """Mix the values of a peptide and of the groove; `apart` is zero or far below, by query and token."""
    own = tl.exp2(tl.dot(query, key.T, apart))
    to_groove = tl.dot(query, _matrix(groove_keys, HEAD_WIDTH, GROOVE_ROOM))
    inside = tl.arange(0, GROOVE_ROOM)[None, :] < GROOVE
    of_groove = tl.where(inside, tl.exp2(to_groove), 0.0)
    total = tl.sum(own, 1) + tl.sum(of_groove, 1)
    mixed = tl.dot(own.to(tl.bfloat16), value)
    mixed = tl.dot(of_groove.to(tl.bfloat16), _matrix(groove_values, GROOVE_ROOM, HEAD_WIDTH), mixed)
    return (mixed * (1.0 / total)[:, None]).to(tl.float16)


@triton.jit(do_not_specialize=["length"])
def encode_tiles(
    tokens,
    numbers,
    tiles,
    embeddings,
    weights,
    biases,
    groove_keys,
    groove_values,
    states,
    attended,
    length,
    epsilon,
    LAYERS: tl.constexpr,
    INNER: tl.constexpr,
    ROWS: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Encode the peptides of a tile up to the last attention.

    Parameters
    ----------
    tokens : uint8 (peptides, length)
    numbers : int32 (pairs)
        The peptide of each pair.
    tiles : int32 (tiles, 3)
        Of each tile the groove, and its first pair and the one behind its last.
    embeddings : float16 (64, 128)
        Tokens, then positions.
    weights, biases : float16, float32
        Layer by layer.
    groove_keys : float16 (grooves, layers, heads, 32, 64)
    groove_values : bfloat16 (grooves, layers, heads, 64, 32)
    states : float32 (pairs, 128)
        Gets the CLS state before the last attention.
    attended : float16 (pairs, 128)
        Gets what it takes in there.
    """
    tile = tiles + 3 * tl.program_id(0)
    groove = tl.load(tile).to(tl.int64) * (LAYERS * HEADS * HEAD_WIDTH * GROOVE_ROOM)
    first, stop = tl.load(tile + 1), tl.load(tile + 2)

    row = tl.arange(0, ROWS)
    peptide = row // (length + 1)
    place = row % (length + 1)
    real = first + peptide < stop
    number = tl.load(numbers + first + peptide, real, 0).to(tl.int64)
    token = tl.load(tokens + number * length + place - 1, real & (place > 0), CLS).to(tl.int32)
    entry = tl.arange(0, TABLE)[None, :]
    chosen = ((entry == token[:, None]) | (entry == place[:, None] + TABLE // 2)).to(tl.float16)
    x = tl.dot(chosen, _matrix(embeddings, TABLE, WIDTH))

    # Products of these are zero for tokens of one peptide, and far below for others.
    few = tl.arange(0, FEW)
    of_peptide = (few[None, :] == peptide[:, None]) | (few[None, :] == FEW - 1)
    same = tl.where(few[:, None] == peptide[None, :], FAR, 0.0)
    left = of_peptide.to(tl.float16)
    right = tl.where(few[:, None] == FEW - 1, -FAR, same).to(tl.float16)

    for _ in range(LAYERS - 1):
        normed = _normed(x, epsilon)
        x += _vector(biases + WIDTH, WIDTH)
        for head in tl.range(0, HEADS, num_stages=STAGES):
            own = weights + head * (4 * HEAD_WIDTH * WIDTH)
            query = tl.dot(normed, _matrix(own, WIDTH, HEAD_WIDTH)) + _vector(biases + head * HEAD_WIDTH, HEAD_WIDTH)
            key, value = _key_value(normed, own + WIDTH * HEAD_WIDTH)
            of_head = groove + head * (HEAD_WIDTH * GROOVE_ROOM)
            mixed = _attend(
                query.to(tl.float16), key, value, tl.dot(left, right), groove_keys + of_head, groove_values + of_head
            )
            x = tl.dot(mixed, _matrix(own + 3 * WIDTH * HEAD_WIDTH, HEAD_WIDTH, WIDTH), x)
        x = _feedforward(x, weights + 4 * WIDTH * WIDTH, biases + 2 * WIDTH, epsilon, INNER, STAGES)
        weights += 4 * WIDTH * WIDTH + 2 * WIDTH * INNER
        biases += 3 * WIDTH + INNER
        groove += HEADS * HEAD_WIDTH * GROOVE_ROOM

    # The rest needs the CLS states alone.
    wide = tl.arange(0, WIDTH)
    at = (first + peptide).to(tl.int64)[:, None] * WIDTH + wide[None, :]
    tl.store(states + at, x, mask=(real & (place == 0))[:, None])
    normed = _normed(x, epsilon)
    begins = (few[:, None] * (length + 1) == row[None, :]).to(tl.float16)
    of_cls = tl.dot(begins, normed).to(tl.float16)
    apart = tl.where(few[:, None] == peptide[None, :], 0.0, -FAR)
    at = (first + few).to(tl.int64)[:, None] * WIDTH + tl.arange(0, HEAD_WIDTH)[None, :]
    inside = ((first + few < stop) & ((few + 1) * (length + 1) <= ROWS))[:, None]
    for head in tl.range(0, HEADS, num_stages=STAGES):
        own = weights + head * (4 * HEAD_WIDTH * WIDTH)
        query = tl.dot(of_cls, _matrix(own, WIDTH, HEAD_WIDTH)) + _vector(biases + head * HEAD_WIDTH, HEAD_WIDTH)
        key, value = _key_value(normed, own + WIDTH * HEAD_WIDTH)
        of_head = groove + head * (HEAD_WIDTH * GROOVE_ROOM)
        mixed = _attend(query.to(tl.float16), key, value, apart, groove_keys + of_head, groove_values + of_head)
        tl.store(attended + at + head * HEAD_WIDTH, mixed, mask=inside)


@triton.jit(do_not_specialize=["count"])
def finish_peptides(
    states,
    attended,
    weights,
    biases,
    logits,
    count,
    epsilon,
    INNER: tl.constexpr,
    ROWS: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Take CLS states through what follows the last attention, and give logits.

    Parameters
    ----------
    states, attended : float32, float16 (pairs, 128)
    weights, biases : float16, float32
        From the last layer's attention output on, then the head's: a matrix (128, 128) and, in float32 behind its bias,
        the weights and the bias of two outputs.
    logits : float32 (pairs, 2)
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    real = row < count
    at = row.to(tl.int64)[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
    x = tl.load(states + at, real[:, None], 0.0) + _vector(biases, WIDTH)
    x = tl.dot(tl.load(attended + at, real[:, None], 0.0), _matrix(weights, WIDTH, WIDTH), x)
    x = _feedforward(x, weights + WIDTH * WIDTH, biases + WIDTH, epsilon, INNER, STAGES)
    weights += WIDTH * WIDTH + 2 * WIDTH * INNER
    biases += 2 * WIDTH + INNER
    hidden = _gelu(tl.dot(_normed(x, epsilon), _matrix(weights, WIDTH, WIDTH)) + _vector(biases, WIDTH))
    for output in tl.static_range(2):
        bias = tl.load(biases + 3 * WIDTH + output)
        found = tl.sum(hidden * _vector(biases + (1 + output) * WIDTH, WIDTH), 1) + bias
        tl.store(logits + row.to(tl.int64) * 2 + output, found, mask=real)
