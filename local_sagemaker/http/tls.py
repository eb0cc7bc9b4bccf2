"""The certificate for AWS's host names, for clients that connect to AWS by HTTPS.

It is self-signed, and made once for each data directory: only clients that are configured to (AWS_CA_BUNDLE) trust it.
Its private key is in a file beside it that only the owner can read. Both are made anew if they are missing or damaged.
"""

import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)


def server_context(certificate_file: Path) -> ssl.SSLContext:
    """Return a server's TLS context with the certificate at this path."""
    key_file = certificate_file.with_suffix(".key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate_file, key_file)
    # among these are ssl.SSLError and missing files
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            log.warning("%s cannot be used (%s); it is made anew", certificate_file, error)
        # seldom needed, and slow to import
        from local_sagemaker.http.certificate import make_certificate

        make_certificate(certificate_file, key_file)
        context.load_cert_chain(certificate_file, key_file)
    return context
