"""What runs compiled segments on images; it is the same for all programs.

Values lie in one array of cells, a cell for each pair of pixels: the numbers of one
row of X with as many rows of Y as a cell is wide, or of as many pairs of rows, in whole
vectors. What is done with cells that lie one after the other is done with all of them
at once, as a *run*.
"""

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from sklearn_ntk._engine.numba_driver import call
from sklearn_ntk._engine.vector_width import wide_vectors

__all__ = ["INPUT", "MIX", "SEGMENT", "SPREAD", "SUM", "VECTOR", "run"]

INPUT, SEGMENT, SUM, SPREAD, MIX = range(5)  # kinds of steps
VECTOR = 64  # bytes
MOST = 2**10  # arrays of a segment
CELL = np.int32(0)  # what numbers of runs are like

wide = wide_vectors()


def _vector_of(real):
    """The type of a vector of numbers."""
    return ir.VectorType(real, VECTOR // (8 if isinstance(real, ir.DoubleType) else 4))


@intrinsic
def weighted(typing_context, to, a, b, c, u, v, w, size, one):
    """``to = u * a + v * b + w * c``, of cells at addresses and of `size` bytes.

    Weights are numbers of the type of `one`, or cells where they are integers. Loops
    that numba makes of this spend more on the question whether cells overlap.
    """

    def generate(context, builder, signature, values):
        to, *cells = values[:4]
        word, vector = ir.IntType(64), _vector_of(values[8].type)
        lanes = vector.count

        def splat(value):
            every = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            undefined = ir.Constant(vector, ir.Undefined)
            first = builder.insert_element(undefined, value, ir.IntType(32)(0))
            return builder.shuffle_vector(first, undefined, every)

        def place(address):
            return builder.inttoptr(builder.add(address, at), vector.as_pointer())

        def load(address):
            return builder.load(place(address), align=VECTOR)

        weights = [v if v.type == word else splat(v) for v in values[4:7]]
        before = builder.block
        loop = builder.append_basic_block("cells")
        after = builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(word)
        total, fused = None, ["contract"]
        for cell, weight in zip(cells, weights, strict=True):
            weight = load(weight) if weight.type == word else weight
            term = builder.fmul(load(cell), weight, flags=fused)
            total = term if total is None else builder.fadd(total, term, flags=fused)
        builder.store(total, place(to), align=VECTOR)
        following = builder.add(at, word(VECTOR))
        at.add_incoming(word(0), before)
        at.add_incoming(following, loop)
        more = builder.icmp_signed("<", following, values[7])
        builder.cbranch(more, loop, after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    address = numba.types.intp
    return numba.types.none(*[address] * 4, u, v, w, address, one), generate


@intrinsic
def item(typing_context, address, index, like):
    """The number at a place of an array of such numbers as `like`.

    Where arrays are passed on, their references are counted, which threads wait for.
    """

    def generate(context, builder, signature, values):
        pointer = builder.inttoptr(values[0], values[2].type.as_pointer())
        return builder.load(builder.gep(pointer, [values[1]]))

    return like(numba.types.intp, numba.types.intp, like), generate


@intrinsic
def put(typing_context, address, index, value):
    """Set a number of an array of integers."""

    def generate(context, builder, signature, values):
        pointer = builder.inttoptr(values[0], values[2].type.as_pointer())
        builder.store(values[2], builder.gep(pointer, [values[1]]))
        return context.get_dummy_value()

    return numba.types.none(*[numba.types.intp] * 3), generate


def _products(n_rows, n_columns):
    """Products of some rows and columns of matrices whose elements are vectors.

    Sums stay in registers, each taken of as many products as there are `terms`.
    """

    @intrinsic
    def products(typing_context, to, a, b, down, along, terms, step, aside, one):
        """``to[i, j] = sum(a[i, k] * b[k, j])``, of vectors at addresses.

        From one i to the next it is `down` bytes in `a` and `step` in `to`, from one j
        `aside` in `to`, from one k `along` in `a`. In `b` each k is followed by the
        next.
        """

        def generate(context, builder, signature, values):
            to, a, b, down, along, terms, step, aside, one = values
            word, vector = ir.IntType(64), _vector_of(one.type)
            zero = ir.Constant(vector, [ir.Constant(one.type, 0.0)] * vector.count)

            def at(address, by, times):
                address = builder.add(address, builder.mul(by, word(times)))
                return builder.inttoptr(address, vector.as_pointer())

            rows, columns, before = range(n_rows), range(n_columns), builder.block
            loop = builder.append_basic_block("terms")
            done = builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k, from_a, from_b = (builder.phi(word) for _ in range(3))
            sums = [[builder.phi(vector) for _ in columns] for _ in rows]
            left = [builder.load(at(from_a, down, i), align=VECTOR) for i in rows]
            right = [
                builder.load(at(from_b, word(VECTOR), j), align=VECTOR) for j in columns
            ]
            following = builder.add(k, word(1))
            for phi, start, new in (
                (k, word(0), following),
                (from_a, a, builder.add(from_a, along)),
                (from_b, b, builder.add(from_b, word(VECTOR * n_columns))),
            ):
                phi.add_incoming(start, before)
                phi.add_incoming(new, loop)
            totals, fused = {}, ["contract"]
            for i, j in np.ndindex(n_rows, n_columns):
                term = builder.fmul(left[i], right[j], flags=fused)
                totals[i, j] = builder.fadd(sums[i][j], term, flags=fused)
                sums[i][j].add_incoming(zero, before)
                sums[i][j].add_incoming(totals[i, j], loop)
            more = builder.icmp_signed("<", following, terms)
            builder.cbranch(more, loop, done)
            builder.position_at_end(done)
            for (i, j), total in totals.items():
                row = builder.add(to, builder.mul(step, word(i)))
                builder.store(total, at(row, aside, j), align=VECTOR)
            return context.get_dummy_value()

        return numba.types.none(*[numba.types.intp] * 8, one), generate

    return products


TALL, BROAD = 2, 4  # of a block of products, whose sums and operands fit in registers
_block, _single = _products(TALL, BROAD), _products(1, 1)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _product(to, a, b, n, down, along, across, up, size, packed, one):
    """The product of two matrices of `n` rows and columns, whose elements are cells.

    From one row of `a` to the next it is `down` bytes, from a column `along`; in `b`
    from a row `up`, from a column `across`. A few columns of it are `packed`, for
    cells that are far apart would push each other out of the cache. The last block
    overlaps the one before where n is no multiple.
    """
    wide()
    step, zero = n * size, one - one
    tall, broad = (TALL, BROAD) if n >= BROAD else (1, 1)
    for lanes in range(0, size, VECTOR):
        for j in range(0, n, broad):
            first = min(j, n - broad)
            for k in range(n):
                at = b + lanes + k * up + first * across
                for m in range(broad):
                    place = packed + VECTOR * (k * broad + m)
                    weighted(place, at, at, at, one, zero, zero, VECTOR, one)
                    at += across
            for i in range(0, n, tall):
                row = min(i, n - tall)
                x, y = a + lanes + row * down, to + lanes + row * step + first * size
                if tall == 1:
                    _single(y, x, packed, down, along, n, step, size, one)
                else:
                    _block(y, x, packed, down, along, n, step, size, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _mix(run, mixtures, packed, one, start, size):
    """Sums over the pixels of one side, with weights that are cells."""
    n, source = item(run, 1, CELL), start + size * item(run, 2, CELL)
    to, side = start + size * item(run, 3, CELL), item(run, 4, CELL)
    weights, row = start + size * item(mixtures, item(run, 5, CELL), 0), n * size
    if side == 0:
        _product(to, weights, source, n, row, size, size, row, size, packed, one)
    else:
        _product(to, source, weights, n, row, size, row, size, size, packed, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _inputs(runs, count, x, n_features, n_pixels, y, z, one, start, size):
    """Inner products of pixels, of 3, 5, 7, ... features.

    Those of a row of X are at `x`, (P, C), unless there is a row for each of Y. In
    cells, for each feature one pixel after the other, are those of Y at `y`, and of X
    at `z`.
    """
    wide()
    aside = n_pixels * size
    for k in range(0, 4 * count, 4):
        full = size * item(runs, k, CELL)
        to = start + size * item(runs, k + 1, CELL)
        u, v = n_features * item(runs, k + 2, CELL), z + size * item(runs, k + 2, CELL)
        w = y + size * item(runs, k + 3, CELL)
        if x == 0:
            a, b = aside, 2 * aside
            weighted(to, w, w + a, w + b, v, v + a, v + b, full, one)
            for m in range(3, n_features, 2):
                a, b = m * aside, (m + 1) * aside
                weighted(to, to, w + a, w + b, one, v + a, v + b, full, one)
            continue
        for _ in range(0, full, size):
            f, g, h = item(x, u, one), item(x, u + 1, one), item(x, u + 2, one)
            weighted(to, w, w + aside, w + 2 * aside, f, g, h, size, one)
            for m in range(3, n_features, 2):
                a, b = m * aside, (m + 1) * aside
                g, h = item(x, u + m, one), item(x, u + m + 1, one)
                weighted(to, to, w + a, w + b, one, g, h, size, one)
            to, w, u = to + size, w + size, u + n_features


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _segments(runs, n, count, segment, row, of_x, of_y, start, width, size, ends):
    """A segment on some cells; those with numbers of a row of X one after the other."""
    paired, guard, arrays = ends
    function, x, down = item(segment, 0, 0), item(segment, 1, 0), item(segment, 2, 0)
    aside, numbers = item(segment, 3, 0), item(segment, 4, 0)
    n_x, at_x = item(segment, 5, 0), item(segment, 6, 0)
    n_y, at_y = item(segment, 7, 0), item(segment, 8, 0)
    x += row * down
    for k in range(0, n * count, n):
        p, q = item(runs, k + 1, CELL), item(runs, k + 2, CELL)
        for m in range(n_x):
            put(arrays, m, start + (item(of_x, at_x + m, 0) + p) * size)
        for m in range(n_y):
            put(arrays, n_x + m, start + (item(of_y, at_y + m, 0) + q) * size)
        for m in range(3, n):
            put(arrays, n_x + n_y + m - 3, start + item(runs, k + m, CELL) * size)
        full, lanes = item(runs, k, CELL), width
        if paired:
            full, lanes = 1, full * width
        of_row, step = x + p * aside, aside * width // size
        call(function, of_row, step, numbers, full, lanes, arrays, guard)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _sums(runs, count, weights, one, start, size):
    """Weighted sums of three cells each."""
    wide()
    for k in range(count):
        m = 5 * k
        full, to = item(runs, m, CELL) * size, start + item(runs, m + 1, CELL) * size
        a = start + item(runs, m + 2, CELL) * size
        b = start + item(runs, m + 3, CELL) * size
        c, m = start + item(runs, m + 4, CELL) * size, 3 * k
        u, v, w = (
            item(weights, m, one),
            item(weights, m + 1, one),
            item(weights, m + 2, one),
        )
        weighted(to, a, b, c, u, v, w, full, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _spreads(runs, count, weights, one, start, size):
    """Runs that are added to a cell each, with a weight."""
    wide()
    for k in range(count):
        length, to = item(runs, 3 * k, CELL), start + item(runs, 3 * k + 1, CELL) * size
        a, w = start + item(runs, 3 * k + 2, CELL) * size, item(weights, k, one)
        for _ in range(length // 2):
            weighted(to, to, a, a + size, one, w, w, size, one)
            a += 2 * size
        if length % 2:
            weighted(to, to, a, a, one, w, one - one, size, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def run(tables, segments, x, paired, cells, nothing, row, outputs, guarded):
    """Run a program on rows of X and as many rows of Y, or pairs, as cells are wide.

    Parameters
    ----------
    tables : tuple
        stages : array of shape (n_stages, 3)
            The first step, the one after the last, and the number of components.
        steps : array of shape (n_steps, 6)
            Kind, numbers of a run, where its runs, their weights and its bounds begin
            in the next, and the segment.
        runs : array of int32
            How many cells a run has, and the first of each array; of inputs and
            segments, first the pixel of x and that of x'. Of a mix, after 1: pixels,
            the first cell that it reads and that it writes, whose weights, and which.
        weights : array
            Three of a sum, one of what is added to sums that end a stage.
        bounds : array
            Where the runs of components begin.
        cleared : array of shape (n, 2)
            Cells that start at 0, as pairs (first, number).
        results : array
            Cells of outputs, one for each pair of pixels of theirs.
    segments : tuple
        table : array of shape (n_segments, 9)
            Addresses of the function, of the numbers of pixels of X with the steps
            between rows and pixels, of its other numbers; how many arrays there are of
            pixels of X, and of those of Y, each with where those begin in the next.
        of_x, of_y : array
            Cells where numbers of the pixels of X and Y begin.
        features : array of shape (2,)
            Cells where the features of pixels begin, of Y and of X.
        mixtures : array
            Cells where the weights of each mix begin.
    x : array of shape (n, P, C)
        Features of the pixels of X.
    paired : bool
        Whether there is a row of X for each of Y, in cells.
    cells : array of shape (n_cells, width)
    nothing : int
        The first of cells of zeros, which numbers of pixels follow.
    row : int
        The first row; 0 for pairs.
    outputs : array of shape (n_outputs, n_rows, width)
    guarded : array of uint8, shape (n_rows, longest, width)
        For cells of runs of pairs, or one: it counts whether there is any.
    """
    stages, steps, runs, weights, bounds, cleared, results = tables
    table, of_x, of_y, features, mixtures = segments
    width, start, one = cells.shape[1], cells.ctypes.data, cells.dtype.type(1)
    item_size, n_pixels, n_features = cells.itemsize, x.shape[1], x.shape[2]
    size = width * item_size
    widest = 0
    for i in range(len(steps)):
        if steps[i, 0] == MIX:
            widest = max(widest, runs[steps[i, 2] + 1])
    arrays = np.empty(MOST + (BROAD * widest + 1) * VECTOR // 8, np.intp)
    of_runs, of_weights, of_segments = (
        runs.ctypes.data,
        weights.ctypes.data,
        table.ctypes.data,
    )
    of_x, of_y, of_arrays = of_x.ctypes.data, of_y.ctypes.data, arrays.ctypes.data
    of_mixtures = mixtures.ctypes.data
    packed = -(-(of_arrays + 8 * MOST) // VECTOR) * VECTOR
    y, z = start + features[0] * size, start + features[1] * size
    guarded[:] = 0
    cells[nothing : features[0]] = 0.0
    for r in range(guarded.shape[0]):
        guard = guarded[r:].ctypes.data
        of_row = 0 if paired else x[row + r :].ctypes.data
        for i in range(len(cleared)):
            cells[cleared[i, 0] : cleared[i, 0] + cleared[i, 1]] = 0.0
        for s in range(len(stages)):
            for component in range(stages[s, 2]):
                for i in range(stages[s, 0], stages[s, 1]):
                    n, at = steps[i, 1], steps[i, 4] + component
                    low, count = bounds[at], bounds[at + 1] - bounds[at]
                    part = of_runs + 4 * (steps[i, 2] + low * n)
                    if steps[i, 0] == SUM:
                        own = of_weights + item_size * (steps[i, 3] + 3 * low)
                        _sums(part, count, own, one, start, size)
                    elif steps[i, 0] == SPREAD:
                        own = of_weights + item_size * (steps[i, 3] + low)
                        _spreads(part, count, own, one, start, size)
                    elif steps[i, 0] == MIX:
                        _mix(part, of_mixtures, packed, one, start, size)
                    elif steps[i, 0] == SEGMENT:
                        _segments(
                            part,
                            n,
                            count,
                            of_segments + 8 * 9 * steps[i, 5],
                            row + r,
                            of_x,
                            of_y,
                            start,
                            width,
                            size,
                            (paired, guard, of_arrays),
                        )
                    else:
                        _inputs(
                            part,
                            count,
                            of_row,
                            n_features,
                            n_pixels,
                            y,
                            z,
                            one,
                            start,
                            size,
                        )
        for k in range(len(results)):
            outputs[k, r] = cells[results[k]]
    return arrays[0]
