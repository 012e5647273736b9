# /etc/profile sets PATH anew for log-in shells, which Jupyter's terminals are.
PATH=/opt/singleuser/bin:$PATH:$HOME/.local/bin
