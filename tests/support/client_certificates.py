"""Authorities that sign clients' certificates, for brokers that ask for one."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = dt.timedelta(days=1)


class Authority:
    """Signs certificates of clients; `pem` is its own."""

    def __init__(self, name: str) -> None:
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key, VALID)
        builder = builder.add_extension(constraint, critical=True)
        self.pem = _pem(builder.sign(self._key, hashes.SHA256()))

    def write_client(self, folder: Path, valid: dt.timedelta = VALID) -> None:
        """Write `client.pem` and `client.key`, in the place of what is there."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named("client"), key, valid)
        signed = builder.sign(self._key, hashes.SHA256())
        (folder / "client.pem").write_bytes(_pem(signed))
        (folder / "client.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, valid: dt.timedelta
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=self._name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - VALID,
            not_valid_after=now + valid,
        )


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
