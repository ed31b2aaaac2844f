"""Names, channels and tags within the service's alphabets, whatever the words are that they are made of."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipymlops.job import new_job_id
from ipymlops.platforms.sagemaker.names import channel_names, tags_of, training_job_name
from ipymlops.runtime.places.sagemaker_layout import OUR_CHANNELS
from tests.servers.sagemaker_api.model import service_model

JOB_ID = new_job_id()


def is_taken_by(shape: str, text: str) -> bool:
    """Whether the service's own model lets it through; Python knows no classes of Unicode in a pattern."""
    facts = service_model("sagemaker").shape_for(shape).metadata
    plain = (
        "".join("a" if unicodedata.category(one)[0] in "LZN" else one for one in text)
        if "p{L}" in facts["pattern"]
        else text
    )
    pattern = facts["pattern"].replace(r"\p{L}\p{Z}\p{N}", "a")
    return facts["min"] <= len(text) <= facts["max"] and re.fullmatch(pattern, plain) is not None


@given(st.text(max_size=200))
def test_any_name_becomes_one_of_sagemaker_s_with_the_whole_id(name):
    native = training_job_name(name, JOB_ID)
    assert is_taken_by("TrainingJobName", native)
    assert native == JOB_ID or native.endswith(f"-{JOB_ID}")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        *(("train-1", "train-1-"), ("my_run.v2", "my-run-v2-"), ("-a--b-", "a-b-"), ("", ""), ("日本", "")),
        *(("x" * 80, "x" * 46 + "-"), ("x" * 45 + "--y", "x" * 45 + "-")),
    ],
)
def test_a_name_is_kept_as_far_as_it_goes(name, slug):
    assert training_job_name(name, JOB_ID) == slug + JOB_ID


@given(st.lists(st.text(min_size=1, max_size=90), max_size=17, unique=True))
def test_each_data_has_a_channel_of_its_own_and_none_of_ours(names):
    channels = channel_names([*names, *OUR_CHANNELS])
    assert len(set(channels.values())) == len(channels)
    assert not set(channels.values()) & set(OUR_CHANNELS)
    assert all(is_taken_by("ChannelName", channel) for channel in channels.values())


@given(st.lists(st.tuples(st.text(max_size=140), st.text(max_size=300)), max_size=60))
def test_any_labels_become_tags_that_aws_takes_or_are_told(labels):
    tags, notes = tags_of(tuple(labels))
    assert len(tags) <= 48
    assert len({tag["Key"] for tag in tags}) == len(tags)
    for tag in tags:
        assert is_taken_by("TagKey", tag["Key"])
        assert is_taken_by("TagValue", tag["Value"])
        assert not tag["Key"].lower().startswith(("aws:", "ipymlops:"))
    as_they_are = [(tag["Key"], tag["Value"]) for tag in tags] == labels
    assert bool(notes) == (not as_they_are)


def test_labels_in_any_script_stay_as_they_are():
    labels = (("équipe", "日本 #3"), ("cost-center", "a/b:c=d+e@f"))
    tags, [note] = tags_of(labels)
    assert [tag["Value"] for tag in tags] == ["日本 _3", "a/b:c=d+e@f"]
    assert "équipe" in note
    assert "cost-center" not in note
