"""Keys and certificates for a kube-apiserver on loopback, made anew for each server."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVICE_ADDRESS = "10.96.0.1"
_ADDRESSES = ("127.0.0.1", SERVICE_ADDRESS)
_HOST_NAMES = ("localhost", "kubernetes.default.svc")
_VALIDITY = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """The files that kube-apiserver is started with."""

    ca_certificate: Path
    serving_certificate: Path
    serving_key: Path
    service_account_key: Path
    service_account_public_key: Path


def make_pki(folder: Path) -> Pki:
    """A CA, a serving certificate for loopback signed by it, and a key for ServiceAccounts."""
    folder.mkdir(parents=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    serving_key = ec.generate_private_key(ec.SECP256R1())
    service_account_key = ec.generate_private_key(ec.SECP256R1())
    ca = (
        _certificate("test-ca", ca_key.public_key(), issuer="test-ca")
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_signs_certificates_only(), critical=True)
    )
    serving = (
        _certificate("kube-apiserver", serving_key.public_key(), issuer="test-ca")
        .add_extension(_loopback_names(), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    pki = Pki(
        ca_certificate=folder / "ca.crt",
        serving_certificate=folder / "apiserver.crt",
        serving_key=folder / "apiserver.key",
        service_account_key=folder / "service-account.key",
        service_account_public_key=folder / "service-account.pub",
    )
    pki.ca_certificate.write_bytes(_signed(ca, ca_key))
    pki.serving_certificate.write_bytes(_signed(serving, ca_key))
    _write_key(pki.serving_key, serving_key)
    _write_key(pki.service_account_key, service_account_key)
    pki.service_account_public_key.write_bytes(
        service_account_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return pki


def _certificate(
    name: str, key: ec.EllipticCurvePublicKey, *, issuer: str
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(_common_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _loopback_names() -> x509.SubjectAlternativeName:
    addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in _ADDRESSES]
    return x509.SubjectAlternativeName([*addresses, *map(x509.DNSName, _HOST_NAMES)])


def _signs_certificates_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(certificate: x509.CertificateBuilder, ca_key: ec.EllipticCurvePrivateKey) -> bytes:
    # NOTE: from Python 3.13 on, clients refuse chains without the two key identifiers and
    # without the CA's key usage, https://docs.python.org/3/library/ssl.html#ssl.create_default_context
    public_key = ca_key.public_key()
    complete = certificate.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key), critical=False
    )
    return complete.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
