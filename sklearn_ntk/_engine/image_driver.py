"""What runs compiled segments on images; it is the same for all programs.

Values lie in one array of cells, a cell for each pair of pixels: the numbers of one
row of X with as many rows of Y as a cell is wide, or of as many pairs of rows, in whole
vectors.
"""

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from sklearn_ntk._engine.image_plan import TAPS
from sklearn_ntk._engine.numba_driver import call
from sklearn_ntk._engine.vector_width import wide_vectors

__all__ = ["INPUT", "JOIN", "PAIRED_INPUT", "SEGMENT", "SPREAD", "VECTOR", "run"]

INPUT, PAIRED_INPUT, SEGMENT, JOIN, SPREAD = range(5)  # kinds of steps
VECTOR = 64  # bytes
MOST = 2**10  # arrays of a segment

wide = wide_vectors()


@intrinsic
def weighted(typing_context, to, a, b, c, u, v, w, size, one):
    """``to = u * a + v * b + w * c``, of cells at addresses and of `size` bytes.

    Weights are numbers of the type of `one`, or cells where they are integers. Loops
    that numba makes of this spend more on the question whether cells overlap.
    """

    def generate(context, builder, signature, values):
        to, *cells = values[:4]
        real, word = values[8].type, ir.IntType(64)
        lanes = VECTOR // (8 if isinstance(real, ir.DoubleType) else 4)
        vector = ir.VectorType(real, lanes)

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


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _input(low, high, pixels, x, of_y, to, stored, size):
    """Inner products of pixels: `x` has those of a row, (P, C), C = 3, 5, 7, ..."""
    wide()
    one = x.dtype.type(1)
    for e in range(low, high):
        pair, p, q = pixels[e, 0], pixels[e, 1], pixels[e, 2]
        at = to + (pair if stored else e - low) * size
        u = x[p]
        y = of_y + q * len(u) * size
        weighted(at, y, y + size, y + 2 * size, u[0], u[1], u[2], size, one)
        for k in range(3, len(u), 2):
            a, b = y + k * size, y + (k + 1) * size
            weighted(at, at, a, b, one, u[k], u[k + 1], size, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _paired_input(low, high, pixels, one, n_channels, of_x, of_y, to, stored, size):
    """The same where the features of both rows of each pair are there, as cells."""
    wide()
    for e in range(low, high):
        pair, p, q = pixels[e, 0], pixels[e, 1], pixels[e, 2]
        at = to + (pair if stored else e - low) * size
        x, y = of_x + p * n_channels * size, of_y + q * n_channels * size
        a, b = size, 2 * size
        weighted(at, y, y + a, y + b, x, x + a, x + b, size, one)
        for k in range(3, n_channels, 2):
            a, b = k * size, (k + 1) * size
            weighted(at, at, y + a, y + b, one, x + a, x + b, size, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _segment(low, high, first, pixels, row, x, numbers, tables, start, size, ends):
    """A segment, on each pair of pixels of a component."""
    function, _, _, aside, constants, n_x, at_x, n_y, at_y, n_cells, at = row
    of_x, of_y, places, sums = tables
    width, guard, arrays = ends
    address = arrays.ctypes.data
    for e in range(low, high):
        pair, p, q = pixels[e, 0], pixels[e, 1], pixels[e, 2]
        for k in range(n_x):
            arrays[k] = numbers + (of_x[at_x + k] + p) * size
        m = n_x
        for k in range(n_y):
            arrays[m + k] = numbers + (of_y[at_y + k] + q) * size
        m += n_y
        for k in range(at, at + n_cells):
            if places[k, 2] < 0:
                place = pair if places[k, 1] else e - low
                arrays[m] = start + (places[k, 0] + place) * size
                m += 1
            else:
                link = places[k, 2] + (e - first) * TAPS
                for t in range(TAPS):
                    arrays[m + t] = start + sums[link + t] * size
                m += TAPS
        call(function, x + p * aside, constants, width, address, guard)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _join(low, high, pixels, links, weights, taps, source, to, stored, size):
    """Weighted sums within a component, of 3, 5, 7, ... cells each."""
    wide()
    one = weights.dtype.type(1)
    for e in range(low, high):
        at = to + (pixels[e, 0] if stored else e - low) * size
        k = (e - low) * taps
        a, b, c = links[k], links[k + 1], links[k + 2]
        weighted(
            at,
            source + a * size,
            source + b * size,
            source + c * size,
            weights[k],
            weights[k + 1],
            weights[k + 2],
            size,
            one,
        )
        for m in range(k + 3, k + taps, 2):
            a, b = source + links[m] * size, source + links[m + 1] * size
            weighted(at, at, a, b, one, weights[m], weights[m + 1], size, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _spread(low, high, pixels, heads, ends, weights, source, stored, to, size):
    """What a component adds to sums over the whole stage."""
    wide()
    one, zero = weights.dtype.type(1), weights.dtype.type(0)
    for e in range(low, high):
        a = source + (pixels[e, 0] if stored else e - low) * size
        for k in range(heads[e - low], heads[e - low + 1]):
            at = to + ends[k] * size
            weighted(at, at, a, a, one, weights[k], zero, size, one)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def run(plan, segments, x, numbers, features, cells, row, outputs, guarded):
    """Run a program on rows of X and as many rows of Y, or pairs, as cells are wide.

    Parameters
    ----------
    plan : tuple
        stages : array of shape (n_stages, 3)
            The first step, the one after the last, and the number of components.
        steps : array of shape (n_steps, 7)
            Kind and space; where a segment is in its table, or where links begin and
            how many each sum has; the first cell of what comes out (of what goes in,
            of sums that end a stage) and whether all pairs have one; the first cell of
            the other end.
        pixels : array of shape (n, 3)
            Pairs of pixels of all spaces, component by component: their number, the
            pixel of x and that of x'.
        bounds : array of shape (n_spaces, n_components + 1)
            Where components begin in it.
        links, link_weights : array
            What sums within a component are made of.
        heads, ends, end_weights : array
            Of sums that end a stage: where those that a pair counts in begin, their
            pairs and weights.
        cleared, results : array
            Cells that start at 0, as pairs (first, number), and cells of outputs.
    segments : tuple
        table : array of shape (n_segments, 11)
            Addresses of the function, of the numbers of pixels of X with the steps
            between rows and pixels, of its other numbers; how many arrays there are of
            pixels of X, of those of Y and of cells, each with where those begin in the
            next.
        of_x, of_y : array
            Where numbers of the pixels of X and Y begin, of pairs of rows.
        places : array of shape (n, 3)
            The first cell of values, and whether all pairs have one; or where links
            begin of sums that are made on reading, else -1.
        sums : array
            Cells that these add up, three for each pair.
    x : array of shape (n, P, C)
        Features of the pixels of X.
    numbers : array of shape (n_numbers, width)
        Numbers for the rows of Y: the features of their pixels, (P', C), and then those
        that segments take. For pairs of rows, those of X after them.
    features : int
        Where the latter begin.
    cells : array
    row : int
        The first row; 0 for pairs.
    outputs : array of shape (n_outputs, n_rows, width)
    guarded : array of uint8, shape (n_rows, width)
    """
    stages, steps, pixels, bounds, links, link_weights = plan[:6]
    heads, ends, end_weights, cleared, results = plan[6:]
    table, of_x, of_y, places, sums = segments
    width, start, of_columns = numbers.shape[1], cells.ctypes.data, numbers.ctypes.data
    size = width * cells.itemsize
    arrays = np.empty(MOST, np.intp)
    guarded[:] = 0
    for r in range(guarded.shape[0]):
        guard = guarded[r:].ctypes.data
        for i in range(len(cleared)):
            begin = cleared[i, 0] * width
            cells[begin : begin + cleared[i, 1] * width] = 0.0
        for s in range(len(stages)):
            for component in range(stages[s, 2]):
                for i in range(stages[s, 0], stages[s, 1]):
                    kind, space, a, b, base, stored, other = steps[i]
                    low, high = bounds[space, component], bounds[space, component + 1]
                    done = low - bounds[space, 0]
                    cell = start + base * size
                    if kind == SEGMENT:
                        _segment(
                            low,
                            high,
                            bounds[space, 0],
                            pixels,
                            table[a],
                            table[a, 1] + (row + r) * table[a, 2],
                            of_columns,
                            (of_x, of_y, places, sums),
                            start,
                            size,
                            (width, guard, arrays),
                        )
                    elif kind == JOIN:
                        k = a + done * b
                        _join(
                            low,
                            high,
                            pixels,
                            links[k:],
                            link_weights[k:],
                            b,
                            start + other * size,
                            cell,
                            stored,
                            size,
                        )
                    elif kind == SPREAD:
                        _spread(
                            low,
                            high,
                            pixels,
                            heads[a + done :],
                            ends,
                            end_weights,
                            cell,
                            stored,
                            start + other * size,
                            size,
                        )
                    elif kind == INPUT:
                        _input(
                            low,
                            high,
                            pixels,
                            x[row + r],
                            of_columns,
                            cell,
                            stored,
                            size,
                        )
                    else:
                        _paired_input(
                            low,
                            high,
                            pixels,
                            cells.dtype.type(1),
                            x.shape[2],
                            of_columns + features * size,
                            of_columns,
                            cell,
                            stored,
                            size,
                        )
        for k in range(len(results)):
            begin = results[k] * width
            outputs[k, r] = cells[begin : begin + width]
    return 0
