from itertools import product

from tables import each_of

from convcli.geometry import AdaptiveWindow, ReceptiveField


def spans(n, count):
    """PyTorch's rule, window by window."""
    return [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


@each_of("n, count", product(range(1, 25), repeat=2))
def test_sizes_and_fields_are_those_of_the_counted_windows(n, count):
    window = AdaptiveWindow(count)
    sizes = [end - start for start, end in spans(n, count)]
    assert window.output(n) == count == len(sizes)
    assert window.sizes(n) == (min(sizes), max(sizes))
    field = window.field(n, ReceptiveField())
    assert (field.size, field.start) == (max(sizes), 0)
    assert all(abs(start - i * field.jump) < 1 for i, (start, _) in enumerate(spans(n, count)))


def test_the_field_of_earlier_layers_is_widened():
    assert AdaptiveWindow(2).field(4, ReceptiveField(3, 2, -1)) == ReceptiveField(5, 4, -1)


def test_the_formula_names_its_numbers():
    assert AdaptiveWindow(7).formula(14) == "7 windows of 2 cells"
    assert AdaptiveWindow(1).formula(1) == "1 window of 1 cell"
    assert AdaptiveWindow(5).formula(7) == "5 windows of 2 to 3 cells, floor(i*7/5) to ceil((i + 1)*7/5)"
    assert AdaptiveWindow(3).formula(7) == "3 windows of 3 cells"
