"""Stops servers that nobody uses; the times are in settings.env."""

import os
import sys

c.JupyterHub.services.append(
    {
        "name": "idle-culler",
        "command": [
            *(sys.executable, "-m", "jupyterhub_idle_culler"),
            "--url=http://127.0.0.1:8081/hub/api",  # it runs in the Hub's own pod
            f"--timeout={os.environ['CULL_TIMEOUT']}",
            f"--max-age={os.environ['CULL_MAX_AGE']}",
            f"--cull-every={os.environ['CULL_EVERY']}",
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
