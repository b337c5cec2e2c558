"""Certificates, keys, tokens and kubeconfigs of one cluster; all live as long as its folder."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

_VALID = dt.timedelta(days=2)
_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs serving certificates for this machine."""

    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, folder: Path, name: str = "headstart-test-ca") -> Authority:
        """Make an authority whose certificate lies at ``folder/ca.crt``."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        certificate = (
            _builder(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        authority = cls(folder, certificate, key)
        authority.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def path(self) -> Path:
        """Certificate to trust, in PEM."""
        return self.folder / "ca.crt"

    def serving(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Certificate and key for a server on 127.0.0.1, localhost and ``hosts``, as files."""
        alternatives = [_alternative(host) for host in ("127.0.0.1", "localhost", *hosts)]
        return self._sign(name, ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def client(self, name: str) -> tuple[Path, Path]:
        """Certificate and key for a client, as files."""
        return self._sign(name, ExtendedKeyUsageOID.CLIENT_AUTH, [_alternative(name)])

    def _sign(
        self, name: str, usage: x509.ObjectIdentifier, alternatives: list[x509.GeneralName]
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(name), self.certificate.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            # OpenSSL's strict mode, which Python 3.13 turned on, wants the authority's key named.
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{name}.crt"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path, write_key(self.folder / f"{name}.key", key)


@dataclass(frozen=True)
class Credentials:
    """Everything that the API server and its clients need to trust each other."""

    folder: Path
    authority: Authority
    admin_token: str

    @classmethod
    def create(cls, folder: Path) -> Credentials:
        """Make new credentials in ``folder``."""
        credentials = cls(folder, Authority.create(folder), secrets.token_urlsafe(32))
        credentials.authority.serving("apiserver", "kubernetes.default.svc", "10.0.0.1")
        write_key(credentials.service_account_key, ec.generate_private_key(ec.SECP256R1()))
        line = f'{credentials.admin_token},admin,admin,"system:masters"\n'
        _write_secret(credentials.token_file, line.encode())
        return credentials

    @property
    def serving_certificate(self) -> Path:
        """Certificate of the API server."""
        return self.folder / "apiserver.crt"

    @property
    def serving_key(self) -> Path:
        """Key of the API server."""
        return self.folder / "apiserver.key"

    @property
    def service_account_key(self) -> Path:
        """Key that signs the tokens of ServiceAccounts."""
        return self.folder / "service-accounts.key"

    @property
    def token_file(self) -> Path:
        """Static tokens of the API server: the admin's."""
        return self.folder / "tokens.csv"

    def kubeconfig(self, path: Path, server: str, token: str, namespace: str = "default") -> Path:
        """Write a kubeconfig that needs no other file, and return ``path``."""
        authority = base64.b64encode(self.authority.path.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": server, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [
                {
                    "name": "test",
                    "context": {"cluster": "test", "user": "test", "namespace": namespace},
                }
            ],
        }
        _write_secret(path, yaml.safe_dump(config).encode())
        return path


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    """Write a private key in PEM, readable by its owner alone, and return ``path``."""
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    _write_secret(path, pem)
    return path


def _write_secret(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
