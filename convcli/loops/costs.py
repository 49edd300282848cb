"""What computing costs, and the sizes that follow: the one place for numbers that were found by measuring.

Those that differ between processors stand in `COSTS`, a set for each width of vectors; the others are caches, which
differ less, and overheads. All are numbers of one thread unless something else is said. None of them decides what is
right: results are the same to the bit with other tiles, rings, blocks and parts. Where one decides between two *ways*
(`FOURIER_TAPS`, `PASS_TAPS` and their like) results may differ by the rounding of float32 sums.

A number of bytes is a share of a cache: of the first level (32 to 48 kB), the second (0.5 to 2 MB) or the third.
"""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Costs:
    """What depends on how wide vectors are, and on how many of them there are.

    Attributes
    ----------
    tile_vectors : int
        Of a row in the register tile of filters, four rows high: 16 sums and 4 loads of 32 registers, 12 and 3 of 16.
        AVX2, 24 MP RGB, three instead of two: 3x3 62 ms and 65, 5x5 97 and 107, 11x11 278 and 319.
    row_vectors : int
        Of a row that is filtered alone: as many sums as a processor has under way, two for each of four cycles. AVX2,
        eight instead of two: Gaussian sigma 1 75 ms and 87, sigma 5 256 and 288, sigma 10 488 and 597. With 64 bytes
        and stretches the same as with four.
    stretches : bool
        Whether a row's pass may go along four stretches of it at a time. Along a row, taps read vectors that begin
        anywhere; one of 64 bytes then always lies in two cache lines, which takes twice as long. Of 32 bytes, one
        thread: sigma 5 201 ms and 222 without, sigma 10 367 and 434.
    product_rows : int
        Of the register tile of layers, two vectors wide: 16 sums of 32 registers, 12 of 16.
    few_taps : int
        Up to so many a filter's ring holds bytes, which each tap converts anew; with more it holds floats, converted
        once. AVX-512: 3x3 30 ms with bytes, 35 with floats; 5x5 56 and 53. AVX2: five taps of sharpening 74 and 80, 3x3
        73 and 72, 7x7 185 and 150; and Gaussians, whose first pass looks at each number in one column only, sigma 1 82
        and 81, sigma 10 456 and 673.
    fourier_taps : dict of int to int
        Sizes of blocks, and what a number of a block costs in taps of a general kernel. AVX-512 on a Zen 4: 24 MP RGB,
        31x31: 404 ms with blocks of 256 x 256, of which 226 x 226 are results, and 1300 ms tap by tap; on a Sapphire
        Rapids taps are faster: 273, 320 and 860. AVX2 there: 176, 170 and 490, not used: 15x15 by
        them took 526 ms and 493 by taps, and would be rounded in another way than on wide vectors. The largest do not
        fit the second-level cache.
    """

    tile_vectors: int
    row_vectors: int
    stretches: bool
    product_rows: int
    few_taps: int
    fourier_taps: dict[int, int]


_WIDE = Costs(4, 8, True, 8, 16, {64: 200, 256: 205, 1024: 440})
_MIDDLE = Costs(3, 8, True, 6, 16, {64: 200, 256: 205, 1024: 440})
# Four numbers at a time, in 16 registers or (NEON) in 32: as the middle ones and as the wide ones, until measured; but
# there sums and what stretches read would leave no register for a product.
_NARROW = Costs(3, 8, False, 6, 16, {64: 200, 256: 205, 1024: 440})
_NARROW_MANY = Costs(4, 8, False, 8, 16, {64: 200, 256: 205, 1024: 440})
COSTS = {(64, 32): _WIDE, (32, 16): _MIDDLE, (16, 16): _NARROW, (16, 32): _NARROW_MANY}


@cache
def costs() -> Costs:
    """Those of the processor that loops are made for."""
    from convcli.loops.vectors import REGISTERS, VECTOR_BYTES

    return COSTS[VECTOR_BYTES, REGISTERS]


# --- All loops ---
PARTS = 64  # that work is cut into at least: enough for an even load on many cores
# Up to here waking a second thread takes longer than it saves. float32, medians of whole calls: 34x34, 15x15 372 us by
# two threads and 227 by one; 170x170, 3x3 206 and 213.
ALONE_TAPS = 256 * 1024  # multiply-adds of a filter
CHUNK = 16 * 1024  # numbers that a thread owns at a time where they are independent of each other
RUN = 512  # numbers of a run, or the channels of one pixel if those are more
RUNS = 32  # runs a thread owns at a time in loops over lines
KEPT_BYTES = 16 * 1024 * 1024  # of memory that is kept for the next call: beyond that the arithmetic is what takes long

# --- Filters: which way ---
# Two passes write and read one more row buffer, which costs as much as a few taps: measured on 24 MP, 3x3 is faster
# in one pass and 5x5 in two. Of three passes the first serves several planes at once: they win wherever they are fewer
# multiply-adds (256 x 256 x 256 float32: 2x2x2 22 ms and 34 in one pass, 3x3x3 22 and 46).
PASS_TAPS = 6
# A running sum costs about as much as this many taps of two passes. Means of 8-bit pixels are another matter: there it
# won from three taps on (24 MP RGB, 3x3: 20 ms against 41).
BOX_TAPS = 14
FEWEST_SUMMED = 25  # taps of a kernel that may be cheaper as a sum of separable ones

# --- Filters: programs for the register tile ---
TILE_ROWS = 4  # output rows computed together: each vector that is read serves up to four
STRETCH_VECTORS = 3
# Of the reads without stretches: 24 MP RGB, sigma 5: 160 ms, 186 without.
STRETCHES_PAY = 0.75
# A part's ring should stay in the second-level cache beside what else is there (24 MP RGB, sigma 10: 20% slower with
# rings of 4 MB where it has 1 MB; AVX2, 2 MB: rings of 128 kB 834 ms, of 256 kB 794, 512 kB 501, 1 MB 456).
RING_BYTES = 512 * 1024
# In a row of a part: 24 MP RGB, 3x3, 36 ms; 38 with 16 * 1024, 44 with 2 * 1024.
ROW_NUMBERS = 32 * 1024

# --- Filters: running sums ---
# Numbers in a row of a part: below this a row of 6000 RGB pixels is best left whole (3x3: 19.9 ms, in quarters 22.1).
BOX_ROW_NUMBERS = 32 * 1024

# --- Filters: volumes ---
# The rows that a part holds, of the source and of the sums along depth, stay in the third-level cache. High bands are
# worth more than the second level: 256 x 256 x 256 float32, 7x7x7, 16 rows: 38 ms; 64 rows 32, 128 rows 28.
VOLUME_BYTES = 3 * 1024 * 1024
# Where a row of a tile ends, memory is slow to find the next one, which takes as long as so many numbers: 32 x 1024 x
# 1024 float32, 7x7x7: whole rows 44 ms, tiles of 512 columns 68, of 256 columns 86.
VOLUME_ROW_NUMBERS = 256
VOLUME_LEAST_COLUMNS = 64  # in a tile
# Sums along depth for each one that there is. 128 x 192 x 192 float32: 5 (sigma 7): 0.12 s, and 0.24 with a volume
# between the passes; 30 (sigma 10): 0.64 and 0.41; 137 (sigma 1, dilation 30): 3.0 and 0.06.
VOLUME_MOST_REPEATED = 6

# --- Windows ---
# Of a row that a thread adds up or compares at a time: the first-level cache. AVX2, 24 MP, averages 3x3 of float32 RGB:
# 8 kB 38 ms, 16 kB 36, 32 kB 42.
POOL_TILE_BYTES = 16 * 1024
# Ahead of what means of two by two are made of: the next lines of both rows, which are asked for.
FETCHED_BYTES = 1024
# From this stride on, summing each window by itself beats summing, in vectors, at all the positions between.
POOL_FAR = 8
# Of morphology: a block's rows, and all of them together: they should stay in the second-level cache.
MORPH_ROW_BYTES = 16 * 1024
MORPH_BLOCK_BYTES = 512 * 1024

# --- Filters that put values in order, or compare them ---
# Of the rows that a network of comparisons orders at once: the first-level cache. AVX2, 24 MP RGB, medians 3x3 of 1194
# pixels of a row at a time 20.6 ms, of 3000 25.6; 5x5 of 426 and of 1700 70, of 3000 77.
NETWORK_BYTES = 32 * 1024
# Cells of windows for which a network is faster than histograms (8 bits; 1.5 MP RGB, two threads: 9x9 177 ms and 232
# with histograms, 11x11 268 and 263), and bytes of cells for which it is faster than sorting (16 bits, 0.75 MP: 15x15
# 231 ms and 685).
NETWORK_CELLS, NETWORK_CELL_BYTES = 100, 512
EXTREME_CELLS = 2048  # in a row, of which an extreme is looked for
LOOK_TILE, LOOK_BAND = 256, 32  # of a block that is looked at as it is
# Of the bilateral filter's weights that are kept for the other pixel of a pair, the least columns for which they are,
# and rows. AVX2, 1.5 MP: grey, diameter 9: 22.3 ms and 30.3 without, 15: 74.7 and 86; RGB 9: 50.9 and 63. At most so
# many columns: grey, diameter 5 and 9, AVX-512, one thread, 2 MP: 512 5.9 ms and 19.1, 1088 5.2 and 16.4.
LOOK_KEPT_BYTES, LOOK_LEAST, LOOK_PAIRS_BAND, LOOK_PAIRS_TILE = 1024 * 1024, 64, 64, 1088
SORTED_SIDE = 128  # of a block that is sorted

# --- Layers ---
# Cycles, roughly: of a tile beside its multiply-adds, of a zone of a box, and of the tables of a zone that sees fewer
# weights than others, for each pixel and each weight; and bytes that copying a box moves in one.
TILE_CYCLES, ZONE_CYCLES, PIXEL_CYCLES, WEIGHT_CYCLES, COPIED_BYTES = 40, 200, 8, 4, 16
# The same of Winograd's transforms: for a vector of a square's input or output, a vector of weights, and a tile.
SQUARE_CYCLES, SQUARE_WEIGHT_CYCLES, SQUARE_TILE_CYCLES = 250, 24, 10
# Input of a box that should stay in the second-level cache beside the weights (1 MB on the machine it was measured on).
LAYER_BOX_BYTES = 256 * 1024
# Weights of one tile's filters that should stay there while a box's pixels pass by.
LAYER_SLAB_BYTES = 256 * 1024
# Sums of one block of weight gradients, which are read and written once for every box.
LAYER_BLOCK_BYTES = 256 * 1024
# Transformed input and products of one group of Winograd's squares: what stays in the second-level cache beside the
# weights; and the fewest squares, since each group reads all weights, which may lie further away. 14x14x256, 9 MB of
# them, groups of 8, 16, 32: AVX2 25.5 ms, 22.5, 19.4; AVX-512 21.6, 16.9, 16.3. Transformed input and gradients of
# one round of squares: what stays in the third-level cache; and the fewest squares for which it pays to read and write
# all sums.
SQUARES_BYTES, FEWEST_SQUARES = 384 * 1024, 32
ROUND_BYTES, ROUND_SQUARES = 2 * 1024 * 1024, 128
# With so many squares for each filter at most, threads share the filters, whose weights they transform themselves, and
# not the squares: 64 images of 5x5x64, two threads: AVX2 192 us and 257, AVX-512 131 and 142.
FILTERS_APART = 2
# Squares of so many numbers, or a multiple, are put that much further apart in a round: a tile reads all of them, and
# of one kilobyte each no more than 48 would stay in the first-level cache. Gradient of the weights, one thread,
# 14x14x256: AVX2 27.1 ms and 22.6 so, AVX-512 17.3 and 14.6; 28x28x128: 21.0 and 19.1, 11.7 and 10.9. Of 64 numbers it
# did not help.
ROW_NEEDS_SPARE, ROW_SPARE = 128, 16
# Of depthwise layers: pixels of a strip whose sums are in registers, as many as two multiply-adds a cycle need that
# each take four; and numbers of an input row under it: three rows of them and the output's stay in the first-level
# cache, and short ones are read in the order in which they lie. 16 images of 112x112x32 and of 56x56x64: AVX2, strips
# of 512 numbers 3.3 and 1.7 ms, 1024 3.6 and 1.8, 2048 4.2 and 1.9, 4096 5.8 and 3.2; AVX-512 2.5 and 1.2, 2.9 and 1.5,
# 2.9 and 1.4, 4.1 and 2.2. Storing past the caches did not help, and halves of cache lines took 16 times as long.
STRIP_PIXELS, STRIP_NUMBERS = 8, 512
# Moving fewer numbers than this takes less time than waking a second thread.
ALONE_NUMBERS = 1 << 16
# Weights of more numbers are not kept prepared from batch to batch: they would double the memory of large networks.
KEPT_WEIGHTS = 1 << 20
# Above so many zones a box's tiles would be mostly empty, and planning slow: such boxes are copied.
MOST_ZONES = 128
# Of a batch that is predicted. 10,000 images of MNIST, largest output 87 kB, two threads: 69 at a time AVX2 560 ms and
# AVX-512 410, 139 at a time 477 and 399, 256 at a time 526 and 447.
BATCH_BYTES, FEWEST_IMAGES = 12 * 1024 * 1024, 16
