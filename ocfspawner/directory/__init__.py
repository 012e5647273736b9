"""The user directory: LDAP over verified TLS, behind a promise of an answer in time.

``settings`` (pure values) → ``connection`` (LDAP itself) → ``worker`` (one thread's questions) → ``client``
(the event loop's side) → ``config`` (the administrator's side).
"""
