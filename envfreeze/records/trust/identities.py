"""Identities: whom a certificate of Sigstore names, and whom a policy does."""

from __future__ import annotations

from dataclasses import dataclass

from envfreeze.records.trust.patterns import allows


@dataclass(frozen=True, slots=True)
class Certified:
    """Who signed without a key of their own, as the certificate says that was issued to them for it.

    Attributes:
        issuer: address of the OpenID Connect provider that vouched for them.
        subject: who they are there: a mail address, or the URI of a workflow.
        name: what the policy calls them; may be empty.

    """

    issuer: str
    subject: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.subject})" if self.name else f"{self.subject}, by {self.issuer}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose signatures count.

    Attributes:
        issuer: a pattern (`patterns.allows`) of `Certified.issuer`.
        subject: a pattern of `Certified.subject`.
        name: what people call it; may be empty.

    """

    issuer: str
    subject: str
    name: str = ""

    def fits(self, signer: Certified) -> bool:
        """Whether it is somebody of this identity."""
        return allows([self.issuer], signer.issuer) and allows([self.subject], signer.subject)

    def __str__(self) -> str:
        return self.name or f"{self.subject}, by {self.issuer}"
