"""The command line: what the Hub would do for one person or for all, and why.

``main`` (commands, imported when they are called) over one module for each command, over ``hub`` (the Hub's
configuration and its spawner, without a Hub) and ``output`` (text, JSON, exit codes).  Nothing here decides
anything of a server: that is asked of the same `ocfspawner.spawner.OCFSpawner` as the Hub's.
"""
