"""Power series with a coefficient for each row, as loops over terms and lanes."""

__all__ = ["source_of_series"]

AT_ONCE = 4  # terms in a pass over the lanes


def source_of_series(segment, dtype, read, ends, *, paired):
    """The source of a function that sums a series, whatever its number of terms.

    It is called as what `source_of` is of.

    Parameters
    ----------
    segment : Segment
        The operation "series", or "slope", or both, of the same series.
    dtype : str
    read : list of str
        The names of the arrays whose sum is the variable.
    ends : list of str
        What becomes of ``v1`` and, if there is one, ``v2``.
    paired : bool
    """
    first = "2 * terms" if paired else "terms"
    names = [*read, *(f"o{k}" for k in range(len(segment.outputs)))]
    found = {"series": "total[j]", "slope": "slope[j]"}
    results = [f"v{k} = {found[op]}" for k, (op, *_) in enumerate(segment.code, 1)]
    with_slope = "slope" in {op for op, *_ in segment.code}
    return "\n".join(
        [
            "import math",
            "import numba",
            "import numpy as np",
            "from numba import carray",
            "from sklearn_ntk._engine.vector_width import wide_vectors",
            "inf, wide = math.inf, wide_vectors()",
            "def body(x, step, s, count, n, arrays, guarded_):",
            "    wide()",
            f"    terms, total, slope = int(s[0]), np.empty(n, np.{dtype}), "
            f"np.empty(n, np.{dtype})",
            "    guarded, shape = carray(guarded_, n), (count, n)",
            *(
                f"    {name} = carray(arrays[{first} + {k}], shape)"
                for k, name in enumerate(names)
            ),
            f"    variable, whole = np.empty(n, np.{dtype}), terms - terms % {AT_ONCE}",
            "    for i in range(count):",
            "        for j in range(n):",
            f"            variable[j] = {' + '.join(f'{name}[i, j]' for name in read)}",
            "            total[j] = slope[j] = 0.0",
            f"        for k in range(0, whole, {AT_ONCE}):",
            *_terms(AT_ONCE, paired=paired, with_slope=with_slope),
            "        for k in range(whole, terms):",
            *_terms(1, paired=paired, with_slope=with_slope),
            "        for j in range(n):",
            *(f"            {line}" for line in (*results, *ends)),
            "body = numba.njit(error_model='numpy', fastmath={'contract'})(body)",
            "def segment(x, step, s, count, n, arrays, guarded):",
            "    body(x, step, s, count, n, arrays, guarded)",
            "",
        ]
    )


def _terms(count, *, paired, with_slope):
    """Some terms of Horner's rule for a value and a derivative."""
    lines, passes = [], []
    for m in range(count):
        lines.append(f"b{m} = carray(arrays[{'terms + ' * paired}k + {m}], shape)")
        if paired:
            lines.append(f"a{m} = carray(arrays[k + {m}], shape)")
        else:
            lines.append(f"a{m} = x[i * step + k + {m}]")
        if with_slope:
            passes.append("d = d * v + t")
        a = f"a{m}[i, j]" if paired else f"a{m}"
        passes.append(f"t = t * v + {a} * b{m}[i, j]")
    return [
        *(f"            {line}" for line in lines),
        "            for j in range(n):",
        "                v, t, d = variable[j], total[j], slope[j]",
        *(f"                {line}" for line in passes),
        "                total[j], slope[j] = t, d",
    ]
