# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The transaction of vLLM servers: files, units, requirements, models to fetch, and what the preflight is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import environment_digest
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import digest_of
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_service import vllm_service

ETC = "~/.config/llm-stack/vllm"
DATA = "~/.local/share/llm-stack"
STATE = "~/.local/state/llm-stack/preflight"
REVISION = "0123456789" * 4
LOCK = f"vllm==0.32.0 --hash=sha256:{'ab' * 32}\n"
BUILT = f"{DATA}/envs/vllm/{environment_digest(LOCK)}"
FILES = {"config.json": {"size": 10, "sha256": "c" * 64}, "model.safetensors": {"size": 20, "sha256": "d" * 64}}
HOST = {"origin": "host", "path": "/srv/tiny", "revision": None}
HUB = {"origin": "hub", "path": "org/name", "revision": REVISION, "files": FILES}


def instance(name: str = "tiny", **changes: Any) -> dict[str, Any]:
    """A server as the plan derives it."""
    settings = {"host": "127.0.0.1", "port": 8001, "served-model-name": name}
    return {"name": name, "port": 8001, "bind": "127.0.0.1", "source": HOST, "settings": settings, **changes}


def derive(*instances: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given = {
        "home": "~",
        "backend": "cuda",
        "lock": LOCK,
        "requirements": "requirements-cuda.txt",
        "python": "/usr/bin/python3",
        "ready_timeout": 900,
        "memory_timeout": 120,
        "drain_timeout": 60,
        **changes,
    }
    return vllm_service(instances, **given)


def unit(result: dict[str, Any], name: str = "vllm-tiny.service") -> dict[str, Any]:
    [found] = [each for each in result["declaration"]["units"] if each["name"] == name]
    return dict(found)


def settings_of(result: dict[str, Any], name: str = "tiny", kind: str = "yaml") -> dict[str, Any]:
    [found] = [each for each in result["declaration"]["files"] if each["path"] == f"{ETC}/{name}.{kind}"]
    return dict(found["vars"]["settings"])


def paths(result: dict[str, Any]) -> list[str]:
    return [each["path"] for each in result["declaration"]["files"]]


def test_a_server_is_declared_completely() -> None:
    result = derive(instance())
    assert paths(result) == [f"{ETC}/ready.py", f"{ETC}/wait_memory.py", f"{ETC}/tiny.yaml", f"{ETC}/tiny.env"]
    assert settings_of(result) == {
        "host": "127.0.0.1",
        "model": "/srv/tiny",
        "port": 8001,
        "served-model-name": "tiny",
        "shutdown-timeout": 60,
    }
    ready = "/usr/bin/python3 %h/.config/llm-stack/vllm/ready.py http://127.0.0.1:8001 tiny /srv/tiny 900"
    built = BUILT.replace("~", "%h")
    server = f"{built}/bin/python -m vllm.entrypoints.cli.main serve"
    assert unit(result) == {
        "name": "vllm-tiny.service",
        "template": "instance.service.j2",
        "vars": {
            "unit": {
                "wait_argv": "/usr/bin/python3 %h/.config/llm-stack/vllm/wait_memory.py cuda 0.92 1 120",
                "argv": f"{server} --config %h/.config/llm-stack/vllm/tiny.yaml",
                "ready_argv": f"{ready} %h/.local/state/llm-stack/preflight/vllm-tiny.service.json",
                "conflicts": [],
                "after": [],
                "name": "tiny",
                "path": f"{built}/bin",
                "environment_files": ["%h/.config/llm-stack/vllm/tiny.env"],
                "start_timeout": 120 + 3 * 900 + 30,
                "stop_timeout": 90,
            }
        },
        "inputs": [f"{ETC}/tiny.yaml", f"{ETC}/tiny.env"],
        "environment_files": [f"{ETC}/tiny.env"],
        "watch": ["VLLM_"],
        "listens": ["127.0.0.1:8001"],
        "state": "started",
        "enabled": True,
        "slot": "",
        "ready_timeout": 2850,
    }
    assert [(each["kind"], each["path"]) for each in result["declaration"]["requires"]] == [
        ("environment", BUILT),
        ("snapshot", "/srv/tiny"),
        ("preflight", f"{STATE}/vllm-tiny.service.json"),
    ]


def test_nothing_is_fetched_or_told_at_run_time_and_caches_have_one_place() -> None:
    home = "@LLM_STACK_HOME@/.cache/llm-stack"
    assert settings_of(derive(instance(env={"OMP_NUM_THREADS": "2"})), kind="env") == {
        "DO_NOT_TRACK": "1",
        "HF_HOME": f"{home}/huggingface",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "2",
        "VLLM_CACHE_ROOT": f"{home}/vllm",
        "VLLM_ENGINE_READY_TIMEOUT_S": "2700",
        "VLLM_LOGGING_COLOR": "0",
        "VLLM_NO_USAGE_STATS": "1",
    }


def test_without_an_address_it_listens_on_the_host_itself() -> None:
    given = {key: value for key, value in instance().items() if key != "bind"}
    assert derive(given) == derive(instance())


def test_no_instance_needs_nothing() -> None:
    result = derive(lock=LOCK)
    assert result["declaration"] == {"files": [], "units": [], "requires": []}
    assert (result["models"], result["preflight"]) == ([], [])


def test_a_repository_lies_where_its_revision_says() -> None:
    result = derive(instance(source=HUB))
    folder = f"{DATA}/models/org--name/{REVISION[:12]}"
    assert settings_of(result)["model"] == folder.replace("~", "@LLM_STACK_HOME@")
    assert result["declaration"]["requires"][1] == {"kind": "snapshot", "path": folder, "digest": digest_of(FILES)}
    assert result["models"] == [{"repo": "org/name", "revision": REVISION, "files": FILES, "label": "tiny"}]


def test_a_folder_of_the_controller_lies_where_its_files_say() -> None:
    source = {"origin": "controller", "path": "/inventory/models/tiny", "revision": None}
    result = derive(instance(source=source), listings={"tiny": FILES})
    folder = f"{DATA}/models/tiny/{digest_of(FILES)[:12]}"
    assert result["declaration"]["requires"][1] == {"kind": "snapshot", "path": folder, "digest": digest_of(FILES)}
    assert result["models"] == [
        {"src": "/inventory/models/tiny", "remote_src": False, "name": "tiny", "label": "tiny"},
    ]


@pytest.mark.parametrize("home", ["~", "/home/llm"])
def test_a_folder_in_the_home_is_named_as_each_reader_needs_it(home: str) -> None:
    result = derive(instance(source={**HOST, "path": "~/tiny/"}), home=home)
    [config] = [each for each in result["declaration"]["files"] if each["path"].endswith("tiny.yaml")]
    assert config["vars"]["settings"]["model"] == "@LLM_STACK_HOME@/tiny"
    assert " %h/tiny 900 " in unit(result)["vars"]["unit"]["ready_argv"]
    assert result["models"] == [{"src": f"{home}/tiny", "remote_src": True, "name": "tiny", "label": "tiny"}]


def test_a_word_that_systemd_would_read_differently_is_quoted() -> None:
    ready = unit(derive(instance(source={**HOST, "path": "~/my models/100%"})))["vars"]["unit"]["ready_argv"]
    assert ' "%h/my models/100%%" 900 ' in ready


def test_a_template_of_the_collection_is_brought_along() -> None:
    name = "tool_chat_template_hermes.jinja"
    result = derive(instance(tool_calling={"chat_template": name}))
    path = f"{ETC}/chat_templates/{name}"
    assert {"path": path, "src": f"chat_templates/{name}"} in result["declaration"]["files"]
    assert settings_of(result)["chat-template"] == path.replace("~", "@LLM_STACK_HOME@")
    assert path in unit(result)["inputs"]


def test_two_models_share_the_file_of_their_template() -> None:
    chosen = {"chat_template": "tool_chat_template_hermes.jinja"}
    result = derive(instance(tool_calling=chosen), instance("other", port=8002, tool_calling=chosen))
    assert len(paths(result)) == len({*paths(result)}) == 7


def test_a_template_of_the_user_stays_where_it_is() -> None:
    own = instance(settings={"chat-template": "~/mine.jinja", "tool-parser-plugin": "/srv/p.py"})
    assert settings_of(derive(own))["chat-template"] == "@LLM_STACK_HOME@/mine.jinja"
    assert settings_of(derive(own))["tool-parser-plugin"] == "/srv/p.py"


def test_the_key_is_in_a_file_of_its_own_and_nowhere_else() -> None:
    result = derive(instance(needs_key=True), instance("open", port=8002), api_key="secret$1")
    [secret] = [each for each in result["declaration"]["files"] if each.get("secret")]
    assert secret == {
        "path": f"{ETC}/secrets.env",
        "content": 'VLLM_API_KEY="secret\\$1"\n',
        "mode": "0600",
        "secret": True,
    }
    assert unit(result)["environment_files"] == [f"{ETC}/tiny.env", f"{ETC}/secrets.env"]
    assert unit(result, "vllm-open.service")["environment_files"] == [f"{ETC}/open.env"]
    secret["content"] = ""
    assert "secret$1" not in str(result)


def test_one_of_a_slot_serves_and_the_others_wait() -> None:
    result = derive(instance("b", slot="gpu"), instance("a", slot="gpu", standby=True), instance("c", port=8002))
    assert [each["name"] for each in result["declaration"]["units"]] == [
        "vllm-a.service",
        "vllm-b.service",
        "vllm-c.service",
    ]
    waits, serves = unit(result, "vllm-a.service"), unit(result, "vllm-b.service")
    assert (waits["state"], waits["enabled"], waits["slot"]) == ("stopped", False, "gpu")
    assert (serves["state"], serves["enabled"], serves["slot"]) == ("started", True, "gpu")
    assert waits["vars"]["unit"]["conflicts"] == ["vllm-b.service"]
    assert serves["vars"]["unit"]["conflicts"] == ["vllm-a.service"]
    assert (waits["vars"]["unit"]["after"], serves["vars"]["unit"]["after"]) == ([], ["vllm-a.service"])
    assert [each["replaces"] for each in result["preflight"]] == [["vllm-a.service"], ["vllm-b.service"], []]


def test_a_unit_of_another_engine_is_excluded_by_name() -> None:
    assert unit(derive(instance(conflicts=["llamacpp-big.service"])))["vars"]["unit"]["conflicts"] == [
        "llamacpp-big.service"
    ]


@pytest.mark.parametrize(
    ("backend", "settings", "env", "expected"),
    [
        ("cuda", {"gpu-memory-utilization": 0.5}, {}, "cuda 0.5 1 120"),
        ("cuda", {"tensor-parallel-size": 2, "pipeline-parallel-size": 2}, {}, "cuda 0.92 4 120"),
        ("rocm", {}, {}, "rocm 0.92 1 120"),
        ("cpu", {}, {"VLLM_CPU_KVCACHE_SPACE": "4"}, "cpu 4 1 120"),
        ("cpu", {}, {}, "cpu 0 1 120"),
    ],
)
def test_what_has_to_be_free_before_it_starts(
    backend: str, settings: dict[str, Any], env: dict[str, str], expected: str
) -> None:
    found = unit(derive(instance(settings=settings, env=env), backend=backend))
    assert found["vars"]["unit"]["wait_argv"].endswith(f"wait_memory.py {expected}")


def test_the_preflight_is_asked_by_its_own_options() -> None:
    result = derive(instance(source=HUB, model="coder", tools=True, context=4096, accept=["tight"]))
    [asked] = result["preflight"]
    assert asked == {
        "name": "tiny",
        "model": "coder",
        "unit": "vllm-tiny.service",
        "folder": f"{DATA}/models/org--name/{REVISION[:12]}",
        "bind": "127.0.0.1",
        "port": 8001,
        "record": f"{STATE}/vllm-tiny.service.json",
        "digest": result["declaration"]["requires"][2]["digest"],
        "repository": "org/name",
        "revision": REVISION,
        "settings": {"host": "127.0.0.1", "port": 8001, "served-model-name": "tiny"},
        "env": {},
        "tool_calling": {},
        "tools": True,
        "context": 4096,
        "standby": False,
        "replaces": [],
        "accept": ["tight"],
    }
    assert result["environment"] == BUILT


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"source": {**HUB, "revision": "f" * 40}}, id="another commit"),
        pytest.param({"source": {**HUB, "files": {**FILES, "new": {"size": 1}}}}, id="another file"),
        pytest.param({"settings": {"max-model-len": 1}}, id="another flag"),
        pytest.param({"env": {"VLLM_USE_V2": "1"}}, id="another variable"),
        pytest.param({"tools": True}, id="another promise"),
        pytest.param({"accept": ["tight"]}, id="another acceptance"),
    ],
)
def test_what_is_new_is_looked_at_again(changes: dict[str, Any]) -> None:
    assert _looked_at(**changes) != _looked_at()


def test_another_vllm_is_looked_at_again() -> None:
    other = LOCK.replace("0.32.0", "0.33.0")
    assert _looked_at() != derive(instance(source=HUB), lock=other)["preflight"][0]["digest"]


@pytest.mark.parametrize("changes", [{"standby": True}, {"slot": "gpu"}, {"needs_key": True}])
def test_who_serves_now_is_no_reason_to_look_again(changes: dict[str, Any]) -> None:
    assert _looked_at(**changes) == _looked_at()


def _looked_at(**changes: Any) -> str:
    [asked] = derive(instance(**{"source": HUB, **changes}), api_key="k")["preflight"]
    return str(asked["digest"])


@pytest.mark.parametrize(
    ("instances", "changes", "expected"),
    [
        pytest.param(
            [instance()],
            {"backend": "rocm", "lock": "", "requirements": "requirements-rocm.txt"},
            "vllm_requirements: 'requirements-rocm.txt' is no requirement lock that the controller can find, and "
            "backend rocm needs one.\n    Make one with uv pip compile --generate-hashes, and name it here.\n"
            "    No index has one version of vLLM for all of ROCm, so none is shipped.",
            id="ROCm without a lock",
        ),
        pytest.param(
            [instance()],
            {"lock": "", "requirements": "mine.txt"},
            "vllm_requirements: 'mine.txt' is no requirement lock that the controller can find, and backend cuda needs "
            "one.\n    Make one with uv pip compile --generate-hashes, and name it here.",
            id="a lock that is not there",
        ),
        pytest.param(
            [instance()],
            {"backend": "tpu"},
            "vllm_backend: 'tpu' is no backend of vLLM.\n    Known: cuda, rocm, cpu.",
            id="another backend",
        ),
        pytest.param(
            [instance(needs_key=True), instance("other", needs_key=True)],
            {},
            "vllm_api_key: is empty, although other hosts reach tiny, other.\n    Write a key, best from a vault.",
            id="no key",
        ),
        pytest.param(
            [instance(needs_key=True)],
            {"api_key": "schlüssel"},
            "vllm_api_key: holds what no request can carry in a key.\n"
            "    Write ASCII without a space at its ends, such as openssl rand -hex 32 prints.",
            id="a key that no request can carry",
        ),
        pytest.param(
            [instance(slot="gpu"), instance("other", slot="gpu")],
            {},
            "vllm_instances[1].slot: is the slot gpu, in which tiny serves already.\n"
            "    Set standby: true for one of them, or give it a slot of its own.",
            id="two in a slot",
        ),
    ],
)
def test_what_is_refused(instances: list[dict[str, Any]], changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(StackError) as refused:
        derive(*instances, **changes)
    assert str(refused.value) == f"1 problem in 1 variable. Nothing was changed on any host.\n\n{expected}"


def test_a_host_without_instances_needs_no_lock() -> None:
    assert derive(lock="")["declaration"]["requires"] == []


def test_the_unit_is_what_the_template_makes_of_it(root: Path) -> None:
    result = derive(instance("b", slot="gpu"), instance("a", slot="gpu", standby=True))
    template = (root / "roles/vllm/templates/instance.service.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    lines = environment.from_string(template).render(unit(result, "vllm-b.service")["vars"]).splitlines()
    assert "Conflicts=vllm-a.service" in lines
    assert "After=vllm-a.service" in lines
    assert "Environment=LLM_STACK_DIGEST=@LLM_STACK_DIGEST@" in lines
    assert "EnvironmentFile=%h/.config/llm-stack/vllm/b.env" in lines
    kept = {"Type=exec", "Restart=always", "RestartPreventExitStatus=2", "KillMode=control-group", "OOMPolicy=stop"}
    assert kept <= {*lines}
    assert {"TimeoutStartSec=2850", "TimeoutStopSec=90", "StartLimitBurst=3", "LimitNOFILE=65536"} <= {*lines}
    # The drain ends before systemd loses its patience.
    assert settings_of(result, "b")["shutdown-timeout"] < 90
