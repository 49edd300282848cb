"""Calls of the public functions with arrays and arguments that nobody expects, as Python expressions."""

import inspect

import convcli

_SHAPES = (
    "5, 6",
    "5, 6, 3",
    "2, 5, 6, 3",
    "4, 5, 6, 2",
    "1, 4, 5, 6, 2",
    "7",
    "3, 8, 2",
    "0, 5",
    "5, 0, 3",
    "1, 1",
    "",
    "2, 2, 2, 2, 2, 2",
)
_TYPES = (
    "u1",
    "u1",
    "f4",
    "f4",
    "f8",
    "i8",
    "i2",
    "u2",
    "u8",
    "?",
    "f2",
    "g",
    "c8",
    "O",
    "U2",
    "S2",
    "M8[s]",
    "m8[s]",
    ">f4",
    ">u2",
    ">f8",
    "V3",
)
_SPECIAL = (
    *(
        "None",
        "True",
        "3",
        "2.5",
        "'text'",
        "b'bytes'",
        "[]",
        "[[]]",
        "[[1, 2], [3]]",
        "[[1, 'a'], [2, 3]]",
        "{}",
        "{'a': 1}",
        "object()",
    ),
    *(
        "np.matrix([[1, 2], [3, 4]])",
        "np.ma.masked_array(np.ones((5, 6)), mask=np.eye(5, 6))",
        "np.float32(3)",
        "np.str_('x')",
    ),
    *(
        "np.array([[1, None], [2, 3]], dtype=object)",
        "np.array([[10**30, 1], [1, 1]])",
        "np.full((5, 6), np.nan)",
        "range(9)",
    ),
    *(
        "np.full((5, 6), np.inf)",
        "np.lib.stride_tricks.as_strided(np.zeros(9), (5, 6), (0, 8))",
        "np.broadcast_to(np.float32(1), (5, 6, 3))",
    ),
    *(
        "np.zeros((5, 6), [('a', 'u1'), ('b', 'f4')])",
        "memoryview(bytes(9))",
        "iter([1, 2])",
        "lambda: 1",
        "...",
    ),
    *(
        "[[1, 2], [3, 4]]",
        "((1.0, 2), (3, 4))",
        "np.broadcast_to(np.uint8(1), (10**6, 10**6))",
        "np.rec.array([(1, 2.0)])",
        "{1, 2}",
    ),
    *(
        "np.array([['1', '2'], ['3', '4']])",
        "np.arange(12.0).reshape(3, 4).view(np.recarray)",
        "[np.zeros((2, 2)), np.zeros((2, 3))]",
    ),
)
_VIEWS = (
    "{}",
    "{}",
    "{}",
    "{}[::-1]",
    "{}.T",
    "{}[..., ::2]",
    "np.asfortranarray({})",
    "{}.tolist()",
    "np.ma.masked_array({})",
    "{}.view(np.ndarray)",
    "list({})",
)
_NUMBERS = (
    *(
        "1",
        "2",
        "3",
        "1",
        "2",
        "0",
        "-1",
        "2.0",
        "1.5",
        "True",
        "None",
        "np.int64(2)",
        "np.uint8(1)",
        "np.float64(2)",
        "'2'",
        "[1, 2]",
        "(2, 3)",
    ),
    *(
        "(1, 2, 3)",
        "(1,)",
        "()",
        "10**9",
        "10**30",
        "10**400",
        "np.longdouble(2)",
        "np.zeros((2**40, 0))",
        "range(2**80)",
        "2**31",
        "2**63",
        "float('nan')",
        "float('inf')",
        "-float('inf')",
        "1e300",
        "1j",
        "b'1'",
    ),
    *(
        "np.array(2)",
        "np.array([1, 2])",
        "np.array([])",
        "((1, 2), (0, 1))",
        "((1, 2),)",
        "(1, (2, 3))",
        "((0, 1), (2, 3), (1, 1))",
        "{}",
        "object()",
    ),
    *(
        "(2, None)",
        "(2.0, 3)",
        "(True, 2)",
        "'same'",
        "'valid'",
        "'full'",
        "np.bool_(True)",
        "range(2)",
        "slice(1)",
        "((1, 2, 3), (1, 2, 3))",
    ),
)
_WORDS = {
    "padding": ("'same'", "'valid'", "'full'", "'Same'", "'sam'", "'causal'"),
    "border": ("'reflect'", "'edge'", "'wrap'", "'symmetric'", "'constant'", "'mirror'", "'replicate'", "'101'"),
    "mode": (
        "'max'",
        "'average'",
        "'min'",
        "'median'",
        "'lp'",
        "'weighted'",
        "'stochastic'",
        "'reflect'",
        "'edge'",
        "'wrap'",
        "'avg'",
        "'linear_ramp'",
    ),
    "operation": ("'dilate'", "'erode'", "'open'", "'close'", "'gradient'", "'tophat'", "'blackhat'", "'dilat'"),
    "spec": (
        "'sharpen'",
        "'gaussian:sigma=2'",
        "'1 2; 3 4'",
        "'sobel'",
        "'gauss'",
        "'no.npy'",
        "'1 2; 3'",
        "'\\x1b[2J'",
        "'\\0'",
        "'\\udcff'",
        "'a/\\0.txt'",
    ),
}
_ARRAYS = ("image", "kernel", "x", "weight", "bias", "element", "mask")
_NO_ARRAYS = ("explain", "load_model", "on_compiling", "read", "summary", "write")  # in, or out
NAMES = sorted(
    name for name in convcli.__all__ if inspect.isfunction(getattr(convcli, name)) and name not in _NO_ARRAYS
)


def call(rng):
    """An expression such as ``convcli.pool2d(np.zeros((5, 6), 'f4'), (2, 3), mode='max')``."""
    name = rng.choice(NAMES)
    parameters = inspect.signature(getattr(convcli, name)).parameters.values()
    # One or two things are odd, else the first check would hide all others.
    odd = {rng.choice([each.name for each in parameters]) for _ in range(rng.choice((0, 1, 1, 1, 2)))}
    arguments = []
    for each in parameters:
        if each.kind is each.VAR_KEYWORD:
            continue
        required = each.default is each.empty
        if not required and each.name not in odd and rng.random() < 0.8:
            continue
        value = _value(rng, name, each.name, each.name in odd)
        arguments.append(f"{each.name}={value}" if each.kind is each.KEYWORD_ONLY or not required else value)
    return f"convcli.{name}({', '.join(arguments)})"


def prediction(rng):
    """A prediction by a model in a file, of an odd array."""
    batch = f", batch_size={rng.choice(_NUMBERS)}" if rng.random() < 0.3 else ""
    x = rng.choice((_array(rng), _array(rng, "3, 8, 8, 1"), _array(rng, "8, 8, 1"), rng.choice(_SPECIAL)))
    return f"convcli.load_model('made.safetensors').predict({x}{batch})"


def loading(rng):
    """Opening a model by an odd name."""
    names = (
        "None",
        "3",
        "b'made.safetensors'",
        "''",
        "'.'",
        "'no'",
        "'a\\0b'",
        "'\\udcff'",
        "'\\x1b[2J'",
        "['made.safetensors']",
        "'mnist'",
    )
    return f"convcli.load_model({rng.choice(names)}).predict(np.zeros((1, 8, 8, 1), 'f4'))"


def _value(rng, function, name, odd):
    if name in _ARRAYS:
        if odd:
            return rng.choice(_SPECIAL) if rng.random() < 0.4 else _array(rng)
        return _plain(rng, function, name)
    if name in _WORDS and (not odd or rng.random() < 0.4):
        return rng.choice(_WORDS[name])
    if odd:
        return rng.choice(_SPECIAL if rng.random() < 0.2 else _NUMBERS)
    return rng.choice(("1", "2", "3", "(2, 1)" if "2d" in function else "2", "0"))


def _array(rng, shape=None):
    shape = rng.choice(_SHAPES) if shape is None else shape
    shape = f"({shape},)" if shape else "()"
    kind = rng.choice(_TYPES)
    return rng.choice(_VIEWS).format(
        f"np.ones({shape}, {kind!r})" if kind not in ("V3", "M8[s]") else f"np.zeros({shape}, {kind!r})"
    )


def _plain(rng, function, name):
    """An array that fits."""
    rank = next((int(digit) for digit in "123" if f"{digit}d" in function), 2)
    kind = rng.choice(("u1", "f4", "f4", "f8"))
    if name == "bias":
        return f"np.ones(4, {kind!r})"
    if name in ("kernel", "element", "mask"):
        return f"np.ones({(3,) * rank}, {kind!r})"
    if name == "weight":
        return f"np.ones({(*(3,) * rank, 2, 4) if 'transpose' not in function else (*(3,) * rank, 4, 2)}, {kind!r})"
    spatial = tuple(rng.choice((4, 5, 8)) for _ in range(rank))
    batched = name == "x" or "pool1d" in function or rng.random() < 0.3
    return f"np.ones({((2,) if batched else ()) + spatial + ((2,) if batched or rng.random() < 0.5 else ())}, {kind!r})"
