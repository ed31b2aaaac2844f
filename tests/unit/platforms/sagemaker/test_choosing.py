"""The machine for a job on SageMaker, and what the card says of it."""

import re
from dataclasses import replace

import pytest
from botocore.session import Session

from ipymlops.errors import UsageProblem
from ipymlops.hardware.accelerators import accelerators
from ipymlops.hardware.machines import dearness
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import alternatives, choose, has_gpu, machine_for, machine_table, offers
from ipymlops.spec import JobSpec

SPEC = JobSpec("train.py")


def told(chosen):
    return "\n".join(chosen.notes)


def test_every_row_names_a_known_accelerator_and_a_type_of_training():
    shape = Session().get_service_model("sagemaker").shape_for("TrainingInstanceType")
    for one in machine_table():
        assert one.machine_type in shape.enum
        assert one.vcpus > 0
        assert one.ram_gib > 0
        if one.accelerator is None:
            assert (one.count, one.memory_gib) == (0, 0)
        else:
            assert one.count in {1, 2, 4, 8, 16}
            assert one.memory_gib == accelerators()[one.accelerator].memory_gib


def test_every_price_has_its_day_and_no_machine_is_cheaper_than_the_plain_one():
    for one in machine_table():
        if one.usd_per_hour is None:
            assert not one.is_estimate
            continue
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", one.as_of)
        assert one.region == "us-east-1"
        assert 0 < one.markup_pct <= 41


@pytest.mark.parametrize(
    ("machine_type", "accelerator", "count", "usd"),
    [
        ("ml.g4dn.12xlarge", "t4", 4, None),
        ("ml.g5.16xlarge", "a10g", 1, 5.12),
        ("ml.g6e.12xlarge", "l40s", 4, 13.12),
        ("ml.g7e.12xlarge", "rtx-pro-6000", 2, 10.36),
        ("ml.p4d.24xlarge", "a100", 8, 25.25),
        ("ml.p5.4xlarge", "h100", 1, 7.9),
        ("ml.p6-b300.48xlarge", "b300", 8, None),
        ("ml.trn1.2xlarge", "trainium", 1, None),
        ("ml.m5.xlarge", None, 0, 0.23),
    ],
)
def test_a_size_does_not_tell_how_many_gpus_there_are(machine_type, accelerator, count, usd):
    row = next(one for one in machine_table() if one.machine_type == machine_type)
    assert (row.accelerator, row.count, row.usd_per_hour) == (accelerator, count, usd)


@pytest.mark.parametrize(
    ("gpu", "machine_type", "asked"),
    [
        ("h100", "ml.p5.4xlarge", 1),
        ("h100:8", "ml.p5.48xlarge", 8),
        ("h100:2", "ml.p5.48xlarge", 2),
        ("t4", "ml.g4dn.xlarge", 1),
        ("l4:4", "ml.g6.12xlarge", 4),
        ("a100-80gb", "ml.p4de.24xlarge", 1),
        ("40gb+", "ml.g6e.xlarge", 1),
        ("b200", "ml.p6-b200.48xlarge", 1),
        ("a10,l4", "ml.g6.xlarge", 1),
        ("trn1", "ml.trn1.2xlarge", 1),
    ],
)
def test_a_gpu_is_the_cheapest_machine_that_has_it(gpu, machine_type, asked, aws):
    chosen = choose(aws, replace(SPEC, gpu=gpu))
    assert (chosen.machine.machine_type, chosen.asked_count) == (machine_type, asked)
    assert has_gpu(gpu)


@pytest.mark.parametrize("gpu", ["k80", "a100:9", "gb200", "tpu-v5e"])
def test_what_it_does_not_rent_it_has_not(gpu):
    assert not has_gpu(gpu)
    with pytest.raises(UsageProblem):
        machine_for(replace(SPEC, gpu=gpu))


def test_more_than_was_asked_for_is_told_with_its_price_and_the_single_gpus(aws):
    notes = choose(aws, replace(SPEC, gpu="a100")).notes
    assert "--gpu a100: SageMaker rents 8 together, all of them paid (ml.p4d.24xlarge, $25.25 an hour)" in notes
    assert notes[-1] == (
        "with as much memory it rents alone: --gpu l40s (ml.g6e.xlarge, $2.61 an hour), "
        "--gpu rtx-pro-6000 (ml.g7e.2xlarge, $4.20 an hour), --gpu h100 (ml.p5.4xlarge, $7.90 an hour, estimated)"
    )


def test_two_of_eight_are_told_with_what_comes_in_twos(aws):
    notes = choose(aws, replace(SPEC, gpu="a100:2")).notes
    assert notes[-1].startswith("with as much memory it rents 2 together: --gpu rtx-pro-6000:2 (ml.g7e.12xlarge")


def test_all_that_was_asked_for_needs_no_word(aws):
    assert choose(aws, replace(SPEC, gpu="a100:8")).notes == ()
    assert choose(aws, replace(SPEC, gpu="l4")).notes == ()


def test_no_gpu_is_offered_in_place_of_what_is_no_gpu(aws):
    notes = told(choose(aws, replace(SPEC, gpu="trainium:8")))
    assert "16 together" in notes
    assert "as much memory" not in notes


def test_the_choices_are_told_in_their_order(aws):
    notes = told(choose(aws, replace(SPEC, gpu="a10,l4,t4")))
    assert "SageMaker rents no a10: l4 is the next choice" in notes
    assert "next in line: --gpu t4 (ml.g4dn.xlarge, $0.74 an hour)" in notes


def test_a_job_that_asks_for_no_machine_gets_a_small_one_with_its_price(aws):
    chosen = choose(aws, SPEC)
    assert (chosen.machine.machine_type, chosen.machine.usd_per_hour, chosen.asked_count) == ("ml.m5.xlarge", 0.23, 0)
    assert (chosen.machine.is_estimate, chosen.notes) == (True, ())


def test_a_machine_and_a_gpu_must_agree(aws):
    spec = replace(SPEC, gpu="a10g,l4", machine_type="ml.g6.4xlarge")
    chosen = choose(aws, spec)
    assert (chosen.machine.machine_type, chosen.asked_count) == ("ml.g6.4xlarge", 1)
    with pytest.raises(UsageProblem, match=r"ml\.g6\.4xlarge does not have --gpu l4:2") as refused:
        choose(aws, replace(spec, gpu="l4:2"))
    assert refused.value.why.startswith("it has 1 x l4")
    assert refused.value.fix == "ipymlops gpus l4:2"


def test_a_misspelt_machine_is_refused_with_the_nearest(aws):
    with pytest.raises(UsageProblem, match=r"no machine 'ml\.g6\.2xlrge'") as refused:
        choose(aws, replace(SPEC, machine_type="ml.g6.2xlrge"))
    assert refused.value.fix == "--machine ml.g6.2xlarge"


def test_a_machine_named_as_ec2_names_it_is_refused_with_the_one_it_means(aws):
    with pytest.raises(UsageProblem) as refused:
        choose(aws, replace(SPEC, machine_type="m5.large"))
    assert refused.value.fix == "--machine ml.m5.large"


def test_a_machine_that_only_the_library_knows_has_no_known_gpu_and_price(aws):
    chosen = choose(aws, replace(SPEC, machine_type="ml.r7i.large"))
    assert (chosen.machine.usd_per_hour, chosen.machine.accelerator) == (None, None)
    assert "the price of ml.r7i.large is not known" in chosen.notes
    assert "ml.r7i.large is not in our table" in told(chosen)


def test_a_machine_that_must_be_bought_ahead_is_not_asked_for(aws):
    with pytest.raises(UsageProblem, match="cannot be asked for") as refused:
        choose(aws, replace(SPEC, machine_type="ml.p6e-gb200.36xlarge"))
    assert "training plan" in refused.value.why


def test_a_machine_that_is_going_away_is_told(aws):
    assert "AWS is retiring the P3 machines" in choose(aws, replace(SPEC, gpu="v100")).notes


def test_the_offers_are_all_with_an_accelerator_cheapest_first(aws):
    found = list(offers(aws))
    assert len(found) == sum(1 for one in machine_table() if one.accelerator)
    assert found == sorted(found, key=dearness)
    assert found[0].machine_type == "ml.g4dn.xlarge"


def options(aws, gpu, machine_type=None):
    machine = machine_for(replace(SPEC, gpu=gpu, machine_type=machine_type))
    return [option for option, _ in alternatives(aws, machine, gpu)]


def test_where_there_is_no_capacity_come_the_other_choices_then_the_like_then_others(aws):
    assert options(aws, "l4,a10g") == ["--machine ml.g5.xlarge", "--machine ml.g6.2xlarge", "--machine ml.g6.4xlarge"]
    assert options(aws, "a100") == ["--machine ml.p4de.24xlarge", "--gpu l40s", "--gpu rtx-pro-6000"]
    assert options(aws, "a100:8") == ["--machine ml.p4de.24xlarge", "--gpu l40s:8", "--gpu rtx-pro-6000:8"]
    assert options(aws, None, "ml.p5.4xlarge") == [
        "--machine ml.g7e.2xlarge",
        "--machine ml.p5.48xlarge",
        "--machine ml.p4de.24xlarge",
    ]
    assert options(aws, None, "ml.m5.xlarge")[0] == "--machine ml.c5.2xlarge"
    assert options(aws, None, "ml.r7i.large") == []


def test_each_alternative_can_stand_in_the_line(aws):
    for gpu in ("a100", "a100:2", "l4,a10g", "40gb+", "v100:2", "trainium:8", "b300"):
        for option, machine in alternatives(aws, machine_for(replace(SPEC, gpu=gpu)), gpu):
            flag, value = option.split()
            spec = replace(SPEC, gpu=gpu, machine_type=value) if flag == "--machine" else replace(SPEC, gpu=value)
            assert machine_for(spec).machine_type == machine.machine_type, option


def test_alternatives_have_the_prices_of_the_region(aws, home):
    elsewhere = Aws(home, aws.settings | {"region": "eu-west-3"}, aws.env)
    assert {one.usd_per_hour for _, one in alternatives(elsewhere, machine_for(replace(SPEC, gpu="l4")), "l4")} == {
        None
    }
