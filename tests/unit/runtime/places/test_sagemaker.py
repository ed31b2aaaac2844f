"""What a training container tells its launcher, and the launcher the script."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from ipymlops.runtime.places.sagemaker_time import obtained_at
from tests.unit.runtime.launched import eventually, pythons

TELLS = "import json, os, sys\nprint(json.dumps([dict(os.environ), len(sys.argv)]))\n"
DAY_S = 86400.0


def told(container, **changes):
    """The variables that a script sees."""
    code, out, err = container.finished(TELLS, **changes)
    assert (code, err) == (0, b""), err
    return json.loads(out)[0]


def test_one_machine_needs_no_description_of_it(container):
    env = told(container)
    assert (env["IPYMLOPS_NODE_RANK"], env["IPYMLOPS_NODES"], env["IPYMLOPS_MAIN_ADDRESS"]) == ("0", "1", "127.0.0.1")
    assert env["IPYMLOPS_OUTPUT_DIR"] == str(container.mirrored / "output")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"hosts": "algo-1", "current_host": 7}', '{"hosts": [1], "current_host": "algo-1"}']
)
def test_a_description_of_another_form_is_none(container, text):
    (container.ml / "input" / "config" / "resourceconfig.json").write_text(text)
    assert told(container)["IPYMLOPS_NODES"] == "1"


def test_hosts_have_their_rank_by_their_numbers(container):
    hosts = [f"127.0.0.{number}" for number in (1, 10, 11, 2, 3, 9)]  # sorted as the service does
    container.described("resourceconfig", {"hosts": hosts, "current_host": "127.0.0.10"})
    container.at_rank(4)
    env = told(container)
    assert (env["IPYMLOPS_NODE_RANK"], env["IPYMLOPS_NODES"], env["IPYMLOPS_MAIN_ADDRESS"]) == ("4", "6", "127.0.0.1")
    assert env["IPYMLOPS_OUTPUT_DIR"] == str(container.mirrored / "output" / "node-4")
    assert env["IPYMLOPS_CHECKPOINT_DIR"] == str(container.mirrored / "checkpoints")
    assert env["IPYMLOPS_METRICS_FILE"] == container.state.path("metrics.jsonl")
    assert (env["SM_MASTER_ADDR"], env["SM_CURRENT_HOST_RANK"], env["SM_HOST_COUNT"]) == ("127.0.0.1", "4", "6")
    assert container.json("manifest.json")["rank"] == 4
    assert container.kept("ipymlops/node-4/result.json").exists()


NAMES = """
import os, socket, subprocess, sys, threading
folder, words = sys.argv[1], sys.argv[2:]
for name, text in (("hosts", ""), ("resolv.conf", "nameserver 127.0.0.1")):
    path = os.path.join(folder, name)
    open(path, "w").write(text)
    subprocess.run(["mount", "--bind", path, "/etc/" + name], check=True)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
def serve():
    asked = 0
    while True:
        query, whence = server.recvfrom(4096)
        end = query.index(0, 12) + 5
        is_address = query[end - 4 : end - 2] == b"\\0\\1"
        asked += is_address
        found = asked > 2 and is_address
        flags = b"\\x81\\x80" if asked > 2 else b"\\x81\\x83"
        answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\1\\0\\4\\x7f\\0\\0\\1" if found else b""
        server.sendto(query[:2] + flags + b"\\0\\1\\0" + bytes([found]) + b"\\0\\0\\0\\0" + query[12:end] + answer, whence)
threading.Thread(target=serve, daemon=True).start()
sys.exit(subprocess.run(words).returncode)
"""


def test_the_script_starts_once_the_first_machine_has_an_address(container, tmp_path):
    """A real name server of a network of its own, that knows the name at the third question."""
    container.described("resourceconfig", {"hosts": ["algo-1", "algo-2"], "current_host": "algo-1"})
    script = "import os, socket\nprint(socket.gethostbyname(os.environ['IPYMLOPS_MAIN_ADDRESS']))"
    (tmp_path / "names.py").write_text(NAMES)
    (tmp_path / "etc").mkdir()
    python = container.wrapped("unshare", "-mn", "python3", str(tmp_path / "names.py"), str(tmp_path / "etc"))
    config = container.config({"train.py": script}, mirror_wait_s=0, region="nowhere-1")
    code, out, err = container.run(config, python=python, env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert (code, out) == (0, b"127.0.0.1\n"), err


def test_a_stop_ends_the_wait_for_the_first_machine(container):
    container.described("resourceconfig", {"hosts": ["no.such.name.invalid", "z"], "current_host": "z"})
    container.at_rank(1)
    process = container.start(container.config({"train.py": "print('ran')"}, mirror_wait_s=0))
    eventually(lambda: handles_sigterm(process.pid), "a handler of SIGTERM")
    process.terminate()
    with container.mirroring():
        assert process.communicate(timeout=60)[0] == b""
    assert container.result["error"]["what"] == "the script was not started"


def handles_sigterm(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return int(line.split()[1], 16) & (1 << (signal.SIGTERM - 1))
    return False


def test_scripts_written_for_sagemaker_find_their_variables(container):
    container.described("hyperparameters", {"learning-rate": "0.1"})
    container.described(
        "inputdataconfig", {"train": {"TrainingInputMode": "File"}, "ipymlops": {}, "ipymlops-code": {}}
    )
    resources = {"hosts": ["algo-1"], "current_host": "algo-1", "current_instance_type": "ml.m5.large"}
    container.described("resourceconfig", resources)
    env, ml = told(container, argv=["--lr", "3e-4"]), str(container.ml)
    assert {name: value for name, value in env.items() if name.startswith("SM_")} == {
        "SM_MODEL_DIR": f"{ml}/model",
        "SM_INPUT_DIR": f"{ml}/input",
        "SM_INPUT_CONFIG_DIR": f"{ml}/input/config",
        "SM_OUTPUT_DIR": f"{ml}/output",
        "SM_OUTPUT_DATA_DIR": f"{ml}/output/data",
        "SM_CHANNELS": '["train"]',
        "SM_CHANNEL_TRAIN": f"{ml}/input/data/train",
        "SM_HPS": '{"learning-rate": "0.1"}',
        "SM_HP_LEARNING_RATE": "0.1",
        "SM_USER_ARGS": '["--lr", "3e-4"]',
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_HOST_COUNT": "1",
        "SM_CURRENT_HOST_RANK": "0",
        "SM_CURRENT_INSTANCE_TYPE": "ml.m5.large",
        "SM_NETWORK_INTERFACE_NAME": "",
        "SM_NUM_CPUS": str(os.cpu_count()),
        "SM_NUM_GPUS": "0",
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_INPUT_DATA_CONFIG": '{"train": {"TrainingInputMode": "File"}}',
        "SM_MASTER_ADDR": "algo-1",
        "SM_MASTER_PORT": "7777",
        "SM_TRAINING_ENV": env["SM_TRAINING_ENV"],
    }
    one = json.loads(env["SM_TRAINING_ENV"])
    assert (one["hosts"], one["num_cpus"], one["model_dir"]) == (["algo-1"], os.cpu_count(), f"{ml}/model")
    assert one["channel_input_dirs"] == {"train": f"{ml}/input/data/train"}


def test_what_is_set_already_stays(container):
    env = told(container, env={"SM_HOSTS": "users"}, environment={"SM_MODEL_DIR": "images", "HF_HOME": "/images"})
    assert (env["SM_HOSTS"], env["SM_MODEL_DIR"], env["HF_HOME"]) == ("users", "images", "/images")


def test_caches_leave_the_small_disk(container):
    env = told(container)
    assert (env["HF_HOME"], env["PIP_CACHE_DIR"]) == ("/tmp/ipymlops/cache/huggingface", "/tmp/ipymlops/cache/pip")
    assert {"XDG_CACHE_HOME", "TORCH_HOME", "CONDA_PKGS_DIRS"} <= set(env)


def test_caches_of_a_machine_that_is_kept_warm_are_kept(container):
    env = told(container, environment={"SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY": "/opt/ml/sagemaker/warmpoolcache"})
    assert env["TORCH_HOME"] == "/opt/ml/sagemaker/warmpoolcache/torch"


def test_the_roles_keys_are_as_the_service_gave_them(container):
    container.secret("s", "hunter2hunter2")
    env = told(container, secret_names=["S"], secrets_from={"S": {"id": "s", "key": None}})
    assert {name: value for name, value in env.items() if name.startswith("AWS_")} == container.env


def test_ten_thousand_arguments_leave_no_room_for_a_copy(container):
    words = [f"--argument-number-{number}" for number in range(10_000)]
    code, out, _ = container.finished(TELLS, argv=words)
    env, count = json.loads(out)
    assert (code, count) == (0, 10_001)
    assert "SM_USER_ARGS" not in env
    assert "SM_TRAINING_ENV" not in env
    assert "SM_HOSTS" in env


@pytest.mark.parametrize(
    ("obtained", "started", "submitted", "cap_s"),
    [
        (-1060, -1000, -1500, DAY_S),  # fresh: a minute before it started
        (-500, -600, -500, DAY_S),  # it ran already when the job was submitted
        (-500, -50_000, -500, DAY_S),  # kept warm
        (-500, None, -500, DAY_S),  # its start is not known
        (-1060, -1000, None, DAY_S),
        (-1060, -1000, 5000, DAY_S),  # the clock of who submitted is ahead
        (0, -50_000, 5000, DAY_S),  # likewise, and kept warm
        (0, -90_000, -90_000, DAY_S),  # would leave nothing of the cap
        (-1060, -1000, -90_000, DAY_S),  # waited for a machine longer than the cap
        (0, 1000, -500, DAY_S),  # a start to come
        (0, -1000, -1500, 600),
        (0, None, None, DAY_S),
    ],
)
def test_the_clock_of_the_cap_runs_from_when_the_machine_was_obtained(obtained, started, submitted, cap_s):
    now = 1.8e9
    told = [0.0 if moment is None else now + moment for moment in (started, submitted)]
    assert obtained_at(now, cap_s, *told) - now == obtained


def test_the_deadline_counts_from_there(container):
    """This machine started long before the job was submitted, as one that was kept warm."""
    up_s = float(Path("/proc/uptime").read_text().split()[0])
    submitted_at = time.time() - min(1.0, up_s / 2)
    assert told(container, submitted_at=submitted_at)["IPYMLOPS_DEADLINE"] == str(int(submitted_at + 600))


def test_the_cap_is_one_for_all_attempts(container):
    """An earlier one had 200 s, was last seen to live, and was lost within two minutes of that."""
    Path(container.state.folder).mkdir(parents=True)
    earlier = {"obtained_at": 1000.0, "seen_at": 1200.0, "spent_s": 10.0}
    Path(container.state.path("clock.json")).write_text(json.dumps(earlier))
    submitted_at = time.time()
    deadline = int(told(container, submitted_at=submitted_at)["IPYMLOPS_DEADLINE"])
    assert deadline == int(submitted_at + 600 - 10 - 200 - 120)
    left = container.json("clock.json")
    assert (left["spent_s"], left["obtained_at"]) == (330.0, submitted_at)
    assert submitted_at <= left["seen_at"] <= time.time()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"spent_s": NaN, "seen_at": 1, "obtained_at": 1}', '{"spent_s": "x"}',
                                  '{"spent_s": 1e9, "seen_at": 1, "obtained_at": 1}'])  # fmt: skip
def test_a_clock_that_is_none_takes_nothing_of_the_cap(container, text):
    Path(container.state.folder).mkdir(parents=True)
    Path(container.state.path("clock.json")).write_text(text)
    submitted_at = time.time()
    assert told(container, submitted_at=submitted_at)["IPYMLOPS_DEADLINE"] == str(int(submitted_at + 600))


@pytest.mark.parametrize("python", pythons().values())
def test_the_place_keeps_its_promises_on_this_python(container, python):
    container.secret("s", '{"token": "hunter2hunter2"}')
    script = "import os\nprint(os.environ['TOKEN'], os.environ['SM_HOSTS'])\nopen(os.environ['IPYMLOPS_OUTPUT_DIR'] + '/a', 'w').write('b')\n1 / 0\n"
    secrets = {"secret_names": ["TOKEN"], "secrets_from": {"TOKEN": {"id": "s", "key": "token"}}}
    code, out, err = container.finished(script, interpreter=python, **secrets)
    assert (code, err) == (1, b"")
    assert out.startswith(b'*** ["algo-1"]\n')
    assert container.result["notes"] == []
    assert container.failure.startswith("ZeroDivisionError: division by zero\ntrain.py:4\nexit code 1\n")
    assert [one["path"] for one in container.json("manifest.json")["files"]] == ["output/a"]
