"""Makes the self-signed certificate for AWS's host names. Importing this takes as long as starting the server."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.loaders import Loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

VALID_FOR = timedelta(days=3650)


def make_certificate(certificate_file: Path, key_file: Path) -> None:
    """Make a key and a certificate for it. A file that exists is replaced.

    Args:
        certificate_file: Where the certificate is written, in PEM.
        key_file: Where the key is written, in PEM.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "local SageMaker in place of AWS")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        # it signs itself
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in _host_names()]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file.parent.mkdir(parents=True, exist_ok=True)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file.unlink(missing_ok=True)
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key_pem)
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _host_names() -> list[str]:
    """Return wildcard host names, such as `*.us-east-1.amazonaws.com`, for every region that botocore knows."""
    names = []
    for partition in Loader().load_data("endpoints")["partitions"]:
        suffix = partition["dnsSuffix"]
        names += [f"*.{suffix}", f"*.s3.{suffix}"]
        for region in partition["regions"]:
            names += [f"*.{region}.{suffix}", f"*.s3.{region}.{suffix}", f"*.sagemaker.{region}.{suffix}"]
    return names
