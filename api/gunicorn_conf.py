"""How gunicorn runs the web and the webhook role; sizes and addresses stand in the Procfile."""

import os
from typing import Any

RECEIVER = "receiver"  # among the extensions of its app
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount, not a file name that somebody could guess

worker_class = "gthread"
graceful_timeout = 20  # seconds; below the supervisor's grace and the pod's
# Longer than the 60 s that load balancers keep idle connections, so that they don't send into a closed one.
keepalive = 75
# On a disk, a busy disk stalls the heartbeat, and gunicorn then kills a healthy worker.
worker_tmp_dir = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
# Both roles would share one control socket in the home folder, and nobody uses it.
control_socket_disable = True
accesslog = None
# For whoever turns the access log on: the path without its query, and no header; both may carry secrets.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms'


def worker_exit(_: object, worker: Any) -> None:
    """Called in the worker after its last answer: a receiver finishes what it does beside the requests."""
    app = getattr(worker, "wsgi", None)  # a worker that failed as it started has none
    receiver = getattr(app, "extensions", {}).get(RECEIVER)
    if receiver is not None:
        receiver.end()
