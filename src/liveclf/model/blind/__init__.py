"""What comes before the weights of a joint network, compiled for this CPU.

The same as `frontend.MatchedFilter` and `symbols.Constellation`, which Keras trains with and
which every export holds. A runtime of graphs runs them as a thousand small operations, each
through memory; here a window stays in the cache, between transforms by SciPy.
"""
