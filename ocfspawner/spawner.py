"""OCFSpawner: a KubeSpawner whose people come from a directory.

Each spawn goes one way: user name → `Account` → `Home` and `Resources` → `ServerPlan` → pod.  The seams with
KubeSpawner are `load_user_options`, `get_env`, `get_pod_manifest` and `is_pod_running`; without a directory
(``c.LDAPDirectory.urls``) each of them leaves to KubeSpawner.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import date
from random import uniform
from time import monotonic
from typing import Any

from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.client.models import V1Pod
from kubespawner import KubeSpawner
from traitlets import Float, Instance, List, TraitError, Unicode, default

from ocfspawner import home_check, metrics, traits
from ocfspawner.account import Account
from ocfspawner.directory.client import Source
from ocfspawner.directory.config import the_directory
from ocfspawner.errors import (
    AccountDisabled,
    ClusterRefused,
    ConfigurationError,
    NoSuchAccount,
    OptionsRefused,
    Refusal,
)
from ocfspawner.home import ClaimHomes, HomeVolume
from ocfspawner.plan import MAX_NFS_GROUPS, ServerPlan, plan_server
from ocfspawner.pod import apply_plan
from ocfspawner.policy import Policy
from ocfspawner.policy_file import load_policy
from ocfspawner.refusals import BUSY, CONFLICT, handed_to_the_hub, message_of

_ACCOUNT_GONE = 1
"""What `OCFSpawner.poll` answers for a server that must stop; the Hub then stops it."""

_DECIDED_PER_START = (*traits.RESOURCE_TRAITS, "image", "environment")
"""Traits that rules or profiles set anew at each start."""


class OCFSpawner(KubeSpawner):  # type: ignore[misc]  # KubeSpawner has no types
    """Spawns each person's server as themselves: their home, uid, gid, groups and resources."""

    homes = Instance(
        object,
        help="""Where homes lie: ClaimHomes(claim=…, root=…), or NFSHomes(server=…, prefix=…), both of
        ocfspawner.home.

        Default: ClaimHomes(), a ReadWriteMany claim named "homes" whose top is /home.
        """,
    ).tag(config=True)
    policy_file = Unicode(
        help="""YAML file with the resource policy.  Default: none; everyone gets what cpu_guarantee, cpu_limit,
        mem_guarantee, mem_limit and extra_resource_* say.

        The file is read again when it changes; while it can't be read, the last good one stays in force.
        """,
    ).tag(config=True)
    shells: List[str] = List(
        Unicode(),
        ["/bin/bash", "/bin/sh"],
        minlen=1,
        help="""Shells that the single-user images have, the preferred one first.  A person's own shell is used
        when it is among them.""",
    ).tag(config=True)
    home_check_image = Unicode(
        help="""Image of the container that looks at the home first; it needs /bin/sh.

        Default: the configured KubeSpawner.image, whatever image a profile chooses.
        """,
    ).tag(config=True)

    account_check_interval = Float(
        15 * 60.0,
        help="""Seconds between two looks at the account of a running server; 0 for never.

        A server whose account is gone or disabled is stopped.  One whose directory is away, or whose entry is
        malformed for the moment, goes on.  Each look is one query: raise it for thousands of servers and a
        small directory.
        """,
    ).tag(config=True)

    _plan: ServerPlan | None = None
    _notes: tuple[str, ...] = ()
    _account_seen: float | None = None
    _configured: dict[str, Any] | None = None

    @default("homes")
    def _default_homes(self) -> HomeVolume:
        return ClaimHomes()

    @default("cmd")
    def _default_cmd(self) -> list[str] | None:
        """``-s`` and ``-P`` keep the server's own imports out of the home, where a ``random.py`` or a broken
        ``~/.local`` would stop it; kernels start without them, and see what people installed.
        """
        return ["python3", "-s", "-P", "-m", "jupyterhub.singleuser"] if self._has_directory else None

    @default("delete_pvc")
    def _default_delete_pvc(self) -> bool:
        """KubeSpawner's True would delete a claim that everybody's homes lie on."""
        return not self._has_directory

    async def load_user_options(self) -> None:
        """Decide what this server will be: first thing in a spawn, and inside its time limit.

        Raises `SpawnException` for everything that is refused.
        """
        self._plan = None
        self._notes = ()
        if not self._has_directory:
            await super().load_user_options()
            return
        self._restore_configured()
        with handed_to_the_hub():
            check_image = self.home_check_image or self.image
            account = await self._lookup()
            policy = load_policy(self.policy_file, self.log) if self.policy_file else Policy()
            given = policy.resources_for(account, self.name, date.today(), traits.configured(self))
            traits.write(self, given)
            await self._load_profile_choice()
            resources = policy.limited(traits.rechosen(self, given, self._profile_origin))
            if resources is not given:
                traits.write(self, resources)
            home = self._home_volume.home_of(account, self._expanded_notebook_dir)
            self._plan = plan_server(account, home, resources, self.shells, check_image)
            self._notes += tuple(resources.describe())
        self._log_plan(self._plan)

    def get_env(self) -> dict[str, Any]:
        """KubeSpawner's environment, with the person's own on top."""
        env: dict[str, Any] = super().get_env()
        return {**env, **self._plan.environment} if self._plan else env

    async def get_pod_manifest(self) -> V1Pod:
        """KubeSpawner's pod, made into this person's."""
        pod: V1Pod = await super().get_pod_manifest()
        if self._plan:
            with handed_to_the_hub():
                apply_plan(pod, self._plan)
        return pod

    async def _make_create_pod_request(self, pod: V1Pod, request_timeout: float) -> bool:
        """KubeSpawner's (kubespawner 7.1.0, spawner.py:2993), but for what it does with the API server's errors.

        It would log the pod, and with it the server's token; give up on an API server that is busy for a moment;
        and count a pod that is not admitted as a fault of the Hub's.
        """
        if not self._plan:
            return bool(await super()._make_create_pod_request(pod, request_timeout))
        try:
            await asyncio.wait_for(self.api.create_namespaced_pod(self.namespace, pod), request_timeout)
        except TimeoutError:
            return False
        except ApiException as error:
            if error.status == CONFLICT:
                self.log.warning("%s: an old pod is in the way, and is removed", self._log_name)
                await self.stop(True)
                return False
            if error.status in BUSY:
                self.log.warning("%s: the API server is busy (%d), once more", self._log_name, error.status)
                return False
            with handed_to_the_hub():
                raise ClusterRefused(f"{self._log_name}: {error.status} {message_of(error)}") from None
        return True

    def is_pod_running(self, pod: dict[str, Any] | None) -> bool:
        """Whether the pod answers; ends the wait with a `SpawnException` when the look at the home failed."""
        if pod is not None and self._plan:
            refusal = home_check.refusal(self._plan, pod, lambda: self.events)
            if refusal:
                with handed_to_the_hub():
                    raise refusal
        return bool(super().is_pod_running(pod))

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """KubeSpawner's progress, with what there is to say of the account."""
        said = 0
        async for event in super().progress():
            for note in self._notes[said:]:
                yield {"progress": event.get("progress", 0), "message": note}
            said = len(self._notes)
            yield event

    async def poll(self) -> int | None:
        """``None`` while the server runs; from time to time, whether its person still has an account."""
        status: int | None = await super().poll()
        if status is None and self._has_directory and await self._account_is_gone():
            return _ACCOUNT_GONE
        return status

    @property
    def plan(self) -> ServerPlan | None:
        """What `load_user_options` decided; ``None`` before, and without a directory."""
        return self._plan

    # -- pieces ------------------------------------------------------------------------------

    @property
    def _has_directory(self) -> bool:
        return the_directory(self).configured

    @property
    def _home_volume(self) -> HomeVolume:
        if not hasattr(self.homes, "home_of"):
            raise ConfigurationError(f"OCFSpawner.homes is {self.homes!r}: expected ClaimHomes(…) or NFSHomes(…)")
        return self.homes

    @property
    def _expanded_notebook_dir(self) -> str:
        try:
            return str(self.format_string(self.notebook_dir))
        except (AttributeError, IndexError, KeyError, ValueError) as error:
            raise ConfigurationError(
                f"notebook_dir {self.notebook_dir!r}: {error!r}; it may name {{username}} and nothing else"
            ) from None

    async def _lookup(self) -> Account:
        answer = await the_directory(self).directory().lookup(self.user.name)
        account = answer.account
        if account.disabled:
            raise AccountDisabled(account.username, account.disabled)
        # Whatever the age of the answer: a server that just started is not looked at again at once.
        self._account_seen = monotonic()
        if answer.source is Source.LAST_KNOWN_GOOD:
            self._notes += (f"The user directory is away; your account is as it was {ago(answer.age)}.",)
            self.log.warning("%s: started by the last known good answer of %s", account.username, ago(answer.age))
        return account

    async def _account_is_gone(self) -> bool:
        """Whether the directory says, when it is time to ask, that this person may have no server any more."""
        interval, now = self.account_check_interval, monotonic()
        if self._account_seen is None:
            # The Hub has restarted: spread the first looks, so that they don't all come at once.
            self._account_seen = now - uniform(0, interval)
        if not interval or now < self._account_seen + interval:
            return False
        self._account_seen = now
        try:
            answer = await the_directory(self).directory().lookup(self.user.name)
            # Of an answer from an outage, not even what today's rules make of it counts.
            if answer.account.disabled and answer.source is not Source.LAST_KNOWN_GOOD:
                raise AccountDisabled(answer.account.username, answer.account.disabled)
        except (NoSuchAccount, AccountDisabled) as refused:
            metrics.REFUSALS.labels("running", refused.reason).inc()
            self.log.warning("Stopping %s: %s", self._log_name, refused.admin_text)
            return True
        except Refusal as refused:
            self.log.warning("%s goes on: %s", self._log_name, refused.admin_text)
        return False

    async def _load_profile_choice(self) -> None:
        try:
            await super().load_user_options()
        except (KeyError, TypeError, ValueError, TraitError) as error:
            # Choices arrive by REST as well as by the form, as any JSON (kubespawner 7.1.0, spawner.py:3810),
            # and an unlisted choice may be nothing that its trait takes.
            raise OptionsRefused(f"{self.user.name}: {type(error).__name__}: {str(error)[:300]!r}") from None

    def _restore_configured(self) -> None:
        """Undo what an earlier start of this object set: the Hub may keep it after a failed one."""
        if self._configured is None:  # copies, here and below: profiles are merged into a trait's own dictionary
            self._configured = {name: deepcopy(getattr(self, name)) for name in _DECIDED_PER_START}
        for name, value in self._configured.items():
            if getattr(self, name) != value:
                setattr(self, name, deepcopy(value))

    @property
    def _profile_origin(self) -> str:
        chosen = self.user_options.get("profile")
        return f"profile “{chosen}”" if chosen else "the default profile"

    def _log_plan(self, plan: ServerPlan) -> None:
        if not self.log.isEnabledFor(logging.WARNING):
            return
        account = plan.account
        groups = account.supplemental_gids
        self.log.info(
            "%s: uid %d, gid %d, groups %s, home %s; %s",
            *(account.username, account.uid, account.gid, list(groups), account.home),
            "; ".join(plan.resources.describe()) or "no resources set",
        )
        if len(groups) > MAX_NFS_GROUPS:
            lost = [group.name for group in account.groups if group.gid in groups[MAX_NFS_GROUPS:]]
            self.log.warning("%s: NFS carries 16 groups, not on files: %s", account.username, ", ".join(lost))


def ago(seconds: float) -> str:
    """*seconds* for people: "5 minutes ago", "3 hours ago", "2 days ago"."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}s ago"
    return "a moment ago" if seconds < 60 else "a minute ago"
