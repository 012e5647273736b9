"""``ocfspawner spawn``: a real pod as a person, and what is wrong with it."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocfspawner.cli import detached
from ocfspawner.cli import hub as hubs
from ocfspawner.cli.cluster import ApiRefused, Cluster
from ocfspawner.cli.debug_pod import COMPONENT, NOTEBOOK, Wish, debug_name, debug_pod
from ocfspawner.cli.diagnosis import Finding, creation_refused, out_of_time, would_be_refused
from ocfspawner.cli.exits import Unhealthy
from ocfspawner.cli.inside import Check
from ocfspawner.cli.output import answering, config_option, note, output_option, print_json, server_option
from ocfspawner.cli.timeline import Timeline
from ocfspawner.cli.watch import Outcome, Watch
from ocfspawner.errors import Refusal

if TYPE_CHECKING:
    from ocfspawner.plan import ServerPlan

_SECONDS_TO_CLEAN_UP = 15.0


@click.command(name="spawn")
@click.argument("username")
@server_option
@click.option("--read-write", is_flag=True, help="Mount the home as a server has it, and let HOME be it.")
@click.option("--keep", is_flag=True, help="Leave the pod, with its server running, for a look.")
@click.option(
    "--timeout", type=click.IntRange(1, 3600), default=120, show_default=True, help="Seconds for the whole spawn."
)
@config_option
@output_option
def command(
    username: str, server: str, read_write: bool, keep: bool, timeout: int, config: Path | None, output: str
) -> None:
    """Start a debug server as USERNAME, and say in one sentence what is wrong and what to do.

    The pod is the one that the Hub would make, under another name that the Hub does not know: without a token, with
    the home mounted read-only and HOME somewhere else.  It is removed on every way out.  The person's own server is
    left alone.

    \b
    ocfspawner spawn alice
    ocfspawner spawn alice --read-write --timeout 300
    ocfspawner spawn alice --keep
    """
    timeline = Timeline(quiet=output == "json")
    timeline.say(f"Debug spawn of {username}")
    try:
        with answering(output):
            wish = Wish(read_write=read_write, keep=keep, seconds=timeout)
            outcome = hubs.run(_interruptible(_spawn(config, username, server, timeline, wish)))
    finally:
        timeline.stop()
    _report(outcome, username, timeline, output)
    if not outcome.healthy:
        raise Unhealthy


async def _interruptible(work: Any) -> Any:
    """*work*, which a signal cancels once; further ones wait until it has cleaned up.

    Raises `KeyboardInterrupt` then.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        note("Cleaning up …")
        task.cancel()
        for which in signals:
            loop.add_signal_handler(which, lambda: None)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for which in signals:
        loop.add_signal_handler(which, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _spawn(config: Path | None, username: str, server: str, timeline: Timeline, wish: Wish) -> Outcome:
    async with hubs.Hub.load(config, exact=True) as hub:
        timeline.passed("configuration", str(hub.path))
        deadline = time.monotonic() + wish.seconds
        try:
            async with asyncio.timeout(wish.seconds):
                decision = await hub.decide(username, server)
                manifest = await detached.manifest(decision.spawner)
        except TimeoutError:
            return Outcome("", out_of_time(None, (), timeline.next, wish.seconds))
        except Refusal as refused:
            return Outcome("", would_be_refused(refused))
        plan = decision.plan
        timeline.passed("directory", f"{_by(decision)}: uid {plan.account.uid}", decision.directory_seconds)
        timeline.passed("policy", "; ".join(_amounts(plan)), decision.policy_seconds)
        pod = debug_pod(manifest, plan, debug_name(manifest), wish)
        async with Cluster.of(decision.spawner) as cluster:
            await _sweep(cluster)
            try:
                async with _created(cluster, pod, timeline, wish.keep):
                    reach = _reached_from_here if "KUBERNETES_SERVICE_HOST" in os.environ else None
                    return await Watch(cluster, plan, pod, timeline, wish, reach).until_answering(deadline)
            except ApiRefused as refused:
                return Outcome(pod["metadata"]["name"], creation_refused(refused))


@asynccontextmanager
async def _created(cluster: Cluster, pod: Mapping[str, Any], timeline: Timeline, keep: bool) -> AsyncIterator[None]:
    """The pod, which is gone again after the block, whatever ends it."""
    name = pod["metadata"]["name"]
    try:
        await cluster.create_pod(pod)
        timeline.passed("created", name)
        yield
    finally:
        if keep:
            note(f"Kept: kubectl -n {cluster.namespace} exec -it {name} -c {NOTEBOOK} -- sh")
            note(f"Remove it: kubectl -n {cluster.namespace} delete pod {name}")
        else:
            await _delete(cluster, name)


async def _delete(cluster: Cluster, name: str) -> None:
    """Delete the pod and see it go; says so when that fails."""
    try:
        async with asyncio.timeout(_SECONDS_TO_CLEAN_UP):
            await cluster.delete_pod(name)
            while await cluster.pod(name):  # noqa: ASYNC110 - what is waited for is not in this process
                await asyncio.sleep(0.2)
    except Exception as error:  # whatever it is, it must not hide what came before
        note(f"The pod {name} could not be removed: {error or type(error).__name__}")
        note(f"Remove it: kubectl -n {cluster.namespace} delete pod {name}")


async def _sweep(cluster: Cluster) -> None:
    """Remove debug pods whose command was killed before it could: those that have ended, and whose time is up."""
    now = datetime.now(UTC)
    for pod in await cluster.pods(label_selector=f"component={COMPONENT}"):
        seconds = pod["spec"].get("activeDeadlineSeconds")
        created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
        if seconds and now > created + timedelta(seconds=seconds):
            await cluster.delete_pod(pod["metadata"]["name"])


async def _reached_from_here(pod: Mapping[str, Any]) -> Check:
    """Whether the server answers us, who are in the Hub's pod, as it must answer Hub and proxy."""
    import aiohttp

    address = str(pod["status"].get("podIP", ""))
    notebook = next(container for container in pod["spec"]["containers"] if container["name"] == NOTEBOOK)
    port = next(port["containerPort"] for port in notebook["ports"] if port.get("name") == "notebook-port")
    prefix = next((one["value"] for one in notebook["env"] if one["name"] == "JUPYTERHUB_SERVICE_PREFIX"), "/")
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}{prefix}api"
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session, session.get(url):
            return Check("reachable", True, "the Hub's pod reaches the server")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        cure = "Look at NetworkPolicies; those that select component=singleuser-server don't select this pod."
        detail = f"the Hub's pod does not reach it at {url}: {error or type(error).__name__}"
        return Check("reachable", False, detail, cure)


def _by(decision: hubs.Decision) -> str:
    return decision.answer.server or decision.answer.source.value


def _amounts(plan: "ServerPlan") -> list[str]:
    return [f"{name} {decided.text}" for name, decided in sorted(plan.resources.decided.items())]


def _report(outcome: Outcome, username: str, timeline: Timeline, output: str) -> None:
    verdict = outcome.verdict or Finding("fine", f"{username}'s server starts and answers.", "")
    if output == "json":
        print_json(
            {
                "username": username,
                "pod": outcome.pod,
                "ok": outcome.healthy,
                "verdict": asdict(verdict),
                "phases": timeline.phases,
                "checks": [asdict(check) for check in outcome.checks],
                "events": timeline.events,
                "log": timeline.log,
            }
        )
        return
    for check in outcome.checks:
        timeline.say(f"{'ok' if check.ok else 'BAD':>10}  {check.name:<13} {check.detail}", "" if check.ok else "red")
    timeline.say(verdict.sentence, "bold green" if outcome.healthy else "bold red")
    if verdict.cure:
        timeline.say(verdict.cure)
