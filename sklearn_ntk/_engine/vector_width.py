"""Vectors as wide as the machine has them, in code that numba compiles."""

from functools import cache

__all__ = ["wide_vectors"]


@cache
def wide_vectors():
    """A function that, called in compiled code, asks for the widest vectors.

    Compilers prefer vectors of 256 bits where there are some of 512, for these used to
    lower the clock rate. Square roots and divisions, which most of the time goes
    into, are better off with the latter.
    """
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def wide(typing_context):
        def generate(context, builder, signature, arguments):
            # llvmlite's own list of attributes does not have this one
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
            for argument in builder.function.args:
                if argument.type.is_pointer:
                    argument.add_attribute("noalias")
            return context.get_dummy_value()

        return types.none(), generate

    return wide
