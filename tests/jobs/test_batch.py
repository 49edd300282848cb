from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import ConvcliError
from convcli.jobs.batch import Files, Produced, run_tasks
from convcli.jobs.inputs import search
from convcli.jobs.tasks import Task, plan_tasks


def unchanged(image, format):
    """The operation that does nothing."""
    return Produced(image, (), {"format": format})


def make(folder, *names, size=(6, 5)):
    """Small PNGs in a folder."""
    for name in names:
        Pillow.new("RGB", size, (10, 200, 30)).save(folder / name)
    return [str(folder / name) for name in names]


def targets(*arguments, **words):
    return [task.target for task in plan_tasks(*arguments, **words)]


def test_folders_and_patterns_become_files(tmp_path):
    names = make(tmp_path, "b.png", "a.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert search([str(tmp_path)]).files == sorted(names)
    assert search([str(tmp_path / "*.png")]).files == sorted(names)
    assert search([names[0], str(tmp_path)]).files == [names[0], names[1]]
    assert search(["missing.png"]).files == ["missing.png"]
    with pytest.raises(ConvcliError, match="the pattern matches no file"):
        search([str(tmp_path / "*.jpg")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConvcliError, match="holds no picture, expected files ending in"):
        search([str(tmp_path / "empty")])


def test_targets(tmp_path):
    beside = str(Path("shots/a_sharpen.png"))
    assert targets(["shots/a.png"], None, "sharpen") == [beside]
    assert targets(["a.png"], "b.jpg", "sharpen") == ["b.jpg"]
    assert targets(["a.png", "b.jpg"], "out/", "box") == [str(Path("out/a_box.png")), str(Path("out/b_box.jpg"))]
    assert targets(["a.png"], str(tmp_path), "box") == [str(tmp_path / "a_box.png")]
    assert targets(["a.png", "b.png"], "{index:03d}-{stem}-{kernel}.tif", "box") == ["001-a-box.tif", "002-b-box.tif"]
    assert targets(["x/a.png"], "{stem}{ext}", "box") == ["a.png"]
    assert targets(["-"], None, "box") == ["-"]
    assert targets(["-"], "out/", "mask", suffixes={"": ".png"}) == [str(Path("out/stdin_mask.png"))]
    for output in ("out/", "{stem}{ext}"):
        with pytest.raises(ConvcliError, match="for standard input, whose format is not known before it is read"):
            targets(["-"], output, "box")
    assert targets(["a.png"], "a.png", "box", overwrite=True) == ["a.png"]
    assert targets(["a.jpg"], None, "box", format="png") == ["a_box.png"]
    assert targets(["-"], "out/", "box", format="tif") == [str(Path("out/stdin_box.tif"))]
    assert targets(["a.png"], "a{{b}}.png", "box") == ["a{b}.png"]


def test_results_of_an_earlier_run_are_no_inputs_of_a_folder(tmp_path):
    names = make(tmp_path, "a.png", "b.png", "a_box.png")
    found = search([str(tmp_path)]).files
    assert targets(found, None, "box", explicit=[str(tmp_path)]) == [
        str(tmp_path / "a_box.png"),
        str(tmp_path / "b_box.png"),
    ]
    with pytest.raises(ConvcliError, match="is also an input"):
        plan_tasks(found, None, "box", explicit=names)
    assert search([names[0], str(tmp_path / "." / "a.png")]).files == [names[0]]
    with pytest.raises(ConvcliError, match="got an empty name"):
        search([""])


def test_a_link_to_a_source_is_no_earlier_result(tmp_path):
    """Written through, it would be the end of that picture."""
    (tmp_path / "raw").mkdir()
    names = make(tmp_path / "raw", "a.png", "b.png")
    for place, found in ((tmp_path / "out", None), (tmp_path / "raw" / "out", [])):
        place.mkdir()
        (place / "a_box.png").symlink_to(names[1])
        files = search([str(tmp_path / "raw")]).files
        (place / "b_box.png").symlink_to(names[1])
        for sources in (files, names[1:]):
            with pytest.raises(ConvcliError, match=r"out/._box.png is also an input; choose another name"):
                plan_tasks(sources, f"{place}/", "box", overwrite=True, explicit=found)
    (tmp_path / "raw" / "a_box.png").symlink_to(names[1])
    with pytest.raises(ConvcliError, match=r"a_box.png is also an input"):
        plan_tasks(names, None, "box", overwrite=True, explicit=[])


def test_a_name_that_belies_the_format_is_refused():
    with pytest.raises(ConvcliError, match="format png, expected a name in"):
        plan_tasks(["a.png"], "b.jpg", "box", format="png")


def test_an_error_nobody_foresaw_fails_one_file_only(tmp_path):
    names = make(tmp_path, "a.png", "b.png")
    calls = []

    def operation(image, format):
        calls.append(image)
        return Produced(image) if len(calls) > 1 else Produced(image.surprise)

    outcomes = list(run_tasks(plan_tasks(names, str(tmp_path / "out") + "/", "x"), operation, Files()))
    assert [outcome.status for outcome in outcomes] == ["failed", "done"]
    assert "internal error (AttributeError" in outcomes[0].error


@pytest.mark.parametrize(
    ("sources", "output", "message"),
    [
        (["a.png"], "a.png", "a.png is also an input; choose another name"),
        (["a.png", "b.png"], "{stem}.png", "is also an input"),
        (["x/a.png", "y/a.png"], "out/", "would both become"),
        (["a.png", "b.png"], "out.png", r"got the one file out.png for 2 inputs, expected a folder \(out/\)"),
        (["a.png"], "{name}.png", "expected the fields {stem} {kernel} {ext} {index}"),
        (["a.png"], "{stem.__class__}.png", "got the field {stem.__class__}"),
        (["a.png"], "{stem", "expected the fields"),
        (["a.png", "-"], "out/", "expected it alone"),
        (["a.png", "b.png"], "-", "standard output: got 2 inputs, expected one"),
    ],
)
def test_impossible_outputs_are_refused_before_any_work(sources, output, message):
    with pytest.raises(ConvcliError, match=message):
        plan_tasks(sources, output, "box")


def test_one_bad_file_does_not_stop_the_rest(tmp_path):
    names = make(tmp_path, *(f"{i:03d}.png" for i in range(30)))
    Path(names[11]).write_bytes(Path(names[11]).read_bytes()[:40])
    outcomes = list(run_tasks(plan_tasks(names, str(tmp_path / "out") + "/", "same"), unchanged, Files()))
    assert [outcome.status for outcome in outcomes] == ["done"] * 11 + ["failed"] + ["done"] * 18
    assert names[11] in outcomes[11].error
    assert len(list((tmp_path / "out").iterdir())) == 29


def test_existing_outputs_are_refused_skipped_or_replaced(tmp_path):
    (name,) = make(tmp_path, "a.png")
    target = tmp_path / "out.png"
    target.write_bytes(b"precious")

    def statuses(**words):
        return [outcome.status for outcome in run_tasks([Task(name, str(target))], unchanged, Files(**words))]

    assert statuses() == ["failed"]
    assert statuses(skip_existing=True) == ["skipped"]
    assert target.read_bytes() == b"precious"
    assert statuses(overwrite=True) == ["done"]
    with Pillow.open(target) as written:
        assert written.size == (6, 5)


def test_an_operation_that_fails_leaves_nothing(tmp_path):
    (name,) = make(tmp_path, "a.png")

    def refuse(image, format):
        raise ConvcliError("cannot be done")

    (outcome,) = run_tasks([Task(name, str(tmp_path / "out.png"))], refuse, Files())
    assert outcome.error == f"{name}: cannot be done"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_an_interrupt_leaves_no_partial_file(tmp_path):
    names = make(tmp_path, *(f"{i}.png" for i in range(8)))
    seen = []

    def interrupt(image, format):
        seen.append(image)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return Produced(image)

    tasks = plan_tasks(names, str(tmp_path / "out") + "/", "x")
    with pytest.raises(KeyboardInterrupt):
        list(run_tasks(tasks, interrupt, Files()))
    written = sorted((tmp_path / "out").iterdir())
    assert len(written) <= 2
    for path in written:
        with Pillow.open(path) as picture:
            assert np.asarray(picture).shape == (5, 6, 3)


def test_streams(tmp_path, quiet_stream):
    (name,) = make(tmp_path, "a.png")
    with Path(name).open("rb") as stdin:
        files = Files(format="tiff", stdin=stdin, stdout=quiet_stream)
        (outcome,) = run_tasks([Task("-", "-")], unchanged, files)
    assert outcome.status == "done"
    assert outcome.details["format"] == "TIFF"
    assert quiet_stream.getvalue()[:2] == b"II"


def test_prepare_runs_once_and_before_the_first_operation(tmp_path):
    names = make(tmp_path, "a.png", "b.png")
    calls = []

    def operation(image, format):
        calls.append("operation")
        return Produced(image)

    tasks = plan_tasks(names, str(tmp_path / "out") + "/", "x")
    list(run_tasks(tasks, operation, Files(), prepare=lambda: calls.append("prepare")))
    assert calls == ["prepare", "operation", "operation"]
