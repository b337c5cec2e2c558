"""Objects at the API server, kept up to date by a watch, and trusted only while it lives.

Asking for each workload and its pods at every decision is two requests a policy; a watch costs what
changes. The client library's informer keeps whole objects as models, some 50 kB a pod, lists
without pages and does not tell when it is cut off; so this one keeps what ``parse`` makes of an
object, and says nothing at all where it may be out of date: whoever asks then asks the API server.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from headstart_operator.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from headstart_operator.kube import Api, Document

T = TypeVar("T")

# The API server sends a bookmark each minute where nothing else happens: a stream that has been
# silent for longer, s, is dead, whatever TCP believes.
SILENT = 90.0
# What was true when a stream ended is good for so many seconds: API servers end each one after
# some minutes, and 1,000 policies must not all list their pods because of that.
GRACE = 5.0
# Objects in a page of a list, and seconds after which a stream is to end.
PAGE = 500
LONGEST = (240, 360)
# Pause between two tries, s, doubled with each failure.
PAUSES = (0.5, 30.0)

_log = logging.getLogger(__name__)


class Name(NamedTuple):
    """Which object of a kind."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Kind(Generic[T]):
    """What is watched, and what is kept of it.

    Attributes
    ----------
    group
        ``/api/v1``, ``/apis/apps/v1``, ...
    plural
        As in paths.
    parse
        What to keep of an object; ``None``: nothing.
    index
        Under which keys it is to be found besides its name.
    metadata_only
        Whether the objects' metadata are enough.
    fields
        A field selector; an object that leaves it is gone.
    """

    group: str
    plural: str
    parse: Callable[[Document], T | None]
    index: Callable[[Name, T], Iterable[Hashable]] = lambda *_: ()
    metadata_only: bool = False
    fields: str = ""


class Cache(Generic[T]):
    """What is kept of the objects, by name and by index; safe to share between threads."""

    def __init__(self, index: Callable[[Name, T], Iterable[Hashable]]) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._objects: dict[Name, T] = {}
        self._names: defaultdict[Hashable, dict[Name, None]] = defaultdict(dict)

    def put(self, name: Name, value: T | None) -> None:
        """Keep ``value``, or nothing."""
        with self._lock:
            self._put(name, value)

    def replace(self, objects: dict[Name, T]) -> None:
        """Keep these and no others."""
        with self._lock:
            for name in self._objects.keys() - objects.keys():
                self._put(name, None)
            for name, value in objects.items():
                self._put(name, value)

    def get(self, name: Name) -> T | None:
        """Return one; ``None``: there is none."""
        return self._objects.get(name)

    def find(self, keys: Iterable[Hashable]) -> list[T]:
        """Return those that are indexed under each of ``keys``, at least one."""
        with self._lock:
            first, *others = sorted((self._names.get(key, {}) for key in keys), key=len)
            return [self._objects[n] for n in first if all(n in names for names in others)]

    def __len__(self) -> int:
        """Count them."""
        return len(self._objects)

    def _put(self, name: Name, value: T | None) -> None:
        old = self._objects.pop(name, None)
        if old is not None:
            for key in self._index(name, old):
                names = self._names[key]
                names.pop(name, None)
                if not names:
                    del self._names[key]
        if value is not None:
            self._objects[name] = value
            for key in self._index(name, value):
                self._names[key][name] = None


class Watched(Generic[T]):
    """Objects of one kind, in one namespace or in all."""

    def __init__(self, api: Api, kind: Kind[T], namespace: str | None) -> None:
        self._api = api
        self._kind = kind
        where = f"/namespaces/{namespace}" if namespace else ""
        self._path = f"{kind.group}{where}/{kind.plural}"
        self._cache = Cache(kind.index)
        # Of the newest event; ``None``: all is to be listed.
        self._version: str | None = None
        self._connected = False
        self._failures = 0
        self._heard = -float("inf")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {self._path}", daemon=True)

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; a stream that is silent ends later."""
        self._stopped.set()

    @property
    def trusted(self) -> bool:
        """Whether what is kept is what the API server has, but for the blink of an eye."""
        silence = monotonic() - self._heard
        return silence < (SILENT if self._connected else GRACE)

    def get(self, name: Name) -> T | None:
        """Return one; ``None``: there is none, or nobody knows."""
        return self._cache.get(name) if self.trusted else None

    def find(self, keys: Iterable[Hashable]) -> list[T] | None:
        """Return those that are indexed under each of ``keys``; ``None``: nobody knows."""
        return self._cache.find(keys) if self.trusted else None

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._version is None:
                    self._list()
                self._follow(self._version or "")
                # Whatever stands in between may end every stream at once.
                self._rest(PAUSES[0])
            except ApiError as error:
                if error.status:
                    # Expired, or refused: what came in between will not be told.
                    self._version = None
                self._failures += error.status != HTTPStatus.GONE
                if self._failures == 1:
                    _log.warning("watching %s: %s", self._path, error)
                self._rest(min(PAUSES[1], PAUSES[0] * 2.0**self._failures))
            except Exception:  # noqa: BLE001 - see below.
                # A document that parse does not understand must not be the end of all.
                _log.exception("watching %s: a bug", self._path)
                self._version = None
                self._stopped.wait(PAUSES[1])

    def _rest(self, longest: float) -> None:
        self._stopped.wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 - no secret.

    def _list(self) -> None:
        """Read all, page by page."""
        objects: dict[Name, T] = {}
        query = self._query(limit=str(PAGE))
        while True:
            start = monotonic()
            page = self._api.get(self._path, accept=self._accept("List"), **query)
            for item in page.get("items") or ():
                if (value := self._kind.parse(item)) is not None:
                    objects[_name(item)] = value
            metadata = page["metadata"]
            if not metadata.get("continue"):
                break
            query["continue"] = metadata["continue"]
        self._cache.replace(objects)
        self._version, self._heard = metadata["resourceVersion"], start

    def _follow(self, version: str) -> None:
        """Take in what happens after ``version``, until the stream ends."""
        query = self._query(
            watch="1",
            resourceVersion=version,
            allowWatchBookmarks="true",
            timeoutSeconds=str(random.randint(*LONGEST)),  # noqa: S311 - no secret.
        )
        with self._api.stream(self._path, SILENT, accept=self._accept(""), **query) as lines:
            self._connected, self._heard, self._failures = True, monotonic(), 0
            try:
                for event in lines:
                    self._take(event["type"], event["object"])
                    self._heard = monotonic()
                    if self._stopped.is_set():
                        return
            finally:
                self._connected, self._heard = False, monotonic()

    def _take(self, what: str, item: Document) -> None:
        if what == "ERROR":
            raise ApiError(int(item.get("code", HTTPStatus.GONE)), str(item.get("message", what)))
        if what in {"ADDED", "MODIFIED"}:
            self._cache.put(_name(item), self._kind.parse(item))
        elif what == "DELETED":
            self._cache.put(_name(item), None)
        self._version = item["metadata"]["resourceVersion"]

    def _query(self, **query: str) -> dict[str, str]:
        return query | ({"fieldSelector": self._kind.fields} if self._kind.fields else {})

    def _accept(self, suffix: str) -> str:
        if not self._kind.metadata_only:
            return "application/json"
        return f"application/json;as=PartialObjectMetadata{suffix};g=meta.k8s.io;v=v1"


class Watches(Generic[T]):
    """One kind in all namespaces, or in each of those that the operator serves.

    A watch begins when it is first asked for.
    """

    def __init__(self, api: Api, kind: Kind[T], namespaces: tuple[str, ...]) -> None:
        self._api = api
        self._kind = kind
        self._namespaces = namespaces
        self._watched: dict[str | None, Watched[T]] = {}
        self._lock = threading.Lock()

    def of(self, namespace: str) -> Watched[T]:
        """Return what watches a namespace."""
        place = namespace if self._namespaces else None
        with self._lock:
            if place not in self._watched:
                self._watched[place] = Watched(self._api, self._kind, place)
                self._watched[place].start()
            return self._watched[place]

    def stop(self) -> None:
        """Ask all to end."""
        for watched in self._watched.values():
            watched.stop()


def _name(item: Document) -> Name:
    metadata = item["metadata"]
    return Name(metadata.get("namespace", ""), metadata["name"])
