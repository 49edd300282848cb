"""Words of the command line: kernels, layers, recipes, templates, names; right ones, and odd ones in their places."""

# What people, scripts and attackers type where a word, a number or a name is expected.
ODD = (
    *(
        "",
        " ",
        "-",
        "--",
        "0",
        "-0",
        "-1",
        "1",
        "2",
        "3",
        "7",
        "0.5",
        "-2.5",
        ".5",
        "5.",
        "+1",
        "1e3",
        "1e999",
        "1e-320",
    ),
    *(
        "nan",
        "inf",
        "-inf",
        "NaN",
        "1/0",
        "1/3",
        "0/0",
        "9" * 30,
        "9" * 400,
        "2147483648",
        "9223372036854775808",
        "0x10",
    ),
    *(
        "1_0",
        "１",
        "²",
        "½",
        "١",
        "−1",
        "1,2",
        "1x2",
        "1x1x1x1",
        "3x",
        "x",
        "×",
        ":",
        ",",
        ";",
        "|",
        "=",
        "==",
        "[",
        "]",
    ),
    *(
        "{",
        "}",
        "{}",
        "{stem}",
        "{0}",
        "{stem!r}",
        "{stem:>99999999}",
        "{index:d}",
        "%s",
        "%n",
        "$HOME",
        "~",
        "..",
        "../x",
    ),
    *("/", "\\", "a/b", ".", "*", "?", "[a]", "None", "true", "True", "same", "valid", "full", "auto", "none", "relu"),
    *(
        "\x1b[31mred",
        "\x1b]0;title\x07",
        "\x9b2J",
        "\r",
        "\n",
        "a\nError: b",
        "\t",
        "\x7f",
        "\0",
        "\udcff",
        "\ud800",
        "\u202e",
    ),
    *(
        "\u2066",
        "\u200b",
        "\ufeff",
        "é",
        "日本",
        "😀",
        "a" * 300,
        "a" * 5000,
        "'",
        '"',
        "`",
        "<b>",
        "&",
        "#",
        "!",
        "@x",
        "()",
    ),
)


def odd(rng, plain, share=0.2):
    """A plain word, or an odd one."""
    return rng.choice(ODD) if rng.random() < share else str(plain)


def bent(rng, word):
    """A word as it is, or with an odd one in it."""
    if rng.random() < 0.5:
        return word
    place, end = sorted(rng.randrange(len(word) + 1) for _ in "12")
    what = rng.randrange(4)
    if what == 0:
        return word[:place] + word[end:]
    if what == 1:
        return word[:place] + rng.choice(ODD) + word[place:]
    if what == 2:
        return word[:place] + rng.choice(ODD) + word[end:]
    return word[:place] + word[place:end] * 2 + word[end:]


def number(rng):
    """A number as text."""
    return rng.choice(
        ("1", "2", "3", "5", "0", "-1", "0.5", "1/9", "1e-3", str(rng.randrange(-9, 99)), str(rng.random()))
    )


def sizes(rng):
    """A size, for all axes or one per axis."""
    return "x".join(
        str(rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 7, 11, 0, 64, 1000))) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))
    )


def kernel(rng):
    """A kernel SPEC."""
    from convcli.kernels import LIBRARY

    if rng.random() < 0.35:
        rows, columns = (rng.choice((1, 1, 2, 3, 3, 5)) for _ in "12")
        planes = rng.choice((1, 1, 1, 2, 3))
        between = rng.choice((" ", ",", ", "))
        return bent(
            rng,
            " | ".join(
                "; ".join(between.join(number(rng) for _ in range(columns)) for _ in range(rows)) for _ in range(planes)
            ),
        )
    name = rng.choice(sorted(LIBRARY))
    parameters = [f"{each.name}={_parameter(rng, each)}" for each in LIBRARY[name].parameters if rng.random() < 0.7]
    return bent(rng, ":".join([name, *([",".join(parameters)] if parameters else [])]))


def _parameter(rng, parameter):
    if rng.random() < 0.2:
        return rng.choice(ODD)
    if parameter.per_axis:
        return sizes(rng)
    low, high = max(parameter.minimum, -10), min(parameter.maximum, 20)
    return rng.choice((low, high, rng.randint(int(low), int(high)), rng.uniform(low, high), parameter.default))


def layer(rng, depth=0):
    """A layer word, or a bracket of some."""
    from convcli.architectures.vocabulary import KNOWN_WORDS, LAYERS, WITH_BRANCHES

    if depth < 3 and rng.random() < 0.1:
        branches = [
            " ".join(layer(rng, depth + 1) for _ in range(rng.choice((0, 1, 2)))) for _ in range(rng.choice((1, 2, 3)))
        ]
        return bent(rng, rng.choice(("[ {} ]", "[ {} + ]", "{{ {} }}")).format(" | ".join(branches)))
    name = rng.choice([each for each in LAYERS if each not in WITH_BRANCHES])
    kind = LAYERS[name]
    words = [_value(rng, kind.first)] if kind.first else []
    words += [f"{key}={_value(rng, key)}" for key in kind.keys if key != kind.first and rng.random() < 0.15]
    if rng.random() < 0.2:
        words.append(rng.choice(("relu", "same", "tanh", "softmax", "leaky_relu:0.2", "average", "ceil_mode", "full")))
    if rng.random() < 0.2:
        name = rng.choice(KNOWN_WORDS)
    word = ":".join([name, *([",".join(words)] if words else [])])
    return bent(rng, word) if rng.random() < 0.3 else word


def _value(rng, key):
    if rng.random() < 0.1:
        return rng.choice(ODD)
    if key in ("filters", "units", "groups", "depth_multiplier", "size"):
        return str(rng.choice((1, 2, 3, 4, 6, 8)))
    if key in ("kernel_size", "stride", "dilation", "output_size", "output_padding", "amount"):
        return sizes(rng)
    choices = {
        "padding": ("same", "valid", "full", "1", "1x2", "0:1", "2:0x1:1"),
        "activation": ("relu", "tanh", "softmax", "leaky_relu:0.3", "elu", "gelu", "linear"),
        "mode": ("max", "average", "min", "weighted", "lp", "median", "constant", "edge", "reflect", "wrap"),
    }
    initializers = (
        "zeros",
        "he_normal",
        "random_normal:stddev=0.1",
        "orthogonal",
        "l2:0.01",
        "l1",
        "max_norm:2",
        "unit_norm",
    )
    return rng.choice(choices.get(key, ("0", "1", "0.5", "0.001", "yes", "no", *initializers)))


def template(rng):
    """An output template."""
    parts = [
        rng.choice(("{stem}", "{kernel}", "{ext}", "{index}", "out", "/", "_", "-", ".", *ODD))
        for _ in range(rng.choice((1, 2, 3, 4)))
    ]
    return "".join(parts) + rng.choice((".png", ".png", ".tif", ".jpg", ".npy", "{ext}", "/", "", ".gif", ".xyz"))
