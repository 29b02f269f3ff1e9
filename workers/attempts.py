"""Why a job's attempts failed: the last few errors, written by the same statement that ends an attempt."""

from __future__ import annotations

KEPT = 10  # of one job: enough to see whether it fails in one way or in many
LONGEST_ERROR = 500  # characters

NOTED = f"""failures = CASE WHEN %(error)s IS NULL THEN failures ELSE
    CASE WHEN jsonb_array_length(failures) < {KEPT} THEN failures ELSE failures - 0 END || jsonb_build_object(
        'at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'attempt', attempts, 'error', left(%(error)s, {LONGEST_ERROR})) END"""
"""In an update of rm_queue: `error` becomes the newest entry; null leaves them as they are."""
