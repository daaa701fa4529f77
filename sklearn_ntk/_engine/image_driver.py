"""What runs compiled segments on images; it is the same for all programs.

Values lie in one array of cells, a cell for each pair of pixels: the numbers of one
row of X with as many rows of Y as a cell is wide, in whole vectors.
"""

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from sklearn_ntk._engine.image_plan import TAPS
from sklearn_ntk._engine.numba_driver import call
from sklearn_ntk._engine.vector_width import wide_vectors

__all__ = ["INPUT", "JOIN", "SEGMENT", "SPREAD", "VECTOR", "run"]

INPUT, SEGMENT, JOIN, SPREAD = range(4)  # kinds of steps
VECTOR = 64  # bytes
MOST = 2**10  # arrays of a segment

wide = wide_vectors()


@intrinsic
def weighted(typing_context, to, a, b, c, u, v, w, size):
    """``to = u * a + v * b + w * c``, of cells at addresses and of `size` bytes.

    Loops that numba makes of this spend more on the question whether cells overlap.
    """

    def generate(context, builder, signature, values):
        to, *cells = values[:4]
        real, word = values[4].type, ir.IntType(64)
        lanes = VECTOR // (8 if isinstance(real, ir.DoubleType) else 4)
        vector = ir.VectorType(real, lanes)
        splat = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        undefined = ir.Constant(vector, ir.Undefined)
        weights = []
        for value in values[4:7]:
            first = builder.insert_element(undefined, value, ir.IntType(32)(0))
            weights.append(builder.shuffle_vector(first, undefined, splat))
        before = builder.block
        loop = builder.append_basic_block("cells")
        after = builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(word)
        total, fused = None, ["contract"]
        for cell, weight in zip(cells, weights, strict=True):
            place = builder.inttoptr(builder.add(cell, at), vector.as_pointer())
            term = builder.fmul(builder.load(place, align=VECTOR), weight, flags=fused)
            total = term if total is None else builder.fadd(total, term, flags=fused)
        place = builder.inttoptr(builder.add(to, at), vector.as_pointer())
        builder.store(total, place, align=VECTOR)
        following = builder.add(at, word(VECTOR))
        at.add_incoming(word(0), before)
        at.add_incoming(following, loop)
        more = builder.icmp_signed("<", following, values[7])
        builder.cbranch(more, loop, after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    address = numba.types.intp
    return numba.types.none(*[address] * 4, u, u, u, address), generate


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
        weighted(at, y, y + size, y + 2 * size, u[0], u[1], u[2], size)
        for k in range(3, len(u), 2):
            a, b = y + k * size, y + (k + 1) * size
            weighted(at, at, a, b, one, u[k], u[k + 1], size)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _segment(low, high, first, pixels, step, of_x, y, tables, start, guard, arrays):
    """A segment, on each pair of pixels of a component."""
    function, aside, numbers, n_y, at_y, n_cells, at, width, size = step
    of_y, places, sums = tables
    address = arrays.ctypes.data
    for e in range(low, high):
        pair, p, q = pixels[e, 0], pixels[e, 1], pixels[e, 2]
        for k in range(n_y):
            arrays[k] = y + (of_y[at_y + k] + q) * size
        m = n_y
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
        call(function, of_x + p * aside, numbers, width, address, guard)


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
        )
        for m in range(k + 3, k + taps, 2):
            a, b = source + links[m] * size, source + links[m + 1] * size
            weighted(at, at, a, b, one, weights[m], weights[m + 1], size)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def _spread(low, high, pixels, heads, ends, weights, source, stored, to, size):
    """What a component adds to sums over the whole stage."""
    wide()
    one, zero = weights.dtype.type(1), weights.dtype.type(0)
    for e in range(low, high):
        a = source + (pixels[e, 0] if stored else e - low) * size
        for k in range(heads[e - low], heads[e - low + 1]):
            at = to + ends[k] * size
            weighted(at, at, a, a, one, weights[k], zero, size)


@numba.njit(nogil=True, error_model="numpy", cache=True)
def run(plan, segments, x, y, cells, row, outputs, guarded):
    """Run a program on some rows of X and as many rows of Y as cells are wide.

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
        table : array of shape (n_segments, 9)
            Addresses of the function, of the numbers of pixels of X with the steps
            between rows and pixels, of its other numbers; how many arrays there are of
            pixels of Y and of cells, and where those begin in the next.
        of_y : array
            Where numbers of the pixels of Y begin.
        places : array of shape (n, 3)
            The first cell of values, and whether all pairs have one; or where links
            begin of sums that are made on reading, else -1.
        sums : array
            Cells that these add up, three for each pair.
    x : array of shape (n, P, C)
        Features of the pixels of X.
    y : array of shape (n_numbers, width)
        Numbers for the rows of Y in the block: the features of their pixels, (P', C),
        and then those that segments take.
    cells : array
    row : int
        The first row.
    outputs : array of shape (n_outputs, n_rows, width)
    guarded : array of uint8, shape (n_rows, width)
    """
    stages, steps, pixels, bounds, links, link_weights = plan[:6]
    heads, ends, end_weights, cleared, results = plan[6:]
    table, of_y, places, sums = segments
    width, start, of_columns = y.shape[1], cells.ctypes.data, y.ctypes.data
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
                            (
                                table[a, 0],
                                table[a, 3],
                                table[a, 4],
                                table[a, 5],
                                table[a, 6],
                                table[a, 7],
                                table[a, 8],
                                width,
                                size,
                            ),
                            table[a, 1] + (row + r) * table[a, 2],
                            of_columns,
                            (of_y, places, sums),
                            start,
                            guard,
                            arrays,
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
                    else:
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
        for k in range(len(results)):
            begin = results[k] * width
            outputs[k, r] = cells[begin : begin + width]
    return 0
