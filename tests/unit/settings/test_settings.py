"""Settings: precedence, and that every fault is told at once."""

from dataclasses import fields
from pathlib import Path

import pytest

from replog_node.settings import Settings, is_loopback, load, split_address, usage
from replog_node.settings_sources import SettingsFaults

DATA = ("--data-dir", "/d")


def faults(*argv: str, env: dict[str, str] | None = None) -> list[str]:
    """The faults of these arguments; fails when there are none."""
    with pytest.raises(SettingsFaults) as caught:
        load(argv, env or {})
    return list(caught.value.faults)


def config(tmp_path: Path, text: str) -> str:
    """A file of settings."""
    path = tmp_path / "node.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_only_a_data_directory_is_required() -> None:
    settings = load(DATA, {})

    assert settings == Settings(data_dir="/d")


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    path = config(tmp_path, "tick_ms: 10\nheartbeat_ms: 100\nelection_timeout_ms: 400\n")
    env = {"REPLOG_HEARTBEAT_MS": "110", "REPLOG_ELECTION_TIMEOUT_MS": "500"}

    settings = load((*DATA, "--config", path, "--election-timeout-ms=600"), env)

    assert (settings.tick_ms, settings.heartbeat_ms) == (10, 110)
    assert (settings.election_timeout_ms, settings.segment_bytes) == (600, 64 * 1024 * 1024)


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    path = config(tmp_path, "data_dir: /from-file\n")

    assert load((), {"REPLOG_CONFIG": path}).data_dir == "/from-file"


def test_lists_come_repeated_or_separated_by_commas(tmp_path: Path) -> None:
    path = config(tmp_path, "seed_peers: ['f:1']\n")

    assert load((*DATA, "--seed-peer", "a:1", "--seed-peer=b:2,c:3"), {}).seed_peers == (
        "a:1",
        "b:2",
        "c:3",
    )
    assert load(DATA, {"REPLOG_SEED_PEERS": "a:1, b:2"}).seed_peers == ("a:1", "b:2")
    assert load((*DATA, "--config", path), {}).seed_peers == ("f:1",)


def test_a_switch_needs_no_value_and_can_be_turned_off() -> None:
    assert load((*DATA, "--insecure"), {}).insecure
    assert not load((*DATA, "--insecure=no"), {"REPLOG_INSECURE": "yes"}).insecure


def test_all_faults_of_all_sources_are_told_at_once(tmp_path: Path) -> None:
    path = config(tmp_path, "tick_ms: fast\nwat: 1\nlog_format: xml\ninsecure: 'no'\n")
    env = {"REPLOG_CACHE_BYTES": "12e3"}

    found = faults("--config", path, "--body-bytes-max", "1", "--speed", "9", "stray", env=env)

    assert sorted(found) == sorted(
        [
            "--speed: unknown",
            "stray: unknown",
            f"{path}: tick_ms: 'fast' is not a whole number",
            f"{path}: wat: unknown",
            f"{path}: insecure: 'no' is not true or false",
            f"{path}: log_format: 'xml' is none of plain, json",
            "REPLOG_CACHE_BYTES: '12e3' is not a whole number",
            "--body-bytes-max: 1 is not within 1024…67108864 bytes",
            "data_dir: a data directory is required",
        ]
    )


def test_a_near_miss_names_what_was_meant(tmp_path: Path) -> None:
    path = config(tmp_path, "segment_byte: 1\n")

    assert faults(*DATA, "--electoin-timeout-ms=1") == [
        "--electoin-timeout-ms: unknown; did you mean --election-timeout-ms?"
    ]
    assert faults(*DATA, "--config", path) == [
        f"{path}: segment_byte: unknown; did you mean segment_bytes?"
    ]
    assert faults(*DATA, env={"REPLOG_DATADIR": "/d"}) == [
        "REPLOG_DATADIR: unknown; did you mean REPLOG_DATA_DIR?"
    ]


def test_variables_that_kubernetes_makes_for_a_service_are_no_faults() -> None:
    env = {
        "REPLOG_PORT": "tcp://10.0.0.1:7401",
        "REPLOG_CLIENT_SERVICE_HOST": "10.0.0.1",
        "REPLOG_CLIENT_SERVICE_PORT": "7401",
        "REPLOG_CLIENT_ADDRESS_SERVICE_HOST": "10.0.0.1",
        "REPLOG_CLIENT_PORT_7401_TCP_ADDR": "10.0.0.1",
        "REPLOG_URL": "http://127.0.0.1:7401",
    }

    assert load(DATA, env) == Settings(data_dir="/d")


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (("--tick-ms",), "--tick-ms: a value is missing"),
        (("--tick-ms", "--insecure"), "--tick-ms: a value is missing"),
        (("--tick-ms=50", "--tick-ms=50"), "--tick-ms: given more than once"),
        (("--insecure=perhaps",), "--insecure: 'perhaps' is not true or false"),
        (("--tick-ms=-1",), "--tick-ms: -1 is not within 5…1000 ms"),
        (("--election-timeout-ms=550",), "election_timeout_ms must be at least three times"),
        (("--heartbeat-ms=220",), "heartbeat_ms must be a multiple of tick_ms (50)"),
        (("--requests-bytes-max=1048576",), "requests_bytes_max must be at least body_bytes_max"),
        (("--group-bytes-max=16777216",), "inflight_bytes_max must be at least group_bytes_max"),
        (("--segment-bytes=1048576",), "segment_bytes must be at least twice group_bytes_max"),
        (("--client-address", "7401"), "--client-address: '7401' is not host:port"),
        (("--peer-address", "h:0"), "--peer-address: 'h:0' is not host:port"),
        (("--seed-peer", "a:1,b"), "--seed-peer: 'b' is not host:port"),
        (("--config", "/nowhere/x.yaml"), "/nowhere/x.yaml: "),
    ],
)
def test_each_fault_has_its_sentence(argv: tuple[str, ...], fault: str) -> None:
    assert any(sentence.startswith(fault) for sentence in faults(*DATA, *argv))


@pytest.mark.parametrize("text", ["- a\n", "just text", "a: [", "a: 1\n" * 300_000])
def test_a_file_that_is_no_mapping_of_a_sane_size_is_a_fault(tmp_path: Path, text: str) -> None:
    path = config(tmp_path, text)

    assert any(fault.startswith(f"{path}: ") for fault in faults(*DATA, "--config", path))


def test_what_is_told_back_of_a_value_is_short_whatever_it_stands_for(tmp_path: Path) -> None:
    lines = [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 6)]
    path = config(tmp_path, "\n".join(["a0: &a0 lol", *lines, "tick_ms: *a5", ""]))

    (found,) = [fault for fault in faults(*DATA, "--config", path) if "tick_ms" in fault]

    assert "is not a whole number" in found and len(found) < len(path) + 400


@pytest.mark.parametrize("name", ["client_address", "peer_address"])
def test_an_open_listener_beyond_loopback_must_be_asked_for(name: str) -> None:
    flag = "--" + name.replace("_", "-")

    assert faults(*DATA, flag, "192.0.2.1:7401") == [
        f"{name}: 192.0.2.1 is not loopback: give token_file, or insecure"
    ]
    assert load((*DATA, flag, "192.0.2.1:7401", "--insecure"), {}).insecure
    assert load((*DATA, flag, "192.0.2.1:7401", "--token-file", "t"), {}).token_file == "t"


def test_a_wildcard_address_needs_one_to_advertise() -> None:
    wild = ("--peer-address", "[::]:7411", "--insecure")

    assert faults(*DATA, *wild) == [
        "peer_address: :: is no address to reach: give advertise_peer_address"
    ]
    settings = load((*DATA, *wild, "--advertise-peer-address", "log-0.log:7411"), {})
    assert settings.peer_endpoint == "log-0.log:7411"
    assert settings.client_endpoint == "127.0.0.1:7401"


def test_tokens_and_insecure_exclude_each_other() -> None:
    assert faults(*DATA, "--insecure", "--token-file", "t") == [
        "token_file and insecure exclude each other"
    ]


def test_addresses_are_split_with_and_without_brackets() -> None:
    assert split_address("[::1]:80") == ("::1", 80)
    assert split_address("node:7401") == ("node", 7401)
    assert [split_address(bad) for bad in ("::1:80", ":80", "h:", "h:x", "h:65536", "h:²")] == (
        [None] * 6
    )
    assert is_loopback("127.9.9.9") and is_loopback("::1") and is_loopback("localhost")
    assert not is_loopback("localhost.example") and not is_loopback("0.0.0.0")


def test_ticks_follow_from_the_times() -> None:
    settings = Settings(tick_ms=20, election_timeout_ms=300, heartbeat_ms=60)

    assert (settings.election_ticks, settings.heartbeat_ticks) == (15, 3)


def test_the_document_lists_each_setting_with_unit_default_and_reason() -> None:
    document = Path("docs/settings.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in document.splitlines() if "|" in line}

    for item in fields(Settings):
        cells = [cell.strip() for cell in rows[item.name].split("|")]
        assert cells[2] == item.metadata["unit"]
        default = getattr(Settings(), item.name)
        shown = "none" if default == "" else "no" if default is False else cells[3]
        assert cells[3] == shown
        if isinstance(item.default, int) and not isinstance(item.default, bool):
            assert cells[3:5] == [
                str(item.default),
                f"{item.metadata['least']}…{item.metadata['most']}",
            ]
        assert cells[5] == item.metadata["why"]
    assert set(rows) - {"setting", "---"} == {item.name for item in fields(Settings)}


def test_the_usage_names_each_flag_once() -> None:
    text = usage()

    for item in fields(Settings):
        flag = "--seed-peer" if item.name == "seed_peers" else "--" + item.name.replace("_", "-")
        assert text.count(f"  {flag}  (") == 1


def test_the_usage_shows_defaults_and_no_objects() -> None:
    assert "<" not in usage()
