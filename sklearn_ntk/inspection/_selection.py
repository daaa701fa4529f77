"""The scores of a search, as a map."""

from numbers import Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

__all__ = ["SelectionDisplay"]

ROOM = 24  # letters of horizontal labels below a map


class SelectionDisplay:
    """A map of the scores of a search over two of its parameters.

    Over other parameters the best score is shown. A frame marks the best candidate.
    Create it with `from_estimator`.

    Parameters
    ----------
    scores : ndarray of shape (n_y, n_x)
        Scores, NaN where there is none.
    x_values, y_values : list
        Values of the two parameters, of columns and rows.
    x_name, y_name : str or None
        Their names. None: there is nothing to tell apart.
    score_name : str
        Name of the score.

    Attributes
    ----------
    image_ : matplotlib.image.AxesImage
        The map.
    colorbar_ : matplotlib.colorbar.Colorbar
        What its colours mean.
    ax_ : matplotlib.axes.Axes
        Where it is.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ntk import NTKRegressorCV
    >>> from sklearn_ntk.inspection import SelectionDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = NTKRegressorCV(training_times=[10.0, 100.0]).fit(30 * X[:100], y[:100])
    >>> display = SelectionDisplay.from_estimator(model)
    >>> display.x_name, display.y_name, display.scores.shape
    ('training_time', 'alpha', (11, 2))
    """

    def __init__(self, scores, *, x_values, y_values, x_name, y_name, score_name):
        self.scores = scores
        self.x_values = x_values
        self.y_values = y_values
        self.x_name = x_name
        self.y_name = y_name
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls, estimator, *, x=None, y=None, score=None, ax=None, cmap="viridis"
    ):
        """Draw the scores of a fitted search.

        Parameters
        ----------
        estimator : NTKRegressorCV, NTKClassifierCV or another with ``cv_results_``
            Fitted. scikit-learn's own searches are among them.
        x, y : str, default=None
            Parameters along the axes. None: those that take several values, the
            last of them along x and the one before along y.
        score : str, default=None
            Name of the score, where there are several. None: the first.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: in a new figure.
        cmap : str or matplotlib.colors.Colormap, default="viridis"
            Colours.

        Returns
        -------
        SelectionDisplay

        Raises
        ------
        ValueError
            If a parameter or the score was not part of the search.
        ImportError
            If matplotlib is not there.
        """
        check_is_fitted(estimator, "cv_results_")
        results = estimator.cv_results_
        score = _known(score, _names(results, "mean_test_"), "score")
        x, y = _axes(results, x, y)
        columns, rows = (_places(results, name) for name in (x, y))
        scores = np.full((len(rows[0]), len(columns[0])), -np.inf)
        means = results[f"mean_test_{score}"]
        np.maximum.at(scores, (rows[1], columns[1]), np.nan_to_num(means, nan=-np.inf))
        display = cls(
            np.where(np.isinf(scores), np.nan, scores),
            x_values=columns[0],
            y_values=rows[0],
            x_name=x,
            y_name=y,
            score_name=score,
        )
        return display.plot(ax, cmap=cmap)

    def plot(self, ax=None, *, cmap="viridis"):
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: in a new figure.
        cmap : str or matplotlib.colors.Colormap, default="viridis"
            Colours.

        Returns
        -------
        SelectionDisplay
            Itself, with its attributes.

        Raises
        ------
        ImportError
            If matplotlib is not there.
        """
        plt = _pyplot()
        self.ax_ = plt.subplots(layout="constrained")[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(
            self.scores, cmap=cmap, aspect="auto", origin="lower"
        )
        self.colorbar_ = self.figure_.colorbar(
            self.image_, ax=self.ax_, label=self.score_name.replace("_", " ")
        )
        for axis, values, name in [
            (self.ax_.xaxis, self.x_values, self.x_name),
            (self.ax_.yaxis, self.y_values, self.y_name),
        ]:
            axis.set_ticks(range(len(values)), [_label(value) for value in values])
            axis.set_label_text("" if name is None else name.replace("_", " "))
        labels = self.ax_.get_xticklabels()
        if sum(len(label.get_text()) for label in labels) > ROOM:
            plt.setp(labels, rotation=45, ha="right", rotation_mode="anchor")
        self._frame_the_best()
        return self

    def _frame_the_best(self):
        row, column = np.unravel_index(np.nanargmax(self.scores), self.scores.shape)
        x, y = np.array([0, 1, 1, 0, 0]), np.array([0, 0, 1, 1, 0])
        self.ax_.plot(x + column - 0.5, y + row - 0.5, color="red", clip_on=False)


def _names(results, prefix):
    return [name.removeprefix(prefix) for name in results if name.startswith(prefix)]


def _known(name, names, parameter):
    """A name, or for None the first of those that are known."""
    if name is not None and name not in names:
        raise ValueError(
            f"The {parameter!r} parameter must be one of {names}, which the search "
            f"has. Got {name!r} instead."
        )
    return names[0] if name is None else name


def _axes(results, x, y):
    """Names of the parameters along x and y; None where none is left to vary."""
    names = _names(results, "param_")
    for name, parameter in ((x, "x"), (y, "y")):
        _known(name, names, parameter)
    several = [name for name in names if len(_places(results, name)[0]) > 1]
    left = [name for name in several if name not in (x, y)]
    if x is None:
        x = left.pop() if left else None
    if y is None:
        y = left.pop() if left else None
    return x, y


def _places(results, name):
    """The values of a parameter, and the place of each candidate among them."""
    if name is None:
        return [None], np.zeros(len(results["params"]), dtype=int)
    values, places = [], []
    for value in results[f"param_{name}"].tolist():
        if not any(value is known or value == known for known in values):
            values.append(value)
        places.append(next(i for i, v in enumerate(values) if v is value or v == value))
    return values, np.array(places)


def _label(value):
    if value is None:
        return ""
    if not isinstance(value, Real):
        return str(value)
    return "∞" if np.isposinf(value) else f"{value:g}"


def _pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "SelectionDisplay needs the package matplotlib. Install it with "
            "pip install 'sklearn-ntk[plot]'."
        ) from error
    return plt
