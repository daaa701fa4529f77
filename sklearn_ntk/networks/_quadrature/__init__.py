"""Gaussian expectations of activations without a closed form."""
