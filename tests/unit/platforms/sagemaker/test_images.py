"""The image of a job: the one that is named, or AWS's own for what the code imports."""

import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from botocore.session import Session

from ipymlops.errors import UsageProblem
from ipymlops.platforms.sagemaker import catalogue, images
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import machine_called
from ipymlops.platforms.sagemaker.images import base_frameworks, image_of
from ipymlops.spec import JobSpec

SPEC = JobSpec("train.py", imports=("numpy", "torch"))
CPU, GPU, TRAINIUM = machine_called("ml.m5.xlarge"), machine_called("ml.g5.xlarge"), machine_called("ml.trn1.2xlarge")
USUAL = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.13"


@pytest.fixture
def plain(home):
    """A caller without an image among the settings; nobody is asked."""
    return Aws(home, {"region": "us-east-1"}, {})


@pytest.fixture
def today(monkeypatch):
    """Another day."""

    def set_to(text):
        class Then(date):
            @classmethod
            def today(cls):
                return cls.fromisoformat(text)

        monkeypatch.setattr(images, "date", Then)

    set_to("2026-12-01")
    return set_to


@pytest.fixture(autouse=True)
def vendor(tmp_path, monkeypatch, today):
    """The tests' day, and what puts a package with the vendor's catalogue where Python finds it; until then there is none."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setattr("sys.path", [str(site), *sys.path])

    def put(package="sagemaker_core", folder="sagemaker/core/image_uri_config", **files):
        (site / f"{package}-9.dist-info").mkdir()
        (site / f"{package}-9.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 9\n"
        )
        (site / folder).mkdir(parents=True)
        (site / "sagemaker" / "__init__.py").write_text("raise SystemExit('imported')")
        for name, told in files.items():
            text = told if isinstance(told, str) else json.dumps(told)
            (site / folder / f"{name}.json").write_text(text)

    return put


def test_a_named_image_is_taken_as_it_is(plain, home):
    assert image_of(plain, replace(SPEC, image="mine:1"), GPU) == ("mine:1", "the image mine:1: as asked for")
    configured = Aws(home, {"region": "us-east-1", "image": "ours:2"}, {})
    assert image_of(configured, SPEC, GPU) == ("ours:2", "the image ours:2: the setting sagemaker.image")
    assert image_of(configured, replace(SPEC, image="mine:1"), GPU)[0] == "mine:1"


def test_the_stock_image_is_for_the_framework_and_the_kind_of_machine(plain):
    found, note = image_of(plain, SPEC, GPU)
    assert found == f"{USUAL}-cu133-amzn2023-sagemaker"
    assert note == f"the image {found}: AWS's own for torch, which the code imports"
    assert image_of(plain, SPEC, CPU)[0] == f"{USUAL}-cpu-amzn2023-sagemaker"


def test_a_machine_that_is_not_in_our_table_is_told_by_its_family(plain):
    assert "-cu133-" in image_of(plain, SPEC, machine_called("ml.p3dn.24xlarge"))[0]
    assert "-cpu-" in image_of(plain, SPEC, machine_called("ml.r7i.large"))[0]


def test_a_chip_that_is_no_gpu_needs_an_image_of_its_own(plain):
    with pytest.raises(UsageProblem, match="AWS Trainium needs an image of its own kind") as refused:
        image_of(plain, SPEC, TRAINIUM)
    assert refused.value.fix.startswith("--image ")
    assert image_of(plain, replace(SPEC, image="neuron:1"), TRAINIUM)[0] == "neuron:1"


@pytest.mark.parametrize(
    ("day", "tag", "is_told"),
    [
        ("2027-07-20", "2.13-cu133", False),
        ("2027-07-21", "2.13-cu133", True),
    ],
)
def test_the_newest_whose_patches_have_not_ended(day, tag, is_told, plain, today):
    today(day)
    found, note = image_of(plain, SPEC, GPU)
    assert tag in found
    assert ("patches ended on 2027-07-20" in note) is is_told


def test_a_new_image_with_a_short_life_gives_way_to_one_that_is_patched_longer(plain, today, monkeypatch):
    rows = [{"gpu": "new:1", "until": "2026-12-31"}, {"gpu": "old:1", "until": "2027-06-30"}]
    monkeypatch.setattr(images, "_table", lambda: {**table, "stock": {"torch": rows}})
    table = images.tomllib.loads((Path(images.__file__).parent / "images.toml").read_text())
    assert image_of(plain, SPEC, GPU)[0].endswith("/new:1")
    today("2027-01-01")
    assert image_of(plain, SPEC, GPU)[0].endswith("/old:1")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "763104351884.dkr.ecr.eu-west-1.amazonaws.com"),
        ("me-south-1", "217643126080.dkr.ecr.me-south-1.amazonaws.com"),
        ("cn-north-1", "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "442386744353.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("xx-moon-9", "763104351884.dkr.ecr.xx-moon-9.amazonaws.com"),
    ],
)
def test_each_region_has_its_own_registry(region, host, home):
    assert image_of(Aws(home, {"region": region}, {}), SPEC, GPU)[0].startswith(f"{host}/pytorch:")


def test_the_table_names_real_regions_twelve_digit_accounts_and_both_kinds_of_the_usual_image():
    table = images.tomllib.loads((Path(images.__file__).parent / "images.toml").read_text())
    session = Session()
    assert [name for name in table["accounts"] if not session.get_partition_for_region(name)] == []
    assert {len(one) for one in (table["account"], *table["accounts"].values())} == {12}
    usual = table["stock"][table["default"]]
    assert {kind for row in usual for kind in row} == {"gpu", "cpu", "until"}


def test_without_a_region_no_address_is_made_up(home):
    assert image_of(Aws(home, {}, {}), SPEC, GPU)[0] is None


def test_what_is_built_on_something_is_that():
    assert base_frameworks(("lightning", "pandas")) == ("torch",)
    assert base_frameworks(("sklearn", "tensorflow", "torchvision")) == ("torch", "tensorflow", "sklearn")
    assert base_frameworks(("pandas",)) == ()


def test_code_without_a_framework_gets_the_usual_image_and_is_told(plain):
    found, note = image_of(plain, replace(SPEC, imports=()), CPU)
    assert found.startswith(USUAL)
    assert "the code imports no framework we know" in note


def test_a_framework_without_an_image_gets_the_usual_one_and_the_way_to_more(plain):
    found, note = image_of(plain, replace(SPEC, imports=("xgboost",)), CPU)
    assert found.startswith(USUAL)
    assert "none is known for xgboost" in note
    assert "pip install 'ipymlops[sagemaker-images]'" in note


REGISTRIES = {"registries": {"us-east-1": "111122223333"}}
XGBOOST = {"training": {"versions": {v: {"repository": "xgb", **REGISTRIES} for v in ("1.7-1", "3.2-0", "3.10-1")}}}
SKLEARN = {
    "training": {
        "versions": {"1.9-0": {"processors": ["cpu"], "py_versions": ["py3"], "repository": "skl", **REGISTRIES}}
    }
}
TENSORFLOW = {
    "training": {
        "processors": ["cpu", "gpu"],
        "versions": {"2.9": {"repository": "tf", "py_versions": ["py39", "py312"], **REGISTRIES}},
    }
}
HUGGINGFACE = {
    "training": {
        "processors": ["gpu"],
        "versions": {
            "5.3.0": {
                "version_aliases": {"pytorch2.9": "pytorch2.9.0"},
                "pytorch2.9.0": {
                    "py_versions": ["py312"],
                    "repository": "hf",
                    "container_version": {"gpu": "cu130-ubuntu22.04"},
                    **REGISTRIES,
                },
                "tensorflow2.20": {"repository": "hf-tf", **REGISTRIES},
            }
        },
    }
}


@pytest.mark.parametrize(
    ("imported", "machine", "image"),
    [
        ("xgboost", CPU, "xgb:3.10-1"),
        ("xgboost", GPU, "xgb:3.10-1"),
        ("sklearn", CPU, "skl:1.9-0-cpu-py3"),
        ("keras", CPU, "tf:2.9-cpu-py312"),
        ("tensorflow", GPU, "tf:2.9-gpu-py312"),
        ("transformers", GPU, "hf:2.9.0-transformers5.3.0-gpu-py312-cu130-ubuntu22.04"),
    ],
)
def test_the_vendors_catalogue_is_read_and_never_imported(imported, machine, image, plain, vendor):
    vendor(xgboost=XGBOOST, sklearn=SKLEARN, tensorflow=TENSORFLOW, huggingface=HUGGINGFACE)
    found, note = image_of(plain, replace(SPEC, imports=(imported,)), machine)
    assert found == f"111122223333.dkr.ecr.us-east-1.amazonaws.com/{image}"
    assert note.endswith("which the code imports")


def test_a_tag_may_have_a_beginning_of_its_own_and_no_word_for_the_processor(vendor):
    row = {"repository": "r", "tag_prefix": "2.13", "processor_in_tag": False, **REGISTRIES}
    told = {"processors": ["gpu"], "versions": {"2.13.0": row | {"container_version": {"gpu": "cu133"}}}}
    vendor(pytorch=told)
    assert catalogue.newest("pytorch", "us-east-1", is_gpu=True) == catalogue.Found("111122223333", "r:2.13-cu133")


def test_a_machine_or_region_that_the_catalogue_lacks_gets_the_usual_image(plain, vendor, home):
    vendor(sklearn=SKLEARN, huggingface=HUGGINGFACE)
    sklearn, both = replace(SPEC, imports=("sklearn",)), replace(SPEC, imports=("transformers", "torch"))
    assert image_of(plain, sklearn, GPU)[0].startswith(USUAL)
    assert "pip install" not in image_of(plain, sklearn, GPU)[1]
    assert "AWS's own for torch" in image_of(plain, both, CPU)[1]
    assert "/pytorch:" in image_of(Aws(home, {"region": "eu-west-1"}, {}), sklearn, CPU)[0]


def test_the_older_package_has_it_elsewhere(vendor):
    vendor("sagemaker", "sagemaker/image_uri_config", xgboost=XGBOOST)
    assert catalogue.newest("xgboost", "us-east-1", is_gpu=False).image == "xgb:3.10-1"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"versions": []}', '{"versions": {"1": {"registries": {}}}}'])
def test_a_catalogue_of_another_form_is_none(content, plain, vendor):
    vendor(xgboost=content)
    assert catalogue.newest("xgboost", "us-east-1", is_gpu=False) is None
    assert image_of(plain, replace(SPEC, imports=("xgboost",)), CPU)[0].startswith(USUAL)
