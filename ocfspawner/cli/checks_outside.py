"""What has to be asked of others: the directory's servers, and the API server."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ocfspawner.account import Account, Group
from ocfspawner.cli import detached
from ocfspawner.cli import hub as hubs
from ocfspawner.cli.checks import Result, State, apart
from ocfspawner.cli.cluster import ApiRefused, Cluster
from ocfspawner.cli.diagnosis import CURES, creation_refused
from ocfspawner.directory.client import Answer, Source
from ocfspawner.errors import DirectoryError, LoginRefused

if TYPE_CHECKING:
    from ocfspawner.directory.schema import Schema
    from ocfspawner.directory.settings import DirectorySettings, ServerAddress
    from ocfspawner.spawner import OCFSpawner

_SOON = 14
"""Days before its end when a certificate is worth a word."""

_NOBODY = "ocfspawner-check"
"""Whom the directory is asked for, and for whom a pod is tried; no matter if somebody is named so."""

_PROXY_SECONDS = 5.0
"""For its answer."""

_NEEDED = (
    ("list", "pods", "", "to see servers"),
    ("watch", "pods", "", "to see servers"),
    ("create", "pods", "", "to start servers"),
    ("delete", "pods", "", "to stop servers"),
)
_FOR_EVENTS = (
    ("list", "events", "", "for the progress page"),
    ("watch", "events", "", "for the progress page"),
)
_FOR_CLAIMS = tuple(
    (verb, "persistentvolumeclaims", "", "for storage_pvc_ensure") for verb in ("get", "create", "delete")
)
_FOR_SERVICES = tuple(
    (verb, kind, "", "for internal_ssl and services_enabled")
    for kind in ("services", "secrets")
    for verb in ("create", "delete")
)
_USEFUL = (
    ("get", "pods", "log", "for the log in `ocfspawner spawn`"),
    ("get", "persistentvolumeclaims", "", "for `ocfspawner check` to see the claim of the homes"),
)


# -- the directory ---------------------------------------------------------------------------


async def directory(hub: hubs.Hub) -> Iterable[Result]:
    """Whether each server answers, and how long its certificate lasts."""
    if not hub.directory.configured:
        return [Result("directory", State.BAD, "none is configured", "Set c.LDAPDirectory.urls.")]
    settings = hub.directory.settings()
    return await asyncio.gather(*(apart(partial(_server, address, settings)) for address in settings.servers))


def _server(address: "ServerAddress", settings: "DirectorySettings") -> Result:
    """Connect, bind and search, as the client does."""
    from ocfspawner.directory.connection import ConnectionLost, ServerConnection

    name, began = "directory", time.monotonic()
    connection = None
    try:
        connection = ServerConnection(address, settings)
        connection.open()
        connection.bind()
        schema = settings.schema
        connection.search(schema.people_base, schema.person_filter(_NOBODY), schema.person_attributes)
        connection.search(schema.group_base, schema.group_filter(_NOBODY, "", {}), schema.group_attributes)
        days = connection.certificate_days
    except DirectoryError as error:
        return Result(name, State.BAD, error.admin_text, CURES.get(error.reason, ""))
    except ConnectionLost as error:
        return Result(name, State.BAD, str(error), CURES["directory-unreachable"])
    finally:
        if connection:
            connection.close()
    answer = f"{address} answers in {(time.monotonic() - began) * 1000:.0f} ms"
    if days is None:
        return Result(name, State.DOUBTFUL, f"{answer}, without TLS", "Use ldaps://.")
    state = State.FINE if days > _SOON else State.DOUBTFUL
    cure = "" if days > _SOON else "Renew the certificate now."
    return Result(name, state, f"{answer}, its certificate is valid for {days} days more", cure)


# -- the proxy -------------------------------------------------------------------------------


async def proxy(hub: hubs.Hub) -> Iterable[Result]:
    """Whether the proxy answers, and takes the Hub's token."""
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest

    section = hub.config.ConfigurableHTTPProxy
    token = section.get("auth_token") or os.environ.get("CONFIGPROXY_AUTH_TOKEN")
    if not token:
        return []
    url = section.get("api_url", "http://127.0.0.1:8001").rstrip("/")
    request = HTTPRequest(
        f"{url}/api/routes",
        headers={"Authorization": f"token {token}"},
        connect_timeout=_PROXY_SECONDS,
        request_timeout=_PROXY_SECONDS,
    )
    try:
        answer = await AsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)
    except (OSError, TimeoutError) as error:
        return [_proxy_away(url, str(error))]
    return [_proxy(url, answer.code, answer.reason)]


def _proxy(url: str, status: int, reason: str) -> Result:
    if status == 200:
        return Result("proxy", State.FINE, f"{url} takes the Hub's token")
    if status == 403:
        finding = f"{url} refuses the Hub's token (403): they have different ones"
        cure = "Restart the proxy and then the Hub, so that both read the same Secret: docs/secrets.md."
        return Result("proxy", State.BAD, finding, cure)
    if status == 599:
        return _proxy_away(url, reason)
    return Result("proxy", State.BAD, f"{url} answers {status} {reason}", "Is that the proxy's API? See its log.")


def _proxy_away(url: str, reason: str) -> Result:
    cure = "Does the proxy run? Is c.ConfigurableHTTPProxy.api_url right, and may the Hub reach it?"
    return Result("proxy", State.BAD, f"{url} can't be reached: {reason}", cure)


# -- the API server --------------------------------------------------------------------------


async def rights(hub: hubs.Hub) -> Iterable[Result]:
    """Whether we have each right that is used."""
    spawner = hub.spawner(_NOBODY)
    async with Cluster.of(spawner) as cluster:
        results = [
            Result("API server", State.FINE, f"answers; people's pods run in the namespace {cluster.namespace}")
        ]
        for needed, state in ((tuple(_needed_by(spawner)), State.BAD), (_USEFUL, State.DOUBTFUL)):
            for verb, resource, subresource, purpose in needed:
                what = f"{verb} {resource}{'/' if subresource else ''}{subresource}"
                allowed = await cluster.may(verb, resource, subresource)
                finding = what if allowed else f"{what} is not allowed, {purpose}"
                cure = "" if allowed else "Grant it to the Hub's ServiceAccount in deploy/base/role.yaml."
                results.append(Result("right", State.FINE if allowed else state, finding, cure))
    return results


def _needed_by(spawner: "OCFSpawner") -> Iterator[tuple[str, str, str, str]]:
    """Rights that every start takes, and those that its settings take."""
    yield from _NEEDED
    if spawner.events_enabled:
        yield from _FOR_EVENTS
    if spawner.storage_pvc_ensure:
        yield from _FOR_CLAIMS
    if spawner.internal_ssl or spawner.services_enabled:
        yield from _FOR_SERVICES


async def claims(hub: hubs.Hub) -> Iterable[Result]:
    """Whether the claim of the homes, and those of other volumes, are there, bound, and for many nodes."""
    spawner = hub.spawner(_NOBODY)
    by_claim = hasattr(spawner.homes, "claim")
    results = [] if by_claim else [Result("homes", State.FINE, f"{spawner.homes}: each mounted by itself")]
    async with Cluster.of(spawner) as cluster:
        for name, claim, cure in _claims_of(spawner):
            results.append(await _looked_at(cluster.claim(claim), name, f"claim {claim}", cure, _claim))
        if spawner.storage_pvc_ensure and spawner.storage_class:
            results.append(await _storage_class(cluster, spawner.storage_class))
    return results


async def _storage_class(cluster: Cluster, wanted: str) -> Result:
    name, what = "storage class", f"class {wanted}"
    # Asked first, as the Role leaves it out: to try would stand in the API server's audit log as an attempt.
    if not await cluster.may("get", "storageclasses", group="storage.k8s.io", cluster_wide=True):
        return Result(name, State.DOUBTFUL, f"{what}: we may not look", "Grant the right to get it.")
    cure = "Make it, or set c.KubeSpawner.storage_class."
    return await _looked_at(cluster.storage_class(wanted), name, what, cure, _class)


def _claims_of(spawner: "OCFSpawner") -> Iterator[tuple[str, str, str]]:
    """Claims that everybody's pod mounts: what for, their names, and the cure when there is none."""
    if hasattr(spawner.homes, "claim"):
        yield "homes", spawner.homes.claim, "Make the claim, or set c.OCFSpawner.homes."
    volumes = spawner.volumes.values() if isinstance(spawner.volumes, Mapping) else spawner.volumes
    for volume in volumes:
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        # With a brace it is a template, and each person has one of their own.
        if claim and "{" not in claim:
            yield "volume", claim, "Make the claim, or take it out of c.KubeSpawner.volumes."


async def _looked_at(
    question: Awaitable[Any], name: str, what: str, cure: str, judge: Callable[[str, str, Any], Result]
) -> Result:
    try:
        return judge(name, what, await question)
    except ApiRefused as refused:
        if refused.http_status == HTTPStatus.FORBIDDEN:
            return Result(name, State.DOUBTFUL, f"{what}: we may not look", "Grant the right to get it.")
        return Result(name, State.BAD, refused.message, cure)


def _claim(name: str, what: str, claim: Any) -> Result:
    phase, modes = claim["status"].get("phase"), claim["spec"].get("accessModes") or []
    if phase != "Bound":
        return Result(name, State.BAD, f"{what} is {phase}", "Is there a volume for it?")
    if "ReadWriteMany" not in modes and "ReadOnlyMany" not in modes:
        cure = "Use ReadWriteMany, or all servers must run on one node."
        return Result(name, State.DOUBTFUL, f"{what} is {', '.join(modes)}", cure)
    return Result(name, State.FINE, f"{what} is bound, {', '.join(modes)}")


def _class(name: str, what: str, found: Any) -> Result:
    return Result(name, State.FINE, f"{what} is there, by {found['provisioner']}")


async def pod(hub: hubs.Hub) -> Iterable[Result]:
    """Whether the API server would take the pod of an account without groups: classes, admission, quota."""
    hub.directory.answer_from(_Somebody(hub.directory.schema()))
    decision = await hub.decide(_NOBODY)
    manifest = await detached.manifest(decision.spawner)
    async with Cluster.of(decision.spawner) as cluster:
        try:
            await cluster.create_pod(manifest, dry_run=True)
        except ApiRefused as refused:
            finding = creation_refused(refused)
            return [Result("pod", State.BAD, finding.sentence, finding.cure)]
    return [
        Result("pod", State.FINE, "the API server would create one: schema, classes, admission and quota are fine")
    ]


class _Somebody:
    """A directory in which everybody is an account without groups."""

    def __init__(self, schema: "Schema") -> None:
        self._rules = schema.rules

    async def lookup(self, username: str) -> Answer:
        uid = self._rules.uid_floor
        home = f"{self._rules.home_prefixes[0]}/{username[0]}/{username[:2]}/{username}"
        account = Account(username, uid, uid, (Group(username, uid),), home, "/bin/sh")
        return Answer(account, Source.FILE, 0.0)

    async def authenticate(self, username: str, password: str) -> Account:
        raise LoginRefused(username, "this is nobody")

    async def usernames(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


QUESTIONS: Sequence[tuple[str, Callable[[hubs.Hub], Awaitable[Iterable[Result]]]]] = (
    ("proxy", proxy),
    ("directory", directory),
    ("API server", rights),
    ("homes", claims),
    ("pod", pod),
)
"""In this order: the last one takes the directory's place."""
