"""Tenants: a schema of Postgres for each, with a login of its own."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .._errors import SluiceError
from .._requests import Request
from .._runner import Runner
from ._errors import DatabaseError
from ._store_url import is_postgres, tenant_url

_LETTERS = string.ascii_letters + string.digits
_PASSWORD_LENGTH = 32


@dataclass(frozen=True)
class TenantConfig:
    """A tenant to create. Names are ``[a-z_][a-z0-9_]*``, at most 48 characters."""

    schema_name: str
    username: str
    """The login, which is created and can use this schema only."""
    password: str | None = field(default="", repr=False)
    """Empty or ``None``: a password of 32 letters and digits is made."""


@dataclass(frozen=True)
class TenantCredentials:
    """A tenant that was created."""

    username: str
    password: str = field(repr=False)
    schema_name: str
    connection_string: str = field(repr=False)
    """A URL for ``DefaultRunner``, with the login and the schema."""


class DatabaseAdmin:
    """Creates and removes tenants, by a login of Postgres that can create schemas and roles."""

    def __init__(self, database_url: str) -> None:
        """Raises DatabaseError, which is a RuntimeError, for another database, or a URL without the name of one."""
        if not is_postgres(database_url):
            raise DatabaseError("Tenants need Postgres: a URL such as postgres://user:password@host/database")
        if urlsplit(database_url).path.strip("/") == "":
            raise DatabaseError("The URL of the administrator must name the database")
        self._url = database_url

    def create_tenant(self, config: TenantConfig) -> TenantCredentials:
        """Creates the schema with its tables, and the login. It can be repeated, and then sets the password.

        Raises DatabaseError, with the reason of the database.
        """
        password = config.password or "".join(secrets.choice(_LETTERS) for _ in range(_PASSWORD_LENGTH))
        options = {"schema": config.schema_name, "role": config.username, "password": password}
        self._ask("tenants.create", options)
        connection_string = tenant_url(self._url, config.username, password, config.schema_name)
        return TenantCredentials(config.username, password, config.schema_name, connection_string)

    def remove_tenant(self, schema_name: str, username: str) -> None:
        """Removes the schema with all that is in it, and the login. Shut down its runners first. Raises DatabaseError."""
        self._ask("tenants.remove", {"schema": schema_name, "role": username})

    def __repr__(self) -> str:
        return "DatabaseAdmin()"

    def _ask(self, method: str, options: dict[str, Any]) -> None:
        try:
            # The engine has the driver of the database.
            with Runner("sqlite::memory:") as runner:
                runner._do(Request(method, {"url": self._url, "options": options}, lambda answer: None))
        except (SluiceError, TypeError) as error:
            raise DatabaseError(str(error)) from error
