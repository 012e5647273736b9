"""Stops servers that nobody uses."""

import os
import sys

# Settings, in seconds: how long a server may go unused (a kernel that writes output is use; so is an open page), how
# old one may become whatever it does (0 for no end), and how often to look.
timeout = os.environ.get("CULL_TIMEOUT") or "3600"
max_age = os.environ.get("CULL_MAX_AGE") or "0"
every = os.environ.get("CULL_EVERY") or "300"

c.JupyterHub.services.append(
    {
        "name": "idle-culler",
        "command": [
            *(sys.executable, "-m", "jupyterhub_idle_culler"),
            "--url=http://127.0.0.1:8081/hub/api",  # it runs in the Hub's own pod
            f"--timeout={timeout}",
            f"--max-age={max_age}",
            f"--cull-every={every}",
        ],
    }
)
c.JupyterHub.load_roles.append(
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
)
