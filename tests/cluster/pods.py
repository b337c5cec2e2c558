"""Runs a pod as a process: its exact command, environment and identity, without a container.

What makes it true to the pod:

- command, arguments and environment come from the pod in the API, after admission, with
  ``$(NAME)`` expanded and ``valueFrom`` resolved as a kubelet does it; of the harness's own
  environment only PATH is passed on, with the virtual environment first, so that ``headstart`` is
  this checkout's;
- the token of the pod's own ServiceAccount lies at /var/run/secrets/kubernetes.io/serviceaccount,
  in a private mount namespace where this process may make one (as root). Clients then find it as in
  a cluster, and a missing RBAC rule shows. Where it may not, KUBECONFIG names a kubeconfig with the
  same token, and ``KUBERNETES_SERVICE_HOST`` is left out, since without the files it would mislead;
- the readiness probe decides what the API shows as Ready, and the exit status what it shows after.

What is not true: it sees the machine's file system and network, and of volumes only Secrets are
mounted, where this process may mount.
"""

from __future__ import annotations

import base64
import datetime as dt
import os
import re
import signal
import sys
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.cluster.api import CORE, ApiError
from tests.cluster.processes import ClusterError, Process, can_mount, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.cluster.control_plane import Cluster

SECRETS = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_PROBE_SECONDS = 0.2
_SIGNAL_EXIT_BASE = 128


@cache
def _can_mount_secrets() -> bool:
    return can_mount(SECRETS)


class PodProcess:
    """A pod of the API that runs on this machine; use it as a context manager.

    A thread of its own writes the pod's status: Running, Ready as the readiness probe says, and
    after the end Succeeded or Failed, or for a pod that would be restarted, not Ready.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        *,
        container: str | None = None,
        entrypoint: Sequence[str] = ("headstart",),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the process; nothing starts yet.

        Parameters
        ----------
        cluster, namespace, name
            The pod.
        container
            Name of the container to run, by default the first.
        entrypoint
            The image's entry point, for a container that names no command.
        env
            Variables on top of the pod's own.
        """
        self._cluster = cluster
        self._path = f"{CORE}/namespaces/{namespace}/pods/{name}"
        self.namespace = namespace
        self.name = name
        self._container_name = container
        self._entrypoint = entrypoint
        self._extra = dict(env or {})
        self._ended = threading.Event()
        self._runs = 0

    def __enter__(self) -> Self:
        """Start it.

        Raises
        ------
        ClusterError
            When the pod needs what the harness cannot give, such as a missing Secret.
        """
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, with SIGTERM first, as a kubelet does."""
        self.stop()

    def start(self) -> None:
        """Start it, or start it again after its end, as a kubelet does."""
        self.pod = self._cluster.api.get(self._path)
        self.container = self._chosen_container()
        identity, mounts = self._identity()
        variables = {**identity, **self._variables(), **self._extra}
        words = [
            *self.container.get("command", self._entrypoint),
            *self.container.get("args", []),
        ]
        command = [_expand(word, variables) for word in words]
        log = self._cluster.folder / "pods" / self.namespace / f"{self.name}.{self._runs}.log"
        self._runs += 1
        self._started = dt.datetime.now(dt.UTC)
        self._ended.clear()
        self.process = Process(
            f"pod {self.namespace}/{self.name} ({' '.join(command)})",
            command,
            log=log,
            env=variables,
            mounts=mounts,
        )
        self._watcher = threading.Thread(target=self._watch, name=f"pod {self.name}", daemon=True)
        self._watcher.start()

    def stop(self, grace: float = 10.0) -> int:
        """End it: SIGTERM, after ``grace`` seconds SIGKILL; return the exit status."""
        status = self.process.stop(grace)
        self._ended.set()
        self._watcher.join()
        return status

    def kill(self) -> None:
        """End it with SIGKILL, as an out-of-memory kill does."""
        self.process.signal(signal.SIGKILL)
        self.process.wait(5.0)
        self._watcher.join()

    def wait(self, timeout: float = 60.0) -> int:
        """Wait at most ``timeout`` seconds for its own end and return the exit status.

        Raises
        ------
        ClusterError
            When it still runs then; it shows the end of the log.
        """
        status = self.process.wait(timeout)
        self._watcher.join()
        return status

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait at most ``timeout`` seconds until the API shows it as Ready.

        Raises
        ------
        ClusterError
            When it ended or is not Ready in time; it shows the end of the log.
        """
        self.process.wait_ready(self._is_ready, timeout=timeout)

    def wait_for_output(self, pattern: str, timeout: float = 30.0) -> re.Match[str]:
        """Wait at most ``timeout`` seconds until its output matches the regular expression.

        Raises
        ------
        ClusterError
            When it does not in time; it shows the end of the log.
        """
        try:
            return wait_until(
                f"{pattern!r} in the output of pod {self.name}",
                lambda: re.search(pattern, self.output(), re.MULTILINE),
                timeout=timeout,
            )
        except ClusterError as error:
            raise ClusterError(f"{error}. Its log ends:\n{self.process.tail()}") from None

    def output(self) -> str:
        """Everything that it has written since its last start."""
        return self.process.output()

    @property
    def uid(self) -> str:
        """Identity of the pod, which another one of the same name does not share."""
        return str(self.pod["metadata"]["uid"])

    @property
    def wants_restart(self) -> bool:
        """Whether it has ended and its restart policy asks for another start."""
        code = self.process.returncode
        return code is not None and not self._is_over(code) and not self._watcher.is_alive()

    # What it is given

    def _chosen_container(self) -> dict[str, Any]:
        containers: list[dict[str, Any]] = self.pod["spec"]["containers"]
        for container in containers:
            if self._container_name in (None, container["name"]):
                return container
        names = ", ".join(container["name"] for container in containers)
        raise ClusterError(f"pod {self.name} has no container {self._container_name}, but {names}")

    def _identity(self) -> tuple[dict[str, str], dict[Path, Path]]:
        """Environment and mounts by which it is its ServiceAccount."""
        home = self._cluster.folder / "pods" / self.namespace / "home"
        home.mkdir(parents=True, exist_ok=True)
        common = {
            "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(home),
            "HOSTNAME": self.name,
        }
        inside = {**common, **self._cluster.environment}
        spec = self.pod["spec"]
        account = spec.get("serviceAccountName", "default")
        if spec.get("automountServiceAccountToken") is False:
            return inside, {}
        if _can_mount_secrets():
            folder = self._cluster.service_account_dir(self.namespace, account)
            return inside, {SECRETS: folder, **self._secret_volumes()}
        path = self._cluster.kubeconfig_for(self.namespace, account)
        return {**common, "KUBECONFIG": str(path)}, {}

    def _secret_volumes(self) -> dict[Path, Path]:
        """Write the Secrets that its volumes hold; where it finds them, and where they lie."""
        secrets = {
            volume["name"]: volume["secret"]["secretName"]
            for volume in self.pod["spec"].get("volumes", [])
            if "secret" in volume
        }
        mounts = {}
        for mount in self.container.get("volumeMounts", []):
            if mount["name"] not in secrets:
                continue
            name = secrets[mount["name"]]
            folder = self._cluster.folder / "pods" / self.namespace / "secrets" / name
            folder.mkdir(parents=True, exist_ok=True)
            for key, value in self._data("secretKeyRef", {"name": name}).items():
                (folder / key).write_text(value)
            mounts[Path(mount["mountPath"])] = folder
        return mounts

    def _variables(self) -> dict[str, str]:
        """Variables of the container, where a later one may refer to an earlier one."""
        variables: dict[str, str] = {}
        for source in self.container.get("envFrom", []):
            kind = "secretRef" if "secretRef" in source else "configMapRef"
            for key, value in self._data(kind, source[kind]).items():
                variables[source.get("prefix", "") + key] = value
        for variable in self.container.get("env", []):
            name = variable["name"]
            if "valueFrom" not in variable:
                variables[name] = _expand(variable.get("value", ""), variables)
            elif (resolved := self._resolve(name, variable["valueFrom"])) is not None:
                variables[name] = resolved
        return variables

    def _resolve(self, name: str, source: dict[str, Any]) -> str | None:
        ((kind, reference),) = source.items()
        if kind == "fieldRef":
            return self._field(reference["fieldPath"])
        if kind not in ("secretKeyRef", "configMapKeyRef"):
            raise ClusterError(f"pod {self.name}: the harness cannot resolve variable {name}")
        value = self._data(kind, reference).get(reference["key"])
        if value is None and not reference.get("optional"):
            raise ClusterError(
                f"pod {self.name}: {reference['name']} has no key {reference['key']}"
            )
        return value

    def _data(self, kind: str, reference: dict[str, Any]) -> dict[str, str]:
        """Decoded data of the Secret or ConfigMap that a ``...Ref`` names."""
        secret = kind.startswith("secret")
        folder = f"{CORE}/namespaces/{self.namespace}/{'secrets' if secret else 'configmaps'}"
        try:
            data = self._cluster.api.get(f"{folder}/{reference['name']}").get("data", {})
        except ApiError as error:
            if reference.get("optional"):
                return {}
            raise ClusterError(f"pod {self.name} needs what is not there: {error}") from None
        if secret:
            return {key: base64.b64decode(value).decode() for key, value in data.items()}
        return dict(data)

    def _field(self, path: str) -> str:
        if path in ("status.podIP", "status.hostIP"):
            return "127.0.0.1"
        # As in metadata.name or metadata.labels['app.kubernetes.io/name'].
        match = re.fullmatch(r"(metadata|spec)\.(\w+)(?:\['(.+)'\])?", path)
        if not match:
            raise ClusterError(f"pod {self.name}: the harness cannot resolve field {path}")
        value = self.pod[match[1]].get(match[2], "")
        return str(value.get(match[3], "") if match[3] else value)

    # What it is seen as

    def _watch(self) -> None:
        """Write the pod's status whenever it changes, until the process has ended."""
        shown: bool | None = None
        # A kubelet does not verify certificates either.
        with httpx.Client(verify=False, trust_env=False) as client:  # noqa: S501
            while self.process.returncode is None:
                ready = self._probe(client)
                if ready != shown:
                    self._show(ready=ready)
                    shown = ready
                self._ended.wait(_PROBE_SECONDS)
        self._show_end(self.process.returncode)

    def _probe(self, client: httpx.Client) -> bool:
        """Whether its readiness probe succeeds; true where it has none."""
        probe = self.container.get("readinessProbe", {})
        if "httpGet" not in probe:
            return True
        get = probe["httpGet"]
        named = {
            port.get("name"): port["containerPort"] for port in self.container.get("ports", [])
        }
        port = named.get(get["port"], get["port"])
        url = f"{get.get('scheme', 'HTTP').lower()}://127.0.0.1:{port}{get.get('path', '/')}"
        try:
            answer = client.get(url, timeout=probe.get("timeoutSeconds", 1))
        except httpx.TransportError:
            return False
        return answer.is_success or answer.is_redirect

    def _is_ready(self) -> bool:
        conditions = self._cluster.api.get(self._path)["status"].get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def _show(self, *, ready: bool) -> None:
        state = {"running": {"startedAt": _rfc3339(self._started)}}
        self._patch("Running", ready=ready, state=state)

    def _show_end(self, status: int) -> None:
        code = status if status >= 0 else _SIGNAL_EXIT_BASE - status
        over = "Succeeded" if code == 0 else "Failed"
        phase = over if self._is_over(code) else "Running"
        terminated = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": _rfc3339(self._started),
            "finishedAt": _rfc3339(dt.datetime.now(dt.UTC)),
        }
        self._patch(phase, ready=False, state={"terminated": terminated})

    def _is_over(self, code: int) -> bool:
        policy = self.pod["spec"]["restartPolicy"]
        return policy == "Never" or (policy == "OnFailure" and code == 0)

    def _patch(self, phase: str, *, ready: bool, state: dict[str, Any]) -> None:
        now = _rfc3339(dt.datetime.now(dt.UTC))
        truth = {"Initialized": True, "ContainersReady": ready, "Ready": ready}
        conditions = [
            {"type": kind, "status": str(value), "lastTransitionTime": now}
            for kind, value in truth.items()
        ]
        container = {
            "name": self.container["name"],
            "image": self.container["image"],
            "imageID": "",
            "ready": ready,
            "started": "running" in state,
            "restartCount": self._runs - 1,
            "state": state,
        }
        status = {
            "phase": phase,
            "startTime": _rfc3339(self._started),
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
            "conditions": conditions,
            "containerStatuses": [container],
        }
        try:
            self._cluster.api.patch(f"{self._path}/status", {"status": status})
        except ApiError as error:
            if error.status != httpx.codes.NOT_FOUND:  # Deleted while its process was ending.
                raise
        except httpx.TransportError:
            # The cluster ended before the pod did; nobody is left to show it to.
            return


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does: an unknown name stays, ``$$(NAME)`` is an escape."""

    def replace(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        return variables.get(match[1], match[0])

    return re.sub(r"\$?\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", replace, text)


def _rfc3339(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
