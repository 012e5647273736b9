"""What a person's container does before it starts their server.

It makes the directories that Jupyter needs, and tries whether the home takes a small file.  A home that does not,
being full, read-only or closed to its owner, must not keep the server from starting: Jupyter then starts in a
folder of the pod's own, with a notice that says in plain words what is wrong and what to do, a link ``home``, and
settings by which one can work and make room.  Pure.
"""

from collections.abc import Sequence

SECONDS_TO_TRY = 10
"""How long the home may take.  One that does not answer in time is started in as if it were fine: over NFS, who
waits goes on when the file server is back."""

SECONDS_TO_COUNT = 2
"""How long the largest files of a full home are looked for."""

NOTICE = "READ-ME-FIRST.md"
"""The notice's name, beside the link ``home``."""

_JUPYTER_SETTINGS = """\
{"ServerApp": {"terminado_settings": {"shell_command":
   ["/bin/sh", "-c", "cat \\"$OCFSPAWNER_NOTICE\\"; exec \\"${SHELL:-/bin/sh}\\" -l"]}},
 "FileContentsManager": {"delete_to_trash": false},
 "NotebookNotary": {"db_file": ":memory:"}}"""
"""A terminal begins with the notice; what is deleted makes room; nothing need be written into the home."""

_LAB_SETTINGS = '{"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}}}'

SCRIPT = f"""\
try_home() {{
    file=$HOME/.ocfspawner-$(uname -n)
    said=$(LC_ALL=C timeout -s KILL {SECONDS_TO_TRY} dd if=/dev/zero of="$file" bs=64k count=1 conv=fsync 2>&1)
    status=$?
    [ "$status" -ge 128 ] || rm -f -- "$file"
    said=${{said%%
*}}
    reason=${{said##*: }}
    case $status:$reason in
        0:*) return 0 ;;
        1:"No space left on device" | 1:"Disk quota exceeded") trouble=full ;;
        1:*) trouble=closed ;;
        *) echo "ocfspawner: the home was not tried (status $status): $said" >&2 && return 0 ;;
    esac
    echo "ocfspawner: the home can't be written to: $reason" >&2
    return 1
}}

notice_full() {{
    cat <<END
# Your home is full

Nothing more can be saved in your home, \\`$HOME\\`. The file server says: *$reason*.
Your server has started all the same. All that you have saved is there, in the folder \\`home\\` beside this notice.

1. **Make room.** Delete what you no longer need, here in the file browser or in a terminal with \\`rm\\`.
   It is gone at once; there is no trash.
2. **Start your server again:** *File > Hub Control Panel > Stop My Server*, then *Start My Server*.

Don't keep work beside this notice: the place is small, and it is gone when the server stops.

The largest files and folders, as far as they were found in {SECONDS_TO_COUNT} seconds:

END
    timeout -s KILL {SECONDS_TO_COUNT} du -akx -- "$HOME" 2>/dev/null | sort -rn | head -n 15 |
        tr -d '\\000-\\010\\013-\\037\\177' | while read -r size path; do
            printf '    %8d MiB  %s\\n' "$(((size + 1023) / 1024))" "$path"
        done
}}

notice_closed() {{
    cat <<END
# Your home can't be written to

Nothing can be saved in your home, \\`$HOME\\`. The file server says: *$reason*.
Your server has started all the same, and what you have saved can be read in the folder \\`home\\` beside this notice.

If you have changed the permissions of your home, \\`chmod u+rwx ~\\` in a terminal sets them right.
Otherwise tell the people who run this service, and show them this notice.
Then start your server again: *File > Hub Control Panel > Stop My Server*, then *Start My Server*.

Don't keep work beside this notice: the place is small, and it is gone when the server stops.
END
}}

start_beside_home() {{
    beside=$XDG_RUNTIME_DIR/beside-home
    # IPython makes its own directory: if it were there, Jupyter would migrate from it into the home.
    export JUPYTERHUB_ROOT_DIR="$beside/files" OCFSPAWNER_NOTICE="$beside/files/{NOTICE}"
    export JUPYTER_CONFIG_PATH="$beside/config${{JUPYTER_CONFIG_PATH:+:$JUPYTER_CONFIG_PATH}}"
    export JUPYTERLAB_WORKSPACES_DIR="$beside/workspaces" IPYTHONDIR="$beside/ipython"
    case ${{JUPYTERHUB_DEFAULT_URL:-/lab}} in
        /lab*) export JUPYTERHUB_DEFAULT_URL=/lab/tree/{NOTICE} ;;
    esac
    mkdir -p -m 700 -- "$JUPYTERHUB_ROOT_DIR" "$beside/config/labconfig"
    ln -sfn -- "$HOME" "$JUPYTERHUB_ROOT_DIR/home"
    "notice_$trouble" >"$OCFSPAWNER_NOTICE"
    cat >"$beside/config/jupyter_server_config.json" <<'END'
{_JUPYTER_SETTINGS}
END
    cat >"$beside/config/labconfig/default_setting_overrides.json" <<'END'
{_LAB_SETTINGS}
END
}}

mkdir -p -m 700 -- "$JUPYTER_RUNTIME_DIR"
if try_home; then
    mkdir -p -- "$JUPYTERHUB_ROOT_DIR" || export JUPYTERHUB_ROOT_DIR="$HOME"
else
    start_beside_home
fi
exec "$@"
"""
"""POSIX shell, run as the person with the server's command as its arguments.  What the image lacks of coreutils
only costs the notice."""


def prepared(command: Sequence[str]) -> list[str]:
    """*command*, which starts the server, with all this before it."""
    return ["/bin/sh", "-c", SCRIPT, "sh", *command]
