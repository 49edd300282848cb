"""Networks as data: the grammar of layers, the plan made from it, and the TOML files beside this one.

Text becomes a `LayerSpec` (`grammar`), specs and an input size become an immutable `NetworkPlan` (`plan`), and the plan
is what `convcli shape` and `summary` print and what the engine builds layers from. A leaf: standard library, `geometry`
and `errors` only.
"""

from convcli.architectures.files import load, read_text, shipped, write_text
from convcli.architectures.grammar import GrammarError, LayerSpec, NetworkSpec, document_of, parse_words, read_network
from convcli.architectures.plan import LayerPlan, NetworkPlan, plan_network
from convcli.architectures.rules import axis_names, shape_text
from convcli.architectures.values import Named
from convcli.architectures.vocabulary import grammar

__all__ = [
    "GrammarError",
    "LayerPlan",
    "LayerSpec",
    "Named",
    "NetworkPlan",
    "NetworkSpec",
    "axis_names",
    "document_of",
    "grammar",
    "load",
    "parse_words",
    "plan_network",
    "read_network",
    "read_text",
    "shape_text",
    "shipped",
    "write_text",
]
