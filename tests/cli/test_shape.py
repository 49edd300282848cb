"""`convcli shape` as a user runs it: the lectures' numbers, JSON, wrong usage, and the time it takes."""

import json
import shlex
import subprocess
import sys

import pytest

from convcli.cli import run
from convcli.cli.shape import command


@pytest.fixture
def convcli(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments):
        code = run(["shape", *arguments])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


@pytest.mark.parametrize(
    ("arguments", "first", "contained"),
    [
        ("--input 7x7x3 --filters 4", "5x5x4", ["(7 - 3 + 0)/1 + 1 = 5", "112", "2,700", "3x3", "none"]),
        ("--input 5x5x3 --padding 1 --stride 2 --filters 2", "3x3x2", ["(5 - 3 + 2*1)/2 + 1 = 3"]),
        ("--input 32x32x3 --filters 6 --kernel-size 5", "28x28x6", ["(32 - 5 + 0)/1 + 1 = 28", "456"]),
        ("--input 5x5 --kernel-size 3 --padding 1", "5x5", ["(5 - 3 + 2*1)/1 + 1 = 5"]),
        ("--input 5x5 --kernel-size 3 --padding same", "5x5", ["(5 - 3 + 2*1)/1 + 1 = 5"]),
        ("--input 6x6", "4x4", []),
        ("--input 6x6 --stride 2", "2x2", ["floor((6 - 3 + 0)/2) + 1 = 2", "leftover         11 of 36 pixels"]),
        ("--input 32x32x3 --kernel-size 5", "28x28", ["(5*5*3 + 1)*1 = 76"]),
        ("--input 200x200 dense:500", "500", ["40000*500 = 20,000,000", "(40000 + 1)*500 = 20,000,500"]),
        ("--input 200x200x1 flatten dense:500", "500", ["20,000,500", "20,000,000 weights, 500 biases"]),
        ("--input 32x32x3 pad:1", "34x34x3", ["32 + 1 + 1 = 34"]),
        ("--input 32x32x3 pad:2", "36x36x3", []),
        ("--input 4x4 --pool 2", "2x2x1", ["(4 - 2 + 0)/2 + 1 = 2"]),
        ("--input 112x112x64 --pool 3 --stride 2 --ceil", "56x56x64", ["ceil((112 - 3 + 0)/2) + 1 = 56"]),
        ("--input 4x4x8 --transposed --filters 3 --stride 2", "9x9x3", ["(4 - 1)*2 + 3 - 0 + 0 = 9", "3,456"]),
        ("--input 4x4x8 --transposed --filters 3 --stride 2 --padding 1 --output-padding 1", "8x8x3", []),
        ("--input 100x8 --filters 4", "98x6x4", ["                 for a series of 8 channels add --dimensions 1"]),
        ("--input 100x8 conv1d:4 max_pool1d:2", "49x4", ["input            100x8 (length x channels)"]),
        ("--input 100x8 --dimensions 1 --filters 4", "98x4", ["length           (100 - 3 + 0)/1 + 1 = 98"]),
        ("--input 100x8 conv1d:4", "98x4", []),
        ("--input 100 --kernel-size 5", "96", []),
        ("--input 16x32x32x1 --filters 2", "14x30x30x2", ["depth", "(3*3*3*1 + 1)*2 = 56"]),
        ("--input 7x9x3 --filters 4 --kernel-size 3x5 --stride 2x1", "3x5x4", ["height", "width"]),
        ("--input 7x9x3 --filters 4 --padding 1,2", "7x11x4", []),
        ("--input 8x8x4 --filters 4 --groups 2 --no-bias", "6x6x4", ["3*3*2", "= 72"]),
        ("--input 7x7x1 --dilation 2", "3x3", ["(7 - (2*(3 - 1) + 1) + 0)/1 + 1 = 3"]),
        ("--input 28x28x1 conv:32,kernel=3,relu pool:2 flatten dense:10", "10", ["26x26x32", "13x13x32", "5408"]),
        ("--input 28x28x192 [ conv:64,kernel=1 | conv:32,same ]", "28x28x96", ["parallel_1"]),
    ],
)
def test_the_lectures_numbers(convcli, arguments, first, contained):
    code, out, err = convcli(*arguments.split())
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == first
    for text in contained:
        assert text in out
    assert max(map(len, out.splitlines())) <= 80


def test_mnist_by_hand(convcli):
    words = "conv:32,relu pool:2 conv:64,relu pool:2 conv:64,relu flatten dense:64,relu dense:10,softmax"
    code, out, _ = convcli("--input", "28x28x1", *words.split())
    assert code == 0 and "parameters       93,322" in out


def test_json_is_the_contract_s(convcli):
    code, out, _ = convcli("--input", "7x7x3", "--filters", "4", "--json")
    document = json.loads(out)
    assert code == 0
    promised = {key: document[key] for key in ("input", "output", "params", "macs", "layers")}
    assert promised == {
        "input": [7, 7, 3],
        "output": [5, 5, 4],
        "params": 112,
        "macs": 2700,
        "layers": [
            {
                "name": "conv_1",
                "type": "conv",
                "output": [5, 5, 4],
                "params": 112,
                "macs": 2700,
                "receptive_field": [3, 3],
            }
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("", 2, "Missing option '--input'"),
        ("--input 0x5x3", 2, "'--input' / '-i': got '0x5x3', expected one to four whole numbers"),
        ("--input -3x5", 2, "got '-3x5'"),
        (
            "--input 1000000000000000000000000000000x5x3",
            2,
            "expected one to four whole numbers from 1 to 1,000,000,000",
        ),
        ("--input axb", 2, "got 'axb'"),
        ("--input 5x5 --stride 0", 2, "'--stride': got '0'"),
        ("--input 5x5 --stride -1", 2, "'--stride': got '-1'"),
        ("--input 5x5 --filters 1e30", 2, "got '1e30'"),
        ("--input 5x5 --padding -1", 2, "got '-1', expected valid, same, full"),
        ("--input 5x5 --padding sam", 2, "got 'sam', expected valid, same, full"),
        ("--input 7x7x3 --dimensions 1", 2, "expected 1 sizes and the channels"),
        ("--input 7x7x3 --dimensions 4", 2, "--dimensions"),
        ("--input 7x7x3 --pool 2 --filters 4", 2, "--filters goes with a convolution and not with --pool"),
        ("--input 7x7x3 --filters 4 --ceil", 2, "--ceil goes with --pool"),
        ("--input 7x7x3 --output-padding 1", 2, "--output-padding goes with --transposed"),
        ("--input 7x7x3 conv:3 --filters 4", 2, "--filters describes a single layer"),
        ("--input 7x7x3 cnv:3", 2, "did you mean 'conv'?"),
        ("--input 7x7x3 [ conv:3", 2, "has no matching ']'"),
        ("--input 7x7x3 --nonsense", 2, "No such option"),
        (
            "--input 5x5x3 --kernel-size 7",
            1,
            "got 5x5x3 with height 5, expected at least 7 for --kernel-size 7; try --kernel-size 5 or --padding 1",
        ),
        ("--input 5x5x3 --groups 2", 1, "groups: got 2, expected a divisor of the 3 input channels"),
        ("--input 8x8x3 [ conv:3 | conv:3,kernel=5 ]", 1, "branch 2 gives 4x4x3, expected 6x6 as in branch 1"),
        ("--input 8x8x3 conv:3 --plot net.png", 1, "expected a name that ends in .svg"),
    ],
)
def test_wrong_usage_is_2_and_what_does_not_fit_is_1(convcli, arguments, code, message):
    got, out, err = convcli(*arguments.split())
    assert (got, out) == (code, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert message in err


def test_plot(convcli, tmp_path):
    target = tmp_path / "net.svg"
    code, out, _ = convcli("--input", "28x28x1", "conv:32", "pool:2", "--plot", str(target))
    assert code == 0 and str(target) in out
    assert target.read_text().startswith("<svg")
    code, _, err = convcli("--input", "28x28x1", "conv:32", "--plot", str(target))
    assert code == 1 and "add --overwrite" in err
    code, out, _ = convcli("--input", "28x28x1", "conv:32", "--plot", str(target), "--overwrite", "--json")
    assert code == 0 and json.loads(out)["plot"] == str(target)


def test_help_fits_80_columns_and_its_examples_run(convcli):
    code, out, _ = convcli("--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "depthwise:KERNEL_SIZE" in out
    examples = [shlex.split(line)[2:] for line in command.help.splitlines() if line.strip().startswith("convcli shape")]
    assert len(examples) >= 7
    for example in examples:
        assert convcli(*example)[0] == 0


@pytest.mark.parametrize("arguments", [["shape", "--input", "7x7x3", "--filters", "4"], ["summary", "googlenet"]])
def test_neither_numpy_nor_numba_nor_rich_is_loaded_nor_much_else(arguments):
    code = (
        "import sys; from convcli.cli import run; code = run(sys.argv[1:]); "
        "loaded = {'numpy', 'numba', 'rich', 'PIL', 'matplotlib', 'tifffile'} & set(sys.modules); "
        "print(len(sys.modules), file=sys.stderr); sys.exit(f'loaded {loaded}' if loaded or code else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr) < 300  # modules: what takes the time of a short command


@pytest.mark.parametrize("spec", ["-1 0 1; -1 0 1; -1 0 1", "sobel", "log:sigma=0.5,size=3"])
def test_k_is_a_kernel_whose_size_counts(convcli, spec):
    words = ("--input", "9x9x1", "--filters", "2")
    expected = convcli(*words, "--kernel-size", "3")
    assert convcli(*words, "-k", spec) == expected and expected[0] == 0
    assert convcli("--input", "9", "-k", "1 0 -1") == convcli("--input", "9", "--kernel-size", "3")
    code, _, err = convcli(*words, "-k", "nothing")
    assert code == 2 and "no kernel or file" in err


def test_a_size_as_k_still_works_and_says_so(convcli):
    words = ("--input", "9x9x1", "--filters", "2")
    code, now, err = convcli(*words, "--kernel-size", "5x3")
    assert (code, err, now.splitlines()[0]) == (0, "", "5x7x2")
    notice = "Warning: -k will be a kernel here too, and no size; write --kernel-size 5x3\n"
    for spelling in ("5x3", "5,3"):
        assert convcli(*words, "-k", spelling) == (0, now, notice)
    assert convcli(*words, "-k", "5x3", "-q") == (0, now, "")
    code, _, err = convcli(*words, "-k", "5", "--kernel-size", "5")
    assert code == 2 and "got both -k and --kernel-size" in err
