"""Follows a debug spawn's pod, from its creation until its server answers or something is wrong for good.

By asking four times a second: two small lists each, and no watch that can break unseen.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ocfspawner.cli.cluster import ApiRefused, Cluster
from ocfspawner.cli.debug_pod import NOTEBOOK, Wish
from ocfspawner.cli.diagnosis import Finding, crashed, look, out_of_time
from ocfspawner.cli.inside import Check, Facts, facts_in, judge, without_facts
from ocfspawner.cli.output import note
from ocfspawner.cli.timeline import Timeline
from ocfspawner.home_check import CONTAINER as HOME_CHECK
from ocfspawner.plan import ServerPlan

Object = Mapping[str, Any]

_EVERY = 0.25


@dataclass
class Outcome:
    """How a debug spawn ended."""

    pod: str
    trouble: Finding | None = None
    checks: list[Check] = field(default_factory=list)

    @property
    def verdict(self) -> Finding | None:
        """The first thing that is wrong; a server that answers can still have a wrong home."""
        if self.trouble:
            return self.trouble
        bad = next((check for check in self.checks if not check.ok), None)
        return Finding(bad.name, f"The server starts, but {bad.detail}.", bad.cure) if bad else None

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict is None


class Watch:
    """One pod and what is seen of it."""

    def __init__(
        self,
        cluster: Cluster,
        plan: ServerPlan,
        pod: Object,
        timeline: Timeline,
        wish: Wish,
        reach: Callable[[Object], Awaitable[Check]] | None,
    ) -> None:
        self._cluster = cluster
        self._plan = plan
        self._name = str(pod["metadata"]["name"])
        self._timeline = timeline
        self._wish = wish
        self._reach = reach
        self._reachable: Check | None = None
        self._may_read_logs = True

    async def until_answering(self, deadline: float) -> Outcome:
        """Follow it to the end; at the latest until *deadline*, by `time.monotonic`."""
        began = time.monotonic()
        while True:
            waited = time.monotonic() - began
            pod, events = await self._cluster.pod(self._name), await self._cluster.events(self._name)
            self._timeline.happened(events)
            if pod is None:
                gone = Finding("gone", "The pod was deleted by somebody else.", "Is a cleaner at work here?")
                return self._outcome({}, gone)
            facts = await self._facts(pod)
            self._note_phases(pod, facts)
            await self._try_to_reach(pod)
            trouble = self._crash(pod, facts) or look(self._plan, pod, events, waited)
            if trouble or "answering" in facts or self._is_all_we_can_know(pod):
                return self._outcome(facts, trouble)
            if time.monotonic() > deadline:
                return self._outcome(facts, out_of_time(pod, events, self._timeline.next, self._wish.seconds))
            await asyncio.sleep(_EVERY)

    def _outcome(self, facts: Facts, trouble: Finding | None) -> Outcome:
        checks = list(judge(self._plan, facts, self._wish.read_write))
        if self._reachable and not trouble:
            checks.append(self._reachable)
        return Outcome(self._name, trouble, checks)

    async def _try_to_reach(self, pod: Object) -> None:
        """Ask the server as the Hub does, while it runs, until it has answered once."""
        state = _container(pod, "containerStatuses", NOTEBOOK).get("state") or {}
        if self._reach and "running" in state and not (self._reachable and self._reachable.ok):
            self._reachable = await self._reach(pod)

    async def _facts(self, pod: Object) -> Facts:
        """What the container has said: in its log, else, without the right to read it, in its last message."""
        notebook = _container(pod, "containerStatuses", NOTEBOOK)
        state = notebook.get("state") or {}
        message = (state.get("terminated") or {}).get("message", "")
        facts = facts_in(message.splitlines(), marked=False)
        if self._may_read_logs and ("running" in state or "terminated" in state):
            try:
                lines = (await self._cluster.log(self._name, NOTEBOOK)).splitlines()
            except ApiRefused as refused:
                self._may_read_logs = False
                note(f"The log is not shown, as we may not read it ({refused.http_status} {refused.cause}).")
            else:
                self._timeline.wrote(without_facts(lines))
                facts = {**facts, **facts_in(lines)}
        return facts

    def _note_phases(self, pod: Object, facts: Facts) -> None:
        status = pod.get("status") or {}
        conditions = {c["type"]: c["status"] == "True" for c in status.get("conditions") or ()}
        check = _container(pod, "initContainerStatuses", HOME_CHECK).get("state") or {}
        notebook = _container(pod, "containerStatuses", NOTEBOOK).get("state") or {}
        runs = "running" in notebook or "terminated" in notebook
        if conditions.get("PodScheduled"):
            self._timeline.passed("scheduled", str(pod["spec"].get("nodeName", "")))
        if conditions.get("PodReadyToStartContainers") or ("waiting" not in check and check):
            self._timeline.passed("mounted")
        if "terminated" in check and check["terminated"]["exitCode"] == 0:
            self._timeline.passed("home check", self._plan.home.path)
        if runs:
            self._timeline.passed("image", _container(pod, "containerStatuses", NOTEBOOK).get("image", ""))
            self._timeline.passed("started")
        if "answering" in facts:
            self._timeline.passed("answering")

    def _crash(self, pod: Object, facts: Facts) -> Finding | None:
        state = _container(pod, "containerStatuses", NOTEBOOK).get("state") or {}
        ended = state.get("terminated")
        if not ended or "answering" in facts or ended.get("reason") == "OOMKilled":
            return None
        if ended.get("reason") in ("StartError", "ContainerCannotRun"):
            return None
        if facts.get("hub", "200").startswith("no"):
            what = f"The server ended because it does not reach the Hub's API ({facts['hub']})."
            cure = "Look at NetworkPolicies, the Hub's service and c.JupyterHub.hub_connect_url."
            return Finding("network", what, cure)
        return crashed(self._plan, facts.get("ended", ended["exitCode"]), self._timeline.log)

    def _is_all_we_can_know(self, pod: Object) -> bool:
        """Without the log, and with a pod that is kept, nothing more will come."""
        state = _container(pod, "containerStatuses", NOTEBOOK).get("state") or {}
        return self._wish.keep and not self._may_read_logs and "running" in state


def _container(pod: Object, kind: str, name: str) -> Object:
    statuses: Sequence[Object] = (pod.get("status") or {}).get(kind) or ()
    return next((status for status in statuses if status["name"] == name), {})
