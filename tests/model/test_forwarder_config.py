"""A file is followed through each forwarder's configuration as that forwarder would take it."""

import textwrap
from dataclasses import dataclass, field

import pytest

from kcompliance.model.forwarder_config import (
    ConfigFiles,
    Flow,
    Followed,
    NotFollowed,
    Software,
    first_files,
    follow,
    path_matches,
    software_of,
)
from kcompliance.model.forwarder_config.globs import search_simply, wildcard_matches

AUDIT = "/var/log/kubernetes/audit/audit.log"
FIRST = {
    Software.FLUENTD: "/fluentd/etc/fluent.conf",
    Software.FLUENT_BIT: "/fluent-bit/etc/fluent-bit.conf",
    Software.FILEBEAT: "/usr/share/filebeat/filebeat.yml",
    Software.ELASTIC_AGENT: "/etc/elastic-agent/agent.yml",
    Software.VECTOR: "/etc/vector/vector.yaml",
    Software.PROMTAIL: "/etc/promtail/config.yml",
    Software.ALLOY: "/etc/alloy/config.alloy",
    Software.OTEL: "/conf/relay.yaml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A configuration, and what is to be found in it."""

    software: Software
    text: str
    to: tuple[str, ...] = ()
    """The kind of each output and its addresses."""
    read: bool = True
    drops: str = ""
    may_drop: str = ""
    unsure: str = ""
    more: dict[str, str] = field(default_factory=dict)
    first: str = ""


def fluentd(text: str, **more: object) -> Case:
    return Case(software=Software.FLUENTD, text=text, **more)  # type: ignore[arg-type]


def fluent_bit(text: str, **more: object) -> Case:
    return Case(software=Software.FLUENT_BIT, text=text, **more)  # type: ignore[arg-type]


TAIL = f"<source>\n  @type tail\n  path {AUDIT}\n  tag audit\n</source>\n"
ES = "@type elasticsearch\n  host logs.example\n"
INPUT = "[INPUT]\n    Name tail\n    Path /var/log/kubernetes/audit/*.log\n    Tag audit.*\n"
OUTPUT = "[OUTPUT]\n    Name es\n    Match *\n    Host logs.example\n"
TO_ES = ("elasticsearch logs.example",)

CASES = {
    "fluentd": fluentd(f"{TAIL}<match audit>\n  {ES}</match>\n", to=TO_ES),
    "fluentd, a glob and a date": fluentd(
        "<source>\n  @type tail\n  path /a/%Y.log, /var/log/**/*.log\n  tag x.*\n</source>\n"
        f"<match x.var.log.**>\n  {ES}</match>\n",
        to=TO_ES,
    ),
    "fluentd, excluded": fluentd(
        f'<source>\n  @type tail\n  path /var/log/**/*.log\n  exclude_path ["{AUDIT}"]\n'
        f"  tag x\n</source>\n<match **>\n  {ES}</match>\n",
        read=False,
    ),
    "fluentd, the first match ends it": fluentd(
        f"{TAIL}<match **>\n  @type null\n</match>\n<match audit>\n  {ES}</match>\n", to=("null",)
    ),
    "fluentd, copies": fluentd(
        f"{TAIL}<match audit>\n  @type copy\n  <store>\n  {ES}  </store>\n"
        "  <store>\n    @type s3\n  </store>\n</match>\n",
        to=(*TO_ES, "s3"),
    ),
    "fluentd, servers of forward": fluentd(
        f"{TAIL}<match audit>\n  @type forward\n  <server>\n    host a.example\n  </server>\n"
        "  <server>\n    host b.example\n  </server>\n</match>\n",
        to=("forward a.example b.example",),
    ),
    "fluentd, a label": fluentd(
        f"<source>\n  @type tail\n  path {AUDIT}\n  tag a\n  @label @AUDIT\n</source>\n"
        "<match **>\n  @type null\n</match>\n"
        f"<label @AUDIT>\n  <match a>\n  {ES}  </match>\n</label>\n",
        to=TO_ES,
    ),
    "fluentd, relabelled in a circle": fluentd(
        f"{TAIL}<match audit>\n  @type relabel\n  @label @A\n</match>\n"
        "<label @A>\n  <match **>\n    @type relabel\n    @label @A\n  </match>\n</label>\n",
    ),
    "fluentd, a filter that drops": fluentd(
        f"{TAIL}<filter audit>\n  @type grep\n  <exclude>\n    key verb\n    pattern /get/\n"
        f"  </exclude>\n</filter>\n<match audit>\n  {ES}</match>\n",
        to=TO_ES,
        drops="<filter audit> @type grep (exclude: key verb pattern /get/)",
    ),
    "fluentd, a filter behind the match": fluentd(
        f"{TAIL}<match audit>\n  {ES}</match>\n<filter audit>\n  @type grep\n</filter>\n", to=TO_ES
    ),
    "fluentd, a filter that is not known": fluentd(
        f"{TAIL}<filter **>\n  @type my_own\n</filter>\n<match audit>\n  {ES}</match>\n",
        to=TO_ES,
        may_drop="<filter **> @type my_own",
    ),
    "fluentd, a pattern that is an expression": fluentd(
        f"{TAIL}<match /aud.*/>\n  @type null\n</match>\n<match audit>\n  {ES}</match>\n",
        to=TO_ES,
        unsure="<match /aud.*/>",
    ),
    "fluentd, rewritten tags": fluentd(
        f"{TAIL}<match audit>\n  @type rewrite_tag_filter\n</match>\n",
        to=("rewrite_tag_filter",),
        unsure="another tag",
    ),
    "fluentd, an include": fluentd(
        "@include conf.d/*.conf\n",
        to=TO_ES,
        more={"/fluentd/etc/conf.d/a.conf": f"{TAIL}<match audit>\n  {ES}</match>\n"},
    ),
    "fluentd, an include that is not at hand": fluentd(
        f"@include kubernetes.conf\n{TAIL}<match audit>\n  {ES}</match>\n",
        to=TO_ES,
        unsure="kubernetes.conf",
    ),
    "fluent-bit": fluent_bit(INPUT + OUTPUT, to=("es logs.example",)),
    "fluent-bit, keys in any case": fluent_bit(
        (INPUT + OUTPUT)
        .upper()
        .replace("/VAR/LOG/KUBERNETES/AUDIT/*.LOG", "/var/log/kubernetes/audit/*.log"),
        to=("es LOGS.EXAMPLE",),
    ),
    "fluent-bit, all outputs that match": fluent_bit(
        INPUT + OUTPUT + "[OUTPUT]\n    Name forward\n    Match kube.*\n    Host a\n"
        "[OUTPUT]\n    Name s3\n    Match audit.*\n    bucket b\n",
        to=("es logs.example", "s3"),
    ),
    "fluent-bit, a host by default": fluent_bit(
        INPUT + "[OUTPUT]\n    Name es\n    Match *\n", to=("es 127.0.0.1",)
    ),
    "fluent-bit, a variable that is set": fluent_bit(
        f"@SET host=logs.example\n{INPUT}[OUTPUT]\n    Name es\n    Match *\n    Host ${{host}}\n",
        to=("es logs.example",),
    ),
    "fluent-bit, excluded": fluent_bit(
        INPUT + "    Exclude_Path /var/log/kubernetes/audit/audit.log\n" + OUTPUT, read=False
    ),
    "fluent-bit, throttled": fluent_bit(
        INPUT + "[FILTER]\n    Name throttle\n    Match audit.*\n    Rate 100\n" + OUTPUT,
        to=("es logs.example",),
        drops="[FILTER] throttle Match audit.* (rate 100)",
    ),
    "fluent-bit, a filter of other tags": fluent_bit(
        INPUT + "[FILTER]\n    Name grep\n    Match kube.*\n    Exclude log x\n" + OUTPUT,
        to=("es logs.example",),
    ),
    "fluent-bit, an expression": fluent_bit(
        INPUT + "[OUTPUT]\n    Name es\n    Match_Regex ^aud\n    Host logs.example\n",
        to=("es logs.example",),
        unsure="[OUTPUT] es Match ^aud",
    ),
    "fluent-bit in YAML": fluent_bit(
        """
        pipeline:
          inputs:
            - name: tail
              path: /var/log/kubernetes/audit/audit.log
              tag: audit
              processors: {logs: [{name: sampling}]}
          outputs:
            - {name: opensearch, match: 'aud*', host: logs.example}
        """,
        first="/fluent-bit/etc/fluent-bit.yaml",
        to=("opensearch logs.example",),
        drops="processor sampling",
    ),
    "filebeat": Case(
        software=Software.FILEBEAT,
        text="""
        filebeat.inputs:
          - {type: log, paths: [/var/log/kubernetes/audit/*.log], exclude_files: ['\\.gz$']}
        output.elasticsearch.hosts: ["https://logs.example:9200"]
        """,
        to=("elasticsearch https://logs.example:9200",),
    ),
    "filebeat, drop_event": Case(
        software=Software.FILEBEAT,
        text="""
        filebeat:
          inputs:
            - type: filestream
              id: audit
              paths: [/var/log/kubernetes/audit/audit.log]
              processors: [{drop_event: {when: {equals: {verb: get}}}}]
        processors: [{script: {lang: javascript}}]
        output: {logstash: {hosts: [logs.example:5044]}}
        """,
        to=("logstash logs.example:5044",),
        drops="processor drop_event",
        may_drop="processor script",
    ),
    "filebeat, excluded": Case(
        software=Software.FILEBEAT,
        text="""
        filebeat.inputs:
          - {type: log, paths: [/var/log/**/*.log], exclude_files: ['audit\\.log$']}
        output.console: {}
        """,
        read=False,
    ),
    "filebeat, not enabled": Case(
        software=Software.FILEBEAT,
        text=f"filebeat.inputs: [{{type: log, enabled: false, paths: [{AUDIT}]}}]\n",
        read=False,
    ),
    "filebeat, to the cloud": Case(
        software=Software.FILEBEAT,
        text=f"filebeat.inputs: [{{type: log, paths: [{AUDIT}]}}]\ncloud.id: a:b\n",
        to=("elasticsearch",),
    ),
    "elastic-agent": Case(
        software=Software.ELASTIC_AGENT,
        text="""
        outputs:
          default: {type: elasticsearch, hosts: ["https://logs.example:9200"]}
          other: {type: logstash, hosts: [elsewhere]}
        inputs:
          - id: audit
            type: filestream
            use_output: default
            streams: [{paths: [/var/log/kubernetes/audit/*.log]}]
          - id: containers
            type: filestream
            use_output: other
            streams: [{paths: [/var/log/containers/*.log]}]
        """,
        to=("elasticsearch https://logs.example:9200",),
    ),
    "vector": Case(
        software=Software.VECTOR,
        text="""
        sources: {audit: {type: file, include: [/var/log/kubernetes/audit/*.log]}}
        transforms:
          parsed: {type: remap, inputs: [audit], source: '. = parse_json!(.message)'}
          few: {type: sample, inputs: [parsed], rate: 10}
        sinks:
          es: {type: elasticsearch, inputs: [few], endpoints: ["https://logs.example:9200"]}
        """,
        to=("elasticsearch https://logs.example:9200",),
        drops="transform few (sample)",
    ),
    "vector in TOML": Case(
        software=Software.VECTOR,
        first="/etc/vector/vector.toml",
        text="""
        [sources.audit]
        type = "file"
        include = ["/var/log/kubernetes/audit/audit.log"]
        [sinks.loki]
        type = "loki"
        inputs = ["aud*"]
        endpoint = "https://logs.example"
        """,
        to=("loki https://logs.example",),
    ),
    "vector in a circle": Case(
        software=Software.VECTOR,
        text=f"""
        sources: {{a: {{type: file, include: [{AUDIT}]}}}}
        transforms:
          b: {{type: filter, inputs: [a, c]}}
          c: {{type: filter, inputs: [b]}}
        """,
    ),
    "promtail": Case(
        software=Software.PROMTAIL,
        text="""
        clients: [{url: "https://logs.example/loki/api/v1/push"}]
        scrape_configs:
          - job_name: audit
            pipeline_stages:
              - match: {selector: '{a="b"}', stages: [{drop: {source: verb, value: get}}]}
            static_configs: [{labels: {__path__: /var/log/kubernetes/audit/*.log}}]
        """,
        to=("loki https://logs.example/loki/api/v1/push",),
        drops="pipeline stage drop",
    ),
    "alloy": Case(
        software=Software.ALLOY,
        text="""
        local.file_match "audit" {
          path_targets = [{"__path__" = "/var/log/kubernetes/audit/*.log"}]
        }
        loki.source.file "audit" {
          targets    = local.file_match.audit.targets
          forward_to = [loki.process.a.receiver]
        }
        loki.process "a" {
          stage.drop { value = "x" }
          forward_to = [loki.write.out.receiver]
        }
        loki.write "out" {
          endpoint { url = "https://logs.example/push" }
        }
        // loki.write "old" { endpoint { url = "https://old.example/push" } }
        """,
        to=("loki https://logs.example/push",),
        may_drop="stage.drop",
    ),
    "opentelemetry": Case(
        software=Software.OTEL,
        text="""
        receivers:
          filelog/audit: {include: [/var/log/kubernetes/audit/*.log], exclude: [/x]}
        processors: {filter/a: {}, batch: {}}
        exporters:
          otlp: {endpoint: logs.example:4317}
          debug: {}
        service:
          pipelines:
            logs/audit: {receivers: [filelog/audit], processors: [filter/a], exporters: [otlp]}
            logs: {receivers: [otlp], exporters: [debug]}
        """,
        to=("otlp logs.example:4317",),
        drops="processor filter/a",
    ),
    "opentelemetry, by a connector": Case(
        software=Software.OTEL,
        text=f"""
        receivers: {{filelog: {{include: [{AUDIT}]}}}}
        connectors: {{forward: {{}}}}
        exporters: {{elasticsearch: {{endpoints: ["https://logs.example"]}}}}
        service:
          pipelines:
            logs/in: {{receivers: [filelog], exporters: [forward]}}
            logs/out: {{receivers: [forward], exporters: [elasticsearch]}}
        """,
        to=("elasticsearch https://logs.example",),
    ),
}


def followed(case: Case, path: str = AUDIT) -> Followed | NotFollowed:
    first = case.first or FIRST[case.software]
    texts = {first: textwrap.dedent(case.text), **case.more}
    return follow(case.software, ConfigFiles(texts=texts, first=[first]), path)


def shown(flow: Flow) -> str:
    return " ".join([flow.output.kind, *flow.output.addresses])


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_followed_to_its_outputs(name: str) -> None:
    case = CASES[name]

    found = followed(case)

    assert isinstance(found, Followed), found
    assert bool(found.read_by) is case.read
    assert tuple(shown(flow) for flow in found.flows) == case.to
    drops = [drop for flow in found.flows for drop in flow.drops]
    may_drop = [drop for flow in found.flows for drop in flow.may_drop]
    assert bool(drops) == bool(case.drops)
    assert case.drops in "; ".join(drops)
    assert bool(may_drop) == bool(case.may_drop)
    assert case.may_drop in "; ".join(may_drop)
    unsure = "; ".join([*found.unsure, *(each for flow in found.flows for each in flow.unsure)])
    assert bool(unsure) == bool(case.unsure)
    assert case.unsure in unsure


@pytest.mark.parametrize("name", CASES)
def test_another_file_is_not_read(name: str) -> None:
    found = followed(CASES[name], "/etc/shadow")

    assert isinstance(found, Followed)
    assert (found.read_by, found.flows) == ((), ())


@pytest.mark.parametrize("software", Software)
@pytest.mark.parametrize(
    "text",
    ["", "{{ template }}", "a: [", "[[[", "<match", "\0", "- a\n- b\n", "[sources]\na", "x" * 9999],
    ids=lambda text: text[:12] or "nothing",
)
def test_what_is_no_configuration_says_nothing(software: Software, text: str) -> None:
    for first in (FIRST[software], FIRST[software].rpartition(".")[0] + ".toml"):
        found = follow(software, ConfigFiles(texts={first: text}, first=[first]), AUDIT)

        assert isinstance(found, NotFollowed) or not found.read_by


def test_a_configuration_that_is_not_at_hand_is_not_followed() -> None:
    found = follow(Software.FLUENTD, ConfigFiles(texts={}, first=[]), AUDIT)

    assert isinstance(found, NotFollowed)


def test_an_agent_of_fleet_is_not_followed() -> None:
    case = Case(software=Software.ELASTIC_AGENT, text="fleet.enabled: true\n")

    assert isinstance(followed(case), NotFollowed)


def _labels(number: int) -> str:
    """Each label copies to the next one many times over."""
    store = "    <store>\n      @type relabel\n      @label @L{}\n    </store>\n"
    return (
        TAIL
        + "<match **>\n  @type relabel\n  @label @L0\n</match>\n"
        + "".join(
            f"<label @L{n}>\n  <match **>\n    @type copy\n{store.format(n + 1) * 50}"
            "  </match>\n</label>\n"
            for n in range(number)
        )
    )


HOSTILE = {
    "labels": fluentd(_labels(15)),
    "includes": fluentd(
        "@include a.conf\n" * 50,
        more={
            f"/fluentd/etc/{chr(97 + n)}.conf": f"@include {chr(98 + n)}.conf\n" * 50
            for n in range(15)
        },
    ),
    "includes of fluent-bit": fluent_bit(
        "@INCLUDE a.conf\n" * 50,
        more={
            f"/fluent-bit/etc/{chr(97 + n)}.conf": f"@INCLUDE {chr(98 + n)}.conf\n" * 50
            for n in range(15)
        },
    ),
    "pipelines": Case(
        software=Software.OTEL,
        text="receivers: {filelog: {include: ["
        + AUDIT
        + "]}}\nconnectors: {"
        + ", ".join(f"c{a}_{b}: {{}}" for a in range(9) for b in range(9))
        + "}\nservice:\n  pipelines:\n"
        + "".join(
            f"    logs/{a}_{b}: {{receivers: [{f'c{a - 1}_{b}' if a else 'filelog'}], exporters: ["
            + ", ".join(f"c{a}_{c}" for c in range(9))
            + "]}\n"
            for a in range(9)
            for b in range(9)
        ),
    ),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_configuration_that_grows_without_end_is_given_up(name: str) -> None:
    followed(HOSTILE[name])


# --- with which file it starts -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("software", "words", "expected"),
    [
        (Software.FLUENTD, (), (["/fluentd/etc/fluent.conf"], [])),
        (Software.FLUENTD, ("fluentd", "-c", "/x/a.conf"), (["/x/a.conf"], [])),
        (Software.FLUENT_BIT, ("--config=/x/a.conf",), (["/x/a.conf"], [])),
        (Software.FLUENT_BIT, ("--config=/y.conf",), ([], ["/y.conf"])),
        (Software.PROMTAIL, ("-config.file=/x/a.conf",), (["/x/a.conf"], [])),
        (Software.VECTOR, ("--config-dir", "/x/"), (["/x/a.conf", "/x/b.conf"], [])),
        (Software.ALLOY, ("run", "/x/a.conf", "--storage.path=/tmp"), (["/x/a.conf"], [])),
        (Software.OTEL, ("--config=file:/x/a.conf",), (["/x/a.conf"], [])),
        (Software.OTEL, ("sh", "-c", "otelcol --config=/x/b.conf"), (["/x/b.conf"], [])),
        (Software.FILEBEAT, (), ([], ["/usr/share/filebeat/filebeat.yml"])),
    ],
)
def test_the_first_file_is_the_one_it_is_started_with(
    software: Software, words: tuple[str, ...], expected: tuple[list[str], list[str]]
) -> None:
    at_hand = ("/fluentd/etc/fluent.conf", "/x/a.conf", "/x/b.conf")

    assert first_files(software, words, at_hand) == expected


@pytest.mark.parametrize(
    ("image", "software"),
    [
        ("fluent/fluent-bit", Software.FLUENT_BIT),
        ("aws-observability/aws-for-fluent-bit", Software.FLUENT_BIT),
        ("fluent/fluentd-kubernetes-daemonset", Software.FLUENTD),
        ("otel/opentelemetry-collector-contrib", Software.OTEL),
        ("beats/filebeat", Software.FILEBEAT),
        ("timberio/vector", Software.VECTOR),
        ("containerinsights/ciprod/ama-logs", None),
    ],
)
def test_the_software_is_told_by_the_image(image: str, software: Software | None) -> None:
    assert software_of(image) is software


# --- patterns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/var/log/*.log", "/var/log/a.log", True),
        ("/var/log/*.log", "/var/log/b/a.log", False),
        ("/var/log/**/*.log", "/var/log/b/c/a.log", True),
        ("/var/log/**/*.log", "/var/log/a.log", True),
        ("/var/log/{a,b}.log", "/var/log/b.log", True),
        ("/var/log/a?.log", "/var/log/ab.log", True),
        ("/var/log/[a-c].log", "/var/log/b.log", True),
        ("/var/log/[!a-c].log", "/var/log/b.log", False),
        ("/var//log/./a.log", "/var/log/a.log", True),
        ("/var/log", "/var/log/a.log", False),
        ("/var/log/audit-%Y%m%d.log", "/var/log/audit-20260101.log", True),
        ("", "/a", False),
        ("/*" * 40, "/a" * 40, True),
        ("/**" * 40 + "/x", "/a" * 40, False),
    ],
)
def test_a_glob_stays_in_its_folder(pattern: str, path: str, expected: bool) -> None:
    assert path_matches(pattern, path) is expected


def test_a_hostile_glob_takes_no_time_to_speak_of() -> None:
    assert not wildcard_matches("*a" * 2000, "a" * 1000 + "b")
    assert not path_matches("/" + "{a,b}" * 500, "/" + "a" * 500)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\.gz$", "/a.gz", True),
        (r"\.gz$", "/a.log", False),
        (r"^/var/.*\.log$", "/var/x.log", True),
        (r"(a+)+$", "aaaa", None),
        (r".*.*.*.*x", "aaaa", None),
    ],
)
def test_only_simple_expressions_are_tried(pattern: str, text: str, expected: bool | None) -> None:
    assert search_simply(pattern, text) is expected
