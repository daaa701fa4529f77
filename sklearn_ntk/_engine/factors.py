"""The products of rows that a program starts from."""

import numpy as np
from scipy import sparse

__all__ = ["Factors"]


class Factors:
    """Rows whose products are the inputs of a program.

    Parameters
    ----------
    pairs : list of (array or CSR array of shape (n, d), the same of shape (m, d))
    dtype : dtype

    Attributes
    ----------
    dense : tuple of two arrays of shapes (n_inputs, n, d) and (n_inputs, m, d), or None
        None where any rows are sparse.
    """

    def __init__(self, pairs, dtype):
        self.pairs = [
            (u.astype(dtype, copy=False), v.astype(dtype, copy=False)) for u, v in pairs
        ]
        self.dense = None
        if not any(sparse.issparse(a) for pair in self.pairs for a in pair):
            self.dense = tuple(map(_stacked, zip(*self.pairs, strict=True)))

    def multiply(self, rows, columns, out):
        """Write the inputs for a block."""
        for (u, v), products in zip(self.pairs, out, strict=True):
            if sparse.issparse(u) or sparse.issparse(v):
                product = u[rows] @ v[columns].T
                products[...] = (
                    product.toarray() if sparse.issparse(product) else product
                )
            else:
                np.matmul(u[rows], v[columns].T, out=products)


def _stacked(arrays):
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0])[None]
    return np.stack(arrays)
