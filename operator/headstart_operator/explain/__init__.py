"""`headstart explain` and `headstart status`: what the operator sees and does, for people.

Reads what anyone may read who may read the policies: their status, their events, and the
operator's own series in Prometheus. It must not decide, nor write.
"""
