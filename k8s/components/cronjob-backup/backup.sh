#!/bin/sh
# Dumps DATABASE_URL into BACKUP_DIR and keeps the newest KEEP dumps. A dump has its name only once it is whole.
set -eu

draft="$BACKUP_DIR/.unfinished.$$"
trap 'rm -f "$draft"' EXIT
trap 'exit 143' TERM INT

pg_dump --format=custom --no-owner --no-privileges --lock-wait-timeout=60s --file="$draft" "$DATABASE_URL"
pg_restore --list "$draft" | grep -q 'TABLE DATA .* rm_queue' # readable, and ours

name="inventory-sync-$(date -u +%Y%m%dT%H%M%SZ).dump"
sync "$draft"
mv "$draft" "$BACKUP_DIR/$name"
echo "$name: $(wc -c <"$BACKUP_DIR/$name") bytes"

# The names sort by time.
find "$BACKUP_DIR" -maxdepth 1 -name 'inventory-sync-*.dump' | sort -r | tail -n "+$((KEEP + 1))" |
    while read -r old; do
        rm -- "$old"
    done
