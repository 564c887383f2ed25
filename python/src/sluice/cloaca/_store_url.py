"""The database URLs of Cloaca, as Sluice takes them."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ._errors import DatabaseError

_SEARCH_PATH = "-csearch_path="


@dataclass(frozen=True)
class StoreUrl:
    """Where a runner keeps its data."""

    url: str
    schema: str | None = None
    folder: str | None = None
    """A temporary folder, which ``remove()`` removes: that of a database in memory."""

    def remove(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def is_postgres(database_url: str) -> bool:
    return database_url.startswith(("postgres://", "postgresql://"))


def tenant_url(database_url: str, username: str, password: str, schema: str) -> str:
    """Returns the URL of a tenant: with its login, and with its schema as the search path."""
    parts = urlsplit(database_url)
    place = parts.netloc.rpartition("@")[2]
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "options"]
    query.append(("options", f"{_SEARCH_PATH}{schema}"))
    netloc = f"{quote(username, safe='')}:{quote(password, safe='')}@{place}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query, quote_via=quote)))


def read_url(database_url: str) -> StoreUrl:
    """Reads a URL: ``sqlite://path``, a path, ``:memory:``, or ``postgres://…``, also with a search path.

    A database in memory is a file in a temporary folder, as in Cloaca. Raises DatabaseError.
    """
    if is_postgres(database_url):
        parts = urlsplit(database_url)
        query = parse_qsl(parts.query)
        schemas = [
            value.removeprefix(_SEARCH_PATH)
            for name, value in query
            if name == "options" and value.startswith(_SEARCH_PATH)
        ]
        if not schemas:
            return StoreUrl(database_url)
        rest = [(name, value) for name, value in query if name != "options"]
        return StoreUrl(urlunsplit(parts._replace(query=urlencode(rest, quote_via=quote))), schemas[-1])
    scheme, separator, rest_of_url = database_url.partition("://")
    if separator and scheme != "sqlite":
        raise DatabaseError(f"A database is sqlite://path, a path, :memory: or postgres://…, not {scheme}://…")
    path, _, options = (rest_of_url if separator else database_url.removeprefix("file:")).partition("?")
    if path.lstrip("/") == ":memory:" or "mode=memory" in options:
        folder = tempfile.mkdtemp(prefix="cloaca-")
        return StoreUrl(_file_url(os.path.join(folder, "memory.db")), folder=folder)
    if path == "":
        raise DatabaseError("The URL of the database names no file")
    return StoreUrl(_file_url(path))


def _file_url(path: str) -> str:
    return f"sqlite://{quote(path if os.path.isabs(path) else os.path.join('.', path))}"
