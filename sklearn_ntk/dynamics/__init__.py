r"""Training in function space, for given kernel matrices.

As its width goes to infinity, a network that gradient descent trains stays linear in
its parameters. Training then happens in the space of functions, driven by the neural
tangent kernel alone. These functions take kernel matrices, from `~sklearn_ntk.NTK` or
elsewhere; `~sklearn_ntk.NTKRegressor` does the same with a network.

The loss is a weighted mean over rows, summed over outputs, with a penalty that keeps
the function near its start:

.. math:: L = \frac{\sum_i w_i \ell(f_i, y_i)}{\sum_i w_i}
    + \frac{\alpha}{2 \sum_i w_i} \lVert f - f_0 \rVert_K^2 .

With the NNGP kernel in the place of the neural tangent kernel these are the dynamics of
a network of which only the readout is trained.
"""

from sklearn_ntk.dynamics._descent import gradient_descent, max_learning_rate
from sklearn_ntk.dynamics._ensemble import trained_ensemble
from sklearn_ntk.dynamics._flow import gradient_flow
from sklearn_ntk.dynamics._losses import gradient_flow_of_loss

__all__ = [
    "gradient_descent",
    "gradient_flow",
    "gradient_flow_of_loss",
    "max_learning_rate",
    "trained_ensemble",
]
