"""Estimators that choose their hyperparameters, against refits of every candidate."""

import pickle
import sys

import numpy as np
import pytest
from conftest import read_only
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_ntk import (
    NTK,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
)
from sklearn_ntk._estimators import candidates as candidates_module
from sklearn_ntk._solvers import spectral
from sklearn_ntk.inspection import SelectionDisplay
from sklearn_ntk.networks import MLP, Dense, ReLU, Sequential

N = 24
ALPHAS = [0.3, 0.01]
TIMES = [20.0, np.inf, 0.5]
WEIGHT = read_only(np.tile([1.0, 2.5, 0.0, 0.7], 6))
GROUPS = np.arange(N) % 5
NAMES = np.array(["ant", "bee", "cat"])
SEARCHES = [NTKRegressorCV, NTKClassifierCV]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def regression_data(n_targets=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 3))
    y = 30.0 + 7.0 * np.tanh(X @ rng.normal(size=(3, n_targets or 1)))
    y = y + rng.normal(size=y.shape)
    return read_only(X), read_only(y if n_targets else y[:, 0]), rng.normal(size=(5, 3))


def classification_data(n_classes=3):
    X, labels = make_blobs(2 * N, 3, centers=n_classes, cluster_std=4, random_state=0)
    X = StandardScaler().fit_transform(X)
    return read_only(X[:N]), NAMES[labels[:N]], read_only(X[N:])


def data_for(search):
    regression = search is NTKRegressorCV
    return regression_data() if regression else classification_data()


def refitted(model, X, y, weight=None, method="predict"):
    """Predictions of each row by the model fitted to all the others."""
    rows, found = np.arange(N), []
    for i in rows:
        others = rows != i
        fit = {} if weight is None else {"sample_weight": weight[others]}
        fitted = clone(model).fit(X[others], y[others], **fit)
        found.append(getattr(fitted, method)(X[[i]])[0])
    return np.array(found)


def settings(results):
    return [(p["alpha"], p["training_time"]) for p in results["params"]]


@pytest.mark.parametrize("normalize_y", [True, False])
@pytest.mark.parametrize(
    ("weight", "n_targets"), [(None, None), (WEIGHT, 2)], ids=["equal", "weighted"]
)
def test_leave_one_out_is_a_refit_for_each_row(n_targets, weight, normalize_y):
    X, y, _ = regression_data(n_targets)
    search = NTKRegressorCV(
        alphas=ALPHAS,
        training_times=TIMES,
        learning_rate=0.7,
        normalize_y=normalize_y,
        scoring={"r2": "r2", "seen": lambda model, X, y: model.predict(X).sum()},
    ).fit(X, y, weight)
    rows = slice(None) if weight is None else weight > 0
    for at, (alpha, time) in enumerate(settings(search.cv_results_)):
        model = NTKRegressor(
            alpha=alpha, training_time=time, learning_rate=0.7, normalize_y=normalize_y
        )
        expected = refitted(model, X, y, weight)
        score = r2_score(y, expected, sample_weight=weight)
        assert_allclose(search.cv_results_["mean_test_r2"][at], score, rtol=1e-9)
        total = search.cv_results_["mean_test_seen"][at]
        assert_allclose(total, expected[rows].sum(), rtol=1e-9)


@pytest.mark.parametrize(
    ("weight", "n_classes"), [(None, 2), (WEIGHT, 3)], ids=["equal", "weighted"]
)
def test_leave_one_out_of_a_classifier(weight, n_classes):
    X, y, _ = classification_data(n_classes)
    search = NTKClassifierCV(
        alphas=ALPHAS,
        training_times=TIMES,
        scoring={
            "accuracy": "accuracy",
            "seen": lambda model, X, y: np.abs(model.decision_function(X)).sum(),
        },
    ).fit(X, y, weight)
    rows = slice(None) if weight is None else weight > 0
    for at, (alpha, time) in enumerate(settings(search.cv_results_)):
        model = NTKClassifier(alpha=alpha, training_time=time)
        expected = refitted(model, X, y, weight, "decision_function")
        total = search.cv_results_["mean_test_seen"][at]
        assert_allclose(total, np.abs(expected[rows]).sum(), rtol=1e-9)
        winner = expected > 0 if n_classes == 2 else np.argmax(expected, axis=1)
        labels = np.unique(y)[winner.astype(int)]
        score = accuracy_score(y, labels, sample_weight=weight)
        assert_allclose(search.cv_results_["mean_test_accuracy"][at], score)


SPLITTERS = {
    "int": 3,
    "shuffled": KFold(4, shuffle=True, random_state=0),
    "groups": LeaveOneGroupOut(),
    "some groups": GroupKFold(3),
    "rows left over": ShuffleSplit(3, test_size=5, train_size=10, random_state=0),
    "indices": list(KFold(3).split(np.zeros(N))),
    "masks": [(np.arange(N) < 15, np.arange(N) >= 18)],
}


@pytest.mark.parametrize("cv", SPLITTERS.values(), ids=SPLITTERS)
@pytest.mark.parametrize("search", SEARCHES)
def test_folds_are_those_of_a_grid_search(search, cv):
    X, y, _ = data_for(search)
    plain, scoring = {
        NTKRegressorCV: (NTKRegressor(), ["neg_mean_squared_error", "r2"]),
        NTKClassifierCV: (NTKClassifier(), ["accuracy", "f1_macro"]),
    }[search]
    depths, times = [2, 0], TIMES[:2]
    grid = {"network__depth": depths, "alpha": ALPHAS, "training_time": times}
    theirs = GridSearchCV(plain, grid, cv=cv, scoring=scoring, refit=scoring[0])
    fit = {"groups": GROUPS} if isinstance(cv, LeaveOneGroupOut | GroupKFold) else {}
    theirs.fit(X, y, **fit)
    ours = search(
        depths=depths, alphas=ALPHAS, training_times=times, cv=cv, scoring=scoring
    ).fit(X, y, **fit)
    found, expected = ours.cv_results_, theirs.cv_results_
    place = {
        (p["network__depth"], p["alpha"], p["training_time"]): at
        for at, p in enumerate(expected["params"])
    }
    order = [place[p["depth"], p["alpha"], p["training_time"]] for p in found["params"]]
    names = [name for name in found if "test" in name and "rank" not in name]
    assert len(names) == 2 * (2 + theirs.n_splits_)
    for name in names:
        assert_allclose(found[name], expected[name][order], rtol=1e-9, atol=1e-12)
    assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-9)


def test_weights_in_folds():
    X, y, _ = regression_data()
    splits = list(KFold(4, shuffle=True, random_state=0).split(X))
    search = NTKRegressorCV(alphas=ALPHAS, training_times=TIMES, cv=splits)
    results = search.fit(X, y, WEIGHT).cv_results_
    for at, (alpha, time) in enumerate(settings(results)):
        model = NTKRegressor(alpha=alpha, training_time=time)
        for k, (train, test) in enumerate(splits):
            found = model.fit(X[train], y[train], WEIGHT[train]).predict(X[test])
            score = r2_score(y[test], found, sample_weight=WEIGHT[test])
            assert_allclose(results[f"split{k}_test_score"][at], score, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize("cv", [None, KFold(3), LeaveOneGroupOut()], ids=repr)
@pytest.mark.parametrize("search", SEARCHES)
def test_rows_of_weight_zero_are_not_there(search, cv):
    X, y, new = data_for(search)
    kept = WEIGHT > 0
    model = search(alphas=ALPHAS, cv=cv)
    weighted = clone(model).fit(X, y, WEIGHT, groups=GROUPS)
    removed = clone(model).fit(X[kept], y[kept], WEIGHT[kept], groups=GROUPS[kept])
    assert_allclose(
        weighted.cv_results_["mean_test_score"], removed.cv_results_["mean_test_score"]
    )
    assert_array_equal(weighted.predict(new), removed.predict(new))


@pytest.mark.parametrize("training_times", [None, TIMES])
@pytest.mark.parametrize("search", SEARCHES)
def test_the_best_model_is_the_plain_one(search, training_times):
    X, y, new = data_for(search)
    model = search(
        [MLP(activation="erf"), None],
        depths=(1, 3),
        alphas=ALPHAS,
        training_times=training_times,
        learning_rate=2.0,
    ).fit(X, y, WEIGHT)
    plain = (NTKRegressor if search is NTKRegressorCV else NTKClassifier)(
        model.network_,
        alpha=model.alpha_,
        training_time=model.training_time_,
        learning_rate=2.0,
    ).fit(X, y, WEIGHT)
    assert repr(model.best_estimator_) == repr(plain)
    methods = {
        NTKRegressorCV: [("predict", {}), ("predict", {"return_std": True})],
        NTKClassifierCV: [("decision_function", {}), ("predict_proba", {})],
    }
    for method, options in methods[search]:
        found = np.array(getattr(model, method)(new, **options))
        expected = np.array(getattr(plain, method)(new, **options))
        assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    found = list(model.best_estimator_.staged_predict(new, TIMES))
    expected = list(plain.staged_predict(new, TIMES))
    if search is NTKClassifierCV:
        assert_array_equal(found, expected)
        assert_array_equal(model.predict(new), plain.predict(new))
    else:
        assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("search", SEARCHES)
def test_one_kernel_matrix_and_one_decomposition_for_each_network(monkeypatch, search):
    X, y, _ = data_for(search)
    calls = []

    def counted(function, name):
        return lambda *args, **options: calls.append(name) or function(*args, **options)

    monkeypatch.setattr(spectral, "eigh", counted(spectral.eigh, "eigh"))
    for name in ("gram", "path"):
        function = counted(getattr(candidates_module, name), name)
        monkeypatch.setattr(candidates_module, name, function)
    monkeypatch.setattr("sklearn_ntk._estimators.base.gram", None)
    grid = {"alphas": ALPHAS, "training_times": TIMES}
    search(**grid).fit(X, y)
    assert calls == ["gram", "eigh"]
    calls.clear()
    search(depths=[1, 2, 3], **grid).fit(X, y)
    assert calls == ["path", "eigh", "eigh", "eigh"]
    calls.clear()
    search(cv=6, alphas=ALPHAS).fit(X, y)
    assert calls == ["gram", "eigh"]


@pytest.mark.parametrize("search", SEARCHES)
def test_precomputed_and_sparse_give_the_same(search):
    X, y, new = data_for(search)
    grid = {"alphas": ALPHAS, "training_times": TIMES}
    expected = search(**grid).fit(X, y, WEIGHT)
    precomputed = search("precomputed", **grid).fit(read_only(NTK()(X)), y, WEIGHT)
    sparse = search(**grid).fit(csr_array(X), y, WEIGHT)
    for model, rows in [(precomputed, NTK()(new, X)), (sparse, csr_array(new))]:
        scores = model.cv_results_["mean_test_score"]
        assert_allclose(scores, expected.cv_results_["mean_test_score"], rtol=1e-9)
        assert_array_equal(model.predict(rows).shape, expected.predict(new).shape)
    assert precomputed.network_ == "precomputed"
    assert precomputed.depth_ is None


def test_the_table_of_results():
    X, y, _ = regression_data()
    networks = [MLP(activation="erf"), Sequential(Dense(), ReLU(), Dense())]
    model = NTKRegressorCV(networks, alphas=ALPHAS).fit(X, y)
    results = model.cv_results_
    assert set(results) == {
        "params",
        "param_network",
        "param_alpha",
        "mean_test_score",
        "rank_test_score",
    }
    assert results["param_network"].tolist() == [net for net in networks for _ in "ab"]
    assert_array_equal(results["param_alpha"], 2 * ALPHAS)
    assert results["params"][0] == {"network": networks[0], "alpha": ALPHAS[0]}
    assert sorted(results["rank_test_score"]) == [1, 2, 3, 4]
    best = np.argmax(results["mean_test_score"])
    assert model.best_index_ == best
    assert results["rank_test_score"][best] == 1
    assert model.best_score_ == results["mean_test_score"][best]
    assert model.best_params_ == results["params"][best]
    assert model.alpha_ == model.best_params_["alpha"]
    assert model.training_time_ == np.inf
    assert model.network_ == model.best_params_["network"]


def test_without_arguments():
    for search in SEARCHES:
        X, y, _ = data_for(search)
        model = search().fit(X, y)
        assert model.depth_ == 2
        assert len(model.cv_results_["params"]) == len(model.alphas)
        assert model.score(X, y) > 0.5


def test_the_first_of_several_scores_selects():
    X, y, _ = regression_data()

    def largest_alpha(model, X, y):
        return -np.abs(model.predict(X) - y.mean()).sum()

    for scoring, name in [
        (largest_alpha, "score"),
        ({"flat": largest_alpha, "r2": "r2"}, "flat"),
    ]:
        model = NTKRegressorCV(alphas=[0.01, 100.0, 1.0], scoring=scoring).fit(X, y)
        assert model.alpha_ == 100.0
        assert model.best_score_ == model.cv_results_[f"mean_test_{name}"][1]
    default = NTKRegressorCV(alphas=ALPHAS).fit(X, y)
    named = NTKRegressorCV(alphas=ALPHAS, scoring=["r2"]).fit(X, y)
    assert default.best_score_ == named.best_score_


def test_scores_of_probabilities():
    X, y, _ = classification_data()
    model = NTKClassifierCV(
        alphas=ALPHAS, scoring=["neg_log_loss", "roc_auc_ovr", "neg_brier_score"]
    ).fit(X, y)
    default = NTKClassifierCV(alphas=ALPHAS).fit(X, y)
    assert default.best_score_ == model.best_score_
    assert -np.log(3) < model.best_score_ < 0
    assert model.cv_results_["mean_test_roc_auc_ovr"].min() > 0.5


def test_scorers_that_take_no_weights():
    X, y, _ = regression_data()
    model = NTKRegressorCV(alphas=ALPHAS, scoring="neg_max_error").fit(X, y, WEIGHT)
    assert model.best_score_ < 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("cv", [None, 4])
@pytest.mark.parametrize("search", SEARCHES)
def test_ill_conditioned_kernels_give_finite_scores(search, cv):
    X, y, _ = data_for(search)
    X, y = np.vstack([X, X]), np.append(y, np.roll(y, 1))
    alphas, times = [1e-300, 1e-14, 1e-3], [0.0, 1e-300, 1.0, 1e12, 1e300, np.inf]
    model = search(alphas=alphas, training_times=times, cv=cv).fit(X, y)
    assert np.all(np.isfinite(model.cv_results_["mean_test_score"]))
    weighted = clone(model).fit(X, y, np.full(2 * N, 1e-300))
    assert np.all(np.isfinite(weighted.cv_results_["mean_test_score"]))


def test_constant_targets_and_two_rows():
    X, y, new = regression_data()
    times = [0.0, 1.0, np.inf]
    model = NTKRegressorCV(training_times=times).fit(X, np.full(N, 0.1))
    assert_allclose(model.predict(new), 0.1, rtol=1e-13)
    two = NTKRegressorCV(training_times=times, scoring="neg_mean_squared_error")
    two.fit(X[:2], y[:2])
    expected = np.full(33, -((y[0] - y[1]) ** 2))
    assert_allclose(two.cv_results_["mean_test_score"], expected, rtol=1e-12)


@pytest.mark.parametrize("cv", [None, 3])
def test_a_class_of_one_row(cv):
    X, y, new = classification_data(2)
    y = np.where(np.arange(N) == 7, "cat", y)
    splits = None if cv is None else KFold(3)
    probability = NTKClassifierCV(cv=splits).fit(X, y).predict_proba(new)
    assert np.all(np.isfinite(probability))


def test_class_weights_are_weights_of_rows():
    X, y, new = classification_data()
    heavy = {"bee": 3.0}
    rows = np.where(y == "bee", 3.0, 1.0)
    by_class = NTKClassifierCV(alphas=ALPHAS, class_weight=heavy).fit(X, y)
    by_row = NTKClassifierCV(alphas=ALPHAS, scoring="neg_log_loss").fit(X, y, rows)
    found = by_class.cv_results_["mean_test_score"]
    assert_allclose(found, by_row.cv_results_["mean_test_score"], rtol=1e-2)
    assert_allclose(by_class.decision_function(new), by_row.decision_function(new))


def test_groups_reach_a_search_in_a_pipeline():
    X, y, _ = regression_data()
    search = NTKRegressorCV(alphas=ALPHAS, cv=LeaveOneGroupOut())
    expected = search.fit(X, y, groups=GROUPS).best_score_
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), search)
    found = pipeline.fit(X, y, ntkregressorcv__groups=GROUPS)[-1].best_score_
    assert_allclose(found, expected)
    with config_context(enable_metadata_routing=True):
        pipeline[-1].set_fit_request(groups=True)
        assert_allclose(pipeline.fit(X, y, groups=GROUPS)[-1].best_score_, expected)
    with pytest.raises(ValueError, match="groups"):
        search.fit(X, y)


@pytest.mark.parametrize("search", SEARCHES)
def test_pickle_and_representations(search):
    X, y, new = data_for(search)
    model = search([MLP(3), None], alphas=ALPHAS)
    assert repr(model).startswith(f"{search.__name__}(alphas=[0.3, 0.01], network=[MLP")
    restored = pickle.loads(pickle.dumps(model.fit(X, y)))
    assert_array_equal(restored.predict(new), model.predict(new))
    assert "fitted" in model._repr_html_()
    nested = search().set_params(network__depth=3)
    assert nested.fit(X, y).depth_ == 3


BAD_PARAMETERS = [
    ({"alphas": []}, r"'alphas' parameter of .* floats in the range \(0, inf\)"),
    ({"alphas": [0.1, 0.0]}, "The 'alphas' parameter"),
    ({"alphas": [-1.0]}, "The 'alphas' parameter"),
    ({"alphas": [np.nan]}, "The 'alphas' parameter"),
    ({"alphas": [np.inf]}, "The 'alphas' parameter"),
    ({"alphas": [[0.1, 1.0]]}, "The 'alphas' parameter"),
    ({"alphas": ["small"]}, "The 'alphas' parameter"),
    ({"alphas": 0.1}, "The 'alphas' parameter"),
    ({"training_times": []}, r"'training_times' parameter of .* range \[0, inf\]"),
    ({"training_times": [-1.0]}, "The 'training_times' parameter"),
    ({"training_times": [np.nan]}, "The 'training_times' parameter"),
    ({"depths": []}, "The 'depths' parameter"),
    ({"depths": [1.5]}, "The 'depths' parameter"),
    ({"depths": [-1, 2]}, "The 'depth' parameter of MLP"),
    ({"depths": [1], "network": Sequential(Dense())}, "needs networks with a depth"),
    ({"depths": [1], "network": [None, Dense()]}, "needs networks with a depth"),
    ({"network": []}, "The 'network' parameter"),
    ({"network": [MLP(), "precomputed"]}, "The 'network' parameter"),
    ({"network": "mlp"}, "The 'network' parameter"),
    ({"scoring": "best"}, "'best'"),
    ({"scoring": []}, "The 'scoring' parameter"),
    ({"scoring": {1: "r2"}}, "The 'scoring' parameter"),
    ({"scoring": lambda model, X, y: [1.0]}, "scoring must give numbers"),
    ({"scoring": lambda model, X, y: np.nan}, "no finite score"),
    ({"cv": 1}, "The 'cv' parameter"),
    ({"cv": N + 1}, "greater than the number of"),
    ({"cv": "loo"}, "The 'cv' parameter"),
    ({"cv": []}, "gives no split with rows to test on"),
    ({"cv": [([], [0])]}, "a split without rows to train on"),
    ({"cv": [([0, 1, 2], [2, 3])]}, "whose test rows are also for training"),
    ({"learning_rate": 0.0}, "The 'learning_rate' parameter"),
    ({"n_jobs": 1.5}, "The 'n_jobs' parameter"),
]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(("params", "message"), BAD_PARAMETERS)
def test_bad_parameters(search, params, message):
    X, y, _ = data_for(search)
    with pytest.raises(ValueError, match=message):
        search(**params).fit(X, y)


@pytest.mark.parametrize("search", SEARCHES)
def test_bad_input(search):
    X, y, new = data_for(search)
    model = search()
    with pytest.raises(NotFittedError):
        model.predict(new)
    with pytest.raises(ValueError, match=r"n_samples = 1|1 class"):
        model.fit(X, y, np.arange(N) == 3)
    with pytest.raises(ValueError, match=r"sample_weight|Sample weights"):
        model.fit(X, y, np.zeros(N))
    with pytest.raises(ValueError, match="'depths' parameter"):
        search("precomputed", depths=[1]).fit(NTK()(X), y)
    with pytest.raises(np.linalg.LinAlgError, match="not positive semi-definite"):
        search("precomputed").fit(NTK()(X) - 10.0, y)
    with pytest.raises(ValueError, match="is expecting 3 features"):
        model.fit(X, y).predict(new[:, :2])
    with pytest.raises(ValueError, match="least 2 classes"):
        NTKClassifierCV().fit(X, np.full(N, "ant"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_overflow_is_an_error_that_names_the_network():
    X, y, _ = regression_data()
    with pytest.raises(ValueError, match=r"MLP\(depth=3\) is not finite"):
        NTKRegressorCV(depths=[3]).fit(1e160 * X, y)


def fitted_display(model, **options):
    X, y, _ = regression_data()
    return SelectionDisplay.from_estimator(model.fit(X, y), **options)


def test_display_of_two_parameters():
    model = NTKRegressorCV(depths=[1, 3], alphas=ALPHAS, training_times=TIMES)
    display = fitted_display(model)
    assert (display.x_name, display.y_name) == ("training_time", "alpha")
    scores = model.cv_results_["mean_test_score"].reshape(2, 2, 3).max(axis=0)
    assert_array_equal(display.scores, scores)
    assert_array_equal(display.image_.get_array(), scores)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == ["20", "∞", "0.5"]
    assert display.figure_ is display.ax_.figure
    frame = display.ax_.lines[0].get_xydata()
    row, column = np.unravel_index(np.argmax(scores), scores.shape)
    assert_allclose(frame[:-1].mean(axis=0), [column, row])
    ax = display.figure_.add_subplot()
    assert display.plot(ax).ax_ is ax


def test_display_of_chosen_parameters_and_scores():
    scoring = ["r2", "neg_mean_squared_error"]
    model = NTKRegressorCV(
        [None, MLP(activation="erf")], alphas=ALPHAS, scoring=scoring
    )
    display = fitted_display(
        model, x="alpha", y="network", score="neg_mean_squared_error"
    )
    assert display.score_name == "neg_mean_squared_error"
    assert display.y_values == [MLP(), MLP(activation="erf")]
    assert fitted_display(model, x="network").y_name == "alpha"
    with pytest.raises(ValueError, match=r"'x' parameter must be one of .*'depth'"):
        fitted_display(model, x="depth")
    with pytest.raises(ValueError, match="'score' parameter must be one of"):
        fitted_display(model, score="accuracy")


def test_display_of_one_parameter_and_of_none():
    display = fitted_display(NTKRegressorCV(alphas=ALPHAS))
    assert (display.x_name, display.y_name) == ("alpha", None)
    assert display.scores.shape == (1, 2)
    assert fitted_display(NTKRegressorCV(alphas=[0.1])).scores.shape == (1, 1)


def test_display_of_a_grid_search():
    grid = {"alpha": ALPHAS, "network__depth": [1, 2, 3]}
    display = fitted_display(GridSearchCV(NTKRegressor(), grid, cv=3))
    assert (display.x_name, display.y_name) == ("network__depth", "alpha")
    assert display.scores.shape == (2, 3)


def test_display_needs_a_search_and_matplotlib(monkeypatch):
    with pytest.raises(NotFittedError):
        SelectionDisplay.from_estimator(NTKRegressorCV())
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-ntk\[plot\]"):
        fitted_display(NTKRegressorCV())
