"""The API server, as plain dictionaries, with a time limit on every request."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ocfspawner.errors import ConfigurationError

Object = Mapping[str, Any]

_SECONDS = 10.0
"""For one request."""


class NoCluster(ConfigurationError):
    """There is no API server to speak to."""

    reason = "no-cluster"


class ApiRefused(ConfigurationError):
    """The API server said no; ``message`` is its own text, ``cause`` its word for why."""

    reason = "api-refused"

    def __init__(self, status: int, cause: str, message: str) -> None:
        self.http_status = status
        self.cause = cause
        self.message = message
        super().__init__(f"the API server refuses ({status} {cause}): {message}")


@dataclass
class Cluster:
    """The namespace that people's pods run in."""

    api: Any
    namespace: str

    @classmethod
    def of(cls, spawner: Any) -> "Cluster":
        """The cluster that *spawner* would use.  Raises `NoCluster`."""
        from kubernetes_asyncio.client import ApiClient
        from kubernetes_asyncio.config import ConfigException
        from kubespawner.clients import load_config

        logging.disable(logging.WARNING)  # each place where no kubeconfig is, is a warning
        try:
            load_config(
                host=spawner.k8s_api_host,
                ssl_ca_cert=spawner.k8s_api_ssl_ca_cert,
                verify_ssl=spawner.k8s_api_verify_ssl,
            )
        except (ConfigException, OSError) as error:
            raise NoCluster(f"neither in a pod of the cluster nor with a kubeconfig: {error}") from None
        finally:
            logging.disable(logging.NOTSET)
        return cls(ApiClient(), spawner.namespace)

    async def __aenter__(self) -> "Cluster":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.api.close()

    async def create_pod(self, manifest: Object, dry_run: bool = False) -> Object:
        """Create the pod; with *dry_run*, ask all that would judge it, and create nothing."""
        options = {"dry_run": "All"} if dry_run else {}
        return await self._object(
            self._core.create_namespaced_pod, self.namespace, manifest, field_validation="Strict", **options
        )

    async def delete_pod(self, name: str) -> None:
        """Delete the pod; no matter if it has gone already."""
        try:
            await self._object(self._core.delete_namespaced_pod, name, self.namespace, grace_period_seconds=1)
        except ApiRefused as refused:
            if refused.http_status != HTTPStatus.NOT_FOUND:
                raise

    async def pod(self, name: str) -> Object | None:
        """The pod of that name.  Asked as a list, which is all that the Hub may do."""
        found = await self.pods(field_selector=f"metadata.name={name}")
        return found[0] if found else None

    async def pods(self, **selectors: str) -> Sequence[Object]:
        """Pods of the namespace."""
        return await self._items(self._core.list_namespaced_pod, self.namespace, **selectors)

    async def events(self, name: str) -> Sequence[Object]:
        """Events about the pod *name*, oldest first."""
        selector = f"involvedObject.kind=Pod,involvedObject.name={name}"
        found = await self._items(self._core.list_namespaced_event, self.namespace, field_selector=selector)
        return sorted(found, key=_time_of)

    async def log(self, name: str, container: str) -> str:
        """What the container wrote; empty before it started.  Raises `ApiRefused` without the right to read logs."""
        try:
            answer = await self._asked(
                self._core.read_namespaced_pod_log, name, self.namespace, container=container, tail_lines=2000
            )
        except ApiRefused as refused:
            if refused.http_status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
                return ""
            raise
        return answer.decode("utf-8", "replace")

    async def nodes(self) -> Sequence[Object]:
        """The nodes of the cluster."""
        return await self._items(self._core.list_node)

    async def may(
        self, verb: str, resource: str, subresource: str = "", group: str = "", cluster_wide: bool = False
    ) -> bool:
        """Whether we have this right (SelfSubjectAccessReview)."""
        from kubernetes_asyncio.client import AuthorizationV1Api

        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
        if not cluster_wide:
            attributes["namespace"] = self.namespace
        review = {"spec": {"resourceAttributes": attributes}}
        answer = await self._object(AuthorizationV1Api(self.api).create_self_subject_access_review, review)
        return bool(answer["status"]["allowed"])

    async def claim(self, name: str) -> Object:
        """The PersistentVolumeClaim of that name."""
        return await self._object(self._core.read_namespaced_persistent_volume_claim, name, self.namespace)

    async def storage_class(self, name: str) -> Object:
        """The StorageClass of that name."""
        from kubernetes_asyncio.client import StorageV1Api

        return await self._object(StorageV1Api(self.api).read_storage_class, name)

    # -- requests ----------------------------------------------------------------------------

    @property
    def _core(self) -> Any:
        from kubernetes_asyncio.client import CoreV1Api

        return CoreV1Api(self.api)

    async def _items(self, ask: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Sequence[Object]:
        items: Sequence[Object] = (await self._object(ask, *arguments, **options))["items"]
        return items

    async def _object(self, ask: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Object:
        answer: Object = json.loads(await self._asked(ask, *arguments, **options))
        return answer

    async def _asked(self, ask: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> bytes:
        import aiohttp

        try:
            # Not preloaded: the answer as it is, instead of models that drop what they don't know.
            response = await ask(*arguments, **options, _preload_content=False, _request_timeout=_SECONDS)
            body: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoCluster(f"the API server does not answer: {str(error) or type(error).__name__}") from None
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _refused(response.status, body)
        return body


def _refused(status: int, body: bytes) -> ApiRefused:
    try:
        said = json.loads(body)
        return ApiRefused(status, said.get("reason") or "", said.get("message") or "")
    except (ValueError, AttributeError):
        return ApiRefused(status, HTTPStatus(status).phrase, body[:300].decode("utf-8", "replace"))


def _time_of(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
