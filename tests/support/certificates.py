"""Makes a certificate authority and a server certificate for one test run."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files a server and its clients need, all PEM."""

    authority: Path
    server: Path


def make_certificates(folder: Path) -> Certificates:
    """Write an authority and a server's key and certificate for loopback."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _builder("test authority", "test authority", authority_key)
    authority = authority.add_extension(x509.BasicConstraints(True, None), True)
    signed = authority.sign(authority_key, hashes.SHA256())
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _builder("localhost", "test authority", server_key)
    server = server.add_extension(_loopback(), False)
    made = Certificates(folder / "authority.pem", folder / "server.pem")
    made.authority.write_bytes(_pem(signed))
    chain = _pem(server.sign(authority_key, hashes.SHA256())) + _pem(signed)
    made.server.write_bytes(_key_pem(server_key) + chain)
    return made


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        subject_name=_name(subject),
        issuer_name=_name(issuer),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - VALID,
        not_valid_after=now + VALID,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _loopback() -> x509.SubjectAlternativeName:
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return x509.SubjectAlternativeName([x509.DNSName("localhost"), address])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
