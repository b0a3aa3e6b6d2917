"""The page of rates, and its extract in the README, equal what the files of results give."""

from __future__ import annotations

import json

import pytest

from harness.datasets.identity import affwild2_frame_counts
from harness.reference.sizes import data_set_sizes
from tests.benchmarks.encoder_results import RESULTS, UNITS
from tests.benchmarks.performance_page import PAGE, README, files_of_results, page, with_extract


def test_page_equals_the_files_of_results():
    assert PAGE.read_text(encoding="utf-8") == page(files_of_results())


def test_readme_extract_equals_the_files_of_results():
    readme = README.read_text(encoding="utf-8")
    assert readme == with_extract(readme, files_of_results())
    assert "| `landmarks` |" in readme


def test_hours_follow_from_amount_and_rate():
    (results, *_) = files_of_results()
    one = next(one for one in results.measurements if one.name == "landmarks")
    frames = sum(affwild2_frame_counts().values())
    assert frames == 3_091_063  # summed from the table with awk
    hours = f"{frames / one.rate / 3600:.2g}"
    assert f"| Aff-Wild2 | `landmarks` | {hours} |" in page([results])


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_results_name_the_kind_of_machine_alone(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert set(content["machine"]) == {"cpu", "cores", "threads", "python", "packages", "date"}
    for one in content["measurements"]:
        assert one["rate"] > 0
        assert one["work"] > 0
        assert one["kind"] in UNITS
        assert one["weights"] in ("random", "published", "none")
    assert not {one["name"] for one in content["measurements"]} & set(content["missing"])


def test_every_size_has_a_source():
    sizes = data_set_sizes()
    assert {size.data_set for size in sizes} == {"Aff-Wild2", "DVD", "Hume-Vidmimic2", "BAH"}
    assert all(size.amount > 0 and size.source for size in sizes)
