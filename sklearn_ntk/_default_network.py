"""``network=None`` means `MLP()`, in kernels and estimators alike."""

from sklearn.base import clone

from sklearn_ntk.networks import MLP

__all__ = ["DefaultNetwork", "resolve_network"]


def resolve_network(network):
    """A network of one's own: a clone of `network`, or `MLP()` for None."""
    return MLP() if network is None else clone(network)


class DefaultNetwork:
    """Mixin whose parameter `network` shows and takes nested parameters if None.

    It stands left of `sklearn.gaussian_process.kernels.Kernel` or of
    `sklearn.base.BaseEstimator`.
    """

    _default = MLP  # what None means

    def get_params(self, deep=True):
        """Parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of the network, as ``network__<name>``:
            those of the default network where `network` is None.

        Returns
        -------
        dict of str to object
        """
        params = super().get_params(deep=False)
        network = self._default() if self.network is None else self.network
        if deep and hasattr(network, "get_params"):
            nested = network.get_params(deep=True)
            params.update({f"network__{k}": v for k, v in nested.items()})
        return params

    def set_params(self, **params):
        """Set parameters by name, nested ones as ``network__<name>``.

        Where `network` is None, a nested name first makes it a new network, `MLP()`
        for rows of numbers.

        Parameters
        ----------
        **params : dict of str to object

        Returns
        -------
        self
        """
        nested = {k: v for k, v in params.items() if k.startswith("network__")}
        own = {k: v for k, v in params.items() if k not in nested}
        network = own.get("network", self.network)
        if nested and network is None:
            inner = {k.removeprefix("network__"): v for k, v in nested.items()}
            own["network"], nested = self._default().set_params(**inner), {}
        elif nested and not hasattr(network, "set_params"):
            raise ValueError(
                f"Invalid parameters {sorted(nested)} for {type(self).__name__}: its "
                f"network is {network!r}, which has none."
            )
        super().set_params(**own)
        return super().set_params(**nested)
